"""Two rules in one file."""

import jax
import pytest

from metaplastic.errors import InputError
from metaplastic.rules import LocalRule, Oja, save_rule
from metaplastic.rules.io import load_rule_file
from metaplastic.trees import count_parameters


def test_a_pair_is_saved_with_what_is_known_of_both(benchmark, monkeypatch, tmp_path):
    rules = [LocalRule.create(key=jax.random.key(i), hidden=4) for i in (0, 1)]
    paths = [tmp_path / f"{name}.safetensors" for name in ("dense", "sparse", "pair")]
    for path, rule in zip(paths, rules, strict=False):
        save_rule(path, rule, {"licence": "none", "recipe": path.stem})
    pair = benchmark("pair")
    # The second pair is made from the first: of its parts, only the dense one counts.
    for note in ("first", "second"):
        call = ["pair.py", str(paths[0]), str(paths[1]), "--note", note, "--out", str(paths[2])]
        monkeypatch.setattr("sys.argv", call)
        pair.main()
        paths[0] = paths[2]
    found, metadata = load_rule_file(paths[2])
    assert count_parameters(found) == 2 * count_parameters(rules[0])
    for there, rule in zip((found, found.suited(sparse=True)), rules, strict=True):
        assert (there.element_in == rule.element_in).all()
    assert metadata["recipe"] == "dense" and metadata["for_sparse"]["recipe"] == "sparse"
    assert metadata["note"] == "second"
    save_rule(paths[1], Oja(), {})
    with pytest.raises(InputError, match="only local rules"):
        pair.main()
