import dataclasses
import json

import jax
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.evaluation import from_json
from metaplastic.models import NO_DIRECT, FrozenMLP
from metaplastic.presets.io import resolve
from metaplastic.rules import LocalRule
from metaplastic.studies import demo
from metaplastic.studies._demo_page import verdict
from metaplastic.studies._demo_reading import reading_figure
from metaplastic.studies._fields import receptive_fields


@dataclasses.dataclass(frozen=True)
class Squares:
    """Three kinds of 4x4 images."""

    name: str = "squares"

    @property
    def y(self):
        return np.repeat(np.arange(3), 30)

    @property
    def x(self):
        means = np.random.default_rng(0).uniform(size=(3, 16)).astype(np.float32)
        noise = np.random.default_rng(1).normal(size=(90, 16)).astype(np.float32)
        return means[self.y] + 0.1 * noise


TINY = demo.DemoConfig(
    shots=2,
    n_seeds=2,
    n_draws=3,
    curve_steps=(0, 2),
    curve_draws=2,
    n_points=30,
    n_fields=3,
    hidden_sizes=(6,),
    n_components=4,
    n_steps=4,
    batch_size=16,
)


def few_learners(config, preset, name):
    return {"raw": demo.Raw(), "PCA-32": demo.PCA(2), name: demo.demo_learner(config, preset)}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "demo_learners", few_learners)
        rule = LocalRule.create(key=jax.random.key(0), hidden=4)
        results = demo.run_demo(out, rule=rule, seed=5, config=TINY, dataset=Squares(), show=False)
    return out, results


@pytest.mark.slow
def test_everything_is_written(done):
    out, results = done
    names = {path.name for path in out.iterdir()}
    pictures = {f"{stem}.png" for stem in ("learners", "steps", "fields", "embedding", "reading")}
    assert names == {"index.html", "results.json", "table.md", *pictures}
    page = (out / "index.html").read_text()
    assert page.count("<svg") == 5 and "LocalRule" in page
    assert page.count("http") == 1
    assert json.loads((out / "results.json").read_text()) == json.loads(json.dumps(results))


def test_the_result_file_can_be_read_and_says_where_it_is_from(done):
    records, facts = from_json((done[0] / "results.json").read_text())
    assert [r.learner for r in records[::2]] == ["raw", "PCA-32", "LocalRule"]
    assert facts["seeds"] == [5, 6]
    assert facts["settings"]["n_steps"] == 4
    assert {"commit", "versions", "machine"} <= facts.keys()
    for record in records:
        assert f"{100 * record.mean:.1f}" in (done[0] / "table.md").read_text()


def test_the_curve_ends_where_training_ends(done):
    assert [row["step"] for row in done[1]["curve"][::2]] == [0, 2, 4]
    last = [row for row in done[1]["curve"] if row["step"] == 4 and row["readout"] == "ridge"]
    own = [r for r in done[1]["records"] if r["learner"] == "LocalRule" and r["readout"] == "ridge"]
    # The curve takes the first draws of each seed after the same training.
    assert [d[:2] for d in own[0]["draws"]] == [list(d) for d in last[0]["draws"]]


@pytest.mark.slow
def test_all_learners_are_there_and_the_rule_comes_last():
    preset = resolve(LocalRule.create(key=jax.random.key(0)))
    found = demo.demo_learners(demo.DemoConfig(), preset, "base")
    names = list(found)
    hand = ["Oja", "Krotov-Hopfield", "SoftHebb"]
    others = ["raw", "PCA-32", "k-means-32", "k-means-400", "random network"]
    assert names == [*others, *hand, "untrained rule", "base"]
    assert "Oja" not in demo.demo_learners(demo.DemoConfig(), preset, "oja")
    # Hand-designed rules have features of their networks alone.
    assert found["Oja"].preset.direct == NO_DIRECT != found["base"].preset.direct


def test_fields_undo_the_permutation():
    columns = np.random.default_rng(0).permutation(16)
    pool = np.random.default_rng(1).normal(size=(50, 16)).astype(np.float32)

    encoder = FrozenMLP(
        shift=np.zeros(16, np.float32),
        scale=np.ones(16, np.float32),
        clip=np.float32(3),
        gain=np.float32(1),
        weights=(np.eye(16, dtype=np.float32)[:, :4],),
        biases=(np.zeros(4, np.float32),),
        activation="relu",
        readout="drive",
    )
    fields = receptive_fields(encoder, pool[:, columns], columns, 4).reshape(4, 16)
    for unit in range(4):
        assert np.flatnonzero(fields[unit]) == [columns[unit]]
        assert fields[unit, columns[unit]] == pytest.approx(pool[:, columns[unit]].std(), rel=1e-5)


def test_the_verdict_compares_with_the_best_other(done):
    records, _ = from_json((done[0] / "results.json").read_text())
    text = verdict(records, "LocalRule")
    best = max((r for r in records[::2] if r.learner != "LocalRule"), key=lambda r: r.mean)
    assert text.startswith("With the ridge readout LocalRule reaches")
    assert f"than {best.learner}, the best of the others" in text


def test_folders_of_others_are_left_alone(tmp_path):
    rule = LocalRule.create(key=jax.random.key(0))
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        demo.run_demo(tmp_path, rule=rule, config=TINY, dataset=Squares())
    with pytest.raises(InputError, match="is a file"):
        demo.run_demo(tmp_path / "thesis.tex", rule=rule, config=TINY, dataset=Squares())
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_unknown_rules_are_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match="unknown rule"):
        demo.run_demo(tmp_path / "new", rule="ojaa", config=TINY, dataset=Squares())
    assert not (tmp_path / "new").exists()


def test_the_picture_of_the_reading_says_how_much_is_right():
    generator = np.random.default_rng(0)
    y = np.repeat([3, 7], 40)
    x = generator.normal(size=(80, 5)).astype(np.float32) + 20 * (y == 7)[:, None]
    line, graph = reading_figure(x, x[:, :2], y, seed=0).axes
    assert "ridge" in line.get_title(loc="left") and "graph" in graph.get_title(loc="left")
    assert graph.get_title(loc="left").endswith("100 % right")
    # All rows of each class in one colour, then its one labelled row.
    assert [len(points.get_offsets()) for points in graph.collections] == [40, 1, 40, 1]
    shuffled = reading_figure(x, x[:, :2], generator.permutation(y), seed=0).axes[1]
    assert not shuffled.get_title(loc="left").endswith("100 % right")
