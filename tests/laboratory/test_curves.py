"""Curves of a run that made no evaluations: the rules that it kept are evaluated."""

import json

import jax

from laboratory import curves
from metaplastic.recipes.config import recipe_text
from metaplastic.recipes.named import RECIPES
from metaplastic.rules import LocalRule, save_rule


def test_kept_rules_are_evaluated_in_order_and_stages_follow_one_another(monkeypatch, tmp_path):
    rules = {n: LocalRule.create(key=jax.random.key(n), hidden=4) for n in (2, 10)}

    class Fake:
        def __init__(self, buckets):
            assert [bucket.name for bucket in buckets] == ["gaussian-2", "manifold-2"]

        def __call__(self, rule, step):
            assert (rule.element_in == rules[step].element_in).all()
            return {"validation_loss": 1.0 / step}

    monkeypatch.setattr(curves, "Validator", Fake)
    (tmp_path / "rules").mkdir()
    (tmp_path / "config.toml").write_text(recipe_text(RECIPES["small"]))
    last = {"kind": "update", "step": 10, "seconds": 3.0}
    (tmp_path / "metrics.jsonl").write_text(json.dumps(last))
    for n, rule in rules.items():
        save_rule(tmp_path / "rules" / f"updates-{n:06}.safetensors", rule, {})
    found = curves.read_curves([tmp_path], {"updates": 5, "seconds": 1.0})
    losses = {p["step"]: p["validation_loss"] for p in found["evaluations"]}
    assert losses == {7: 0.5, 15: 0.1}
    assert (found["updates"], found["seconds"]) == (15, 4.0)
    # Evaluations that a run made itself stand.
    own = {"kind": "evaluation", "step": 4, "validation_loss": 0.3}
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, (own, last))))
    assert [p["step"] for p in curves.read_curves([tmp_path], {})["evaluations"]] == [4]
