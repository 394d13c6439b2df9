"""Several rules in one file."""

import jax
import pytest

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, Oja, save_rule
from metaplastic.rules.io import load_rule_file
from metaplastic.trees import count_parameters


def test_rules_are_saved_together_with_what_is_known_of_each(benchmark, monkeypatch, tmp_path):
    rules = {
        name: LocalRule.create(key=jax.random.key(i), hidden=4, with_outputs=name == "bounded")
        for i, name in enumerate(("dense", "sparse", "bounded"))
    }
    paths = {name: tmp_path / f"{name}.safetensors" for name in (*rules, "out")}
    for name, rule in rules.items():
        save_rule(paths[name], rule, {"licence": "none", "recipe": name})
    combine = benchmark("combine")

    def call(rule, *others, whiten=None):
        named = [word for name in others for word in (f"--{name}", str(paths[name]))]
        named += ["--whiten", whiten] if whiten else []
        out = ["--note", "made", "--out", str(paths["out"])]
        monkeypatch.setattr("sys.argv", ["combine.py", str(paths[rule]), *named, *out])
        combine.main()
        return load_rule_file(paths["out"])

    found, metadata = call("dense", "sparse", "bounded")
    assert count_parameters(found) == sum(map(count_parameters, rules.values()))
    parts = (found, found.suited(sparse=True), found.for_activation("tanh"))
    for there, rule in zip(parts, rules.values(), strict=True):
        assert (there.element_in == rule.element_in).all()
    assert metadata["recipe"] == "dense" and metadata["note"] == "made"
    assert metadata["for_sparse"]["recipe"] == "sparse"
    assert metadata["for_bounded"]["recipe"] == "bounded"
    # Of a rule that brings others, it alone is taken.
    found, metadata = call("out", "bounded")
    assert found.sparse is None and found.bounded is not None and "for_sparse" not in metadata
    # The rule that is not for sparse inputs may be whitened; the bounded one must be so already.
    found, _ = call("dense", "sparse", whiten="0.25")
    assert found.whitening == 0.25 and found.suited(sparse=True).whitening == 0.0
    with pytest.raises(InputError, match="bounded"):
        call("dense", "bounded", whiten="0.25")
    save_rule(paths["sparse"], Oja(), {})
    with pytest.raises(InputError, match="only local rules"):
        call("dense", "sparse")
