"""How tasks are cut into chunks and given to workers; what settings and words are refused."""

import dataclasses

import numpy as np
import pytest

from metaplastic.errors import ConfigurationError, InputError, MissingDataError
from metaplastic.recipes.config import change_recipe, fingerprint, named_recipe, recipe_text
from metaplastic.recipes.training import Words
from metaplastic.scale import ClusterSettings, cluster
from metaplastic.scale.means import BucketMean, Sums, bucket_metrics, mean_gradients, weight_of
from metaplastic.scale.pool import assign, cut


@pytest.mark.parametrize("n_workers", [1, 2, 3, 7, 10])
def test_every_task_is_in_one_chunk(n_workers):
    costs = [(4, 3.0), (1, 10.0), (5, 1.0)]
    chunks = cut(costs, n_workers)
    for bucket, (n, _) in enumerate(costs):
        tasks = [
            t for c in chunks if c.bucket == bucket for t in range(c.first, c.first + c.n_tasks)
        ]
        assert sorted(tasks) == list(range(n))
    assigned = assign(chunks, n_workers)
    assert sorted((c.bucket, c.first) for a in assigned for c in a) == sorted(
        (c.bucket, c.first) for c in chunks
    )
    assert all(assigned)


def test_work_is_spread_evenly():
    chunks = cut([(64, 1.0), (64, 2.0), (64, 5.0)], 16)
    loads = [sum(c.cost for c in worker) for worker in assign(chunks, 16)]
    assert max(loads) < 1.35 * sum(loads) / 16


def result(bucket, count, gradient, version=1, first=0):
    metrics = {"loss": np.full(count, gradient[0], np.float32)}
    gradient = np.array(gradient, np.float32)
    return BucketMean(bucket, first, version, count, gradient, metrics, 0.5)


def test_a_bucket_has_the_mean_of_its_tasks():
    collected = [
        (result(0, 3, [1.0, 0.0]), 1.0),
        (result(0, 1, [5.0, 4.0]), 1.0),
        (result(1, 2, [7.0, 8.0]), 1.0),
    ]
    found = mean_gradients(collected, [4, 2])
    np.testing.assert_allclose(found, [[2.0, 1.0], [7.0, 8.0]])


def test_buckets_without_a_result_have_no_share():
    # The outer loop weighs by tasks: 4 and 2 of 8, the third (2 tasks) sent nothing.
    collected = [(result(0, 4, [3.0]), 1.0), (result(1, 2, [6.0]), 1.0)]
    found = mean_gradients(collected, [4, 2, 2])
    assert found[2] == 0.0
    total = sum(n / 8 * g for n, g in zip((4, 2, 2), found, strict=True))
    np.testing.assert_allclose(total, (4 * 3.0 + 2 * 6.0) / 6)


def test_an_old_gradient_weighs_less():
    assert [weight_of(age, 4) for age in (0, 1, 4, 8, 16)] == [1.0, 1.0, 1.0, 0.5, 0.25]
    fresh, old = (result(0, 1, [2.0]), 1.0), (result(0, 1, [8.0]), weight_of(8, 4))
    np.testing.assert_allclose(mean_gradients([fresh, old], [2]), [[(2.0 + 4.0) / 2]])


def test_sums_lose_nothing_and_keep_versions_apart():
    parts = [
        result(0, 1, [1.0, 2.0], version=3, first=4),
        result(0, 3, [5.0, 6.0], version=3, first=2),
        result(0, 1, [9.0, 9.0], version=2),
        result(1, 2, [7.0, 8.0], version=3),
    ]
    sums = Sums(parts)
    assert sums.count == 7
    old, joined, other = sums.take()
    assert (old.version, old.bucket, old.count) == (2, 0, 1)
    assert (other.version, other.bucket, other.count) == (3, 1, 2)
    assert (joined.version, joined.count, joined.first, joined.seconds) == (3, 4, 2, 1.0)
    np.testing.assert_allclose(joined.gradient, [4.0, 5.0])
    np.testing.assert_allclose(joined.metrics["loss"], [1.0, 5.0, 5.0, 5.0])
    assert sums.count == 0 and sums.take() == []


def test_a_tree_of_sums_is_one_sum():
    generator = np.random.default_rng(0)
    leaves = [result(i % 3, 1 + i % 4, generator.normal(size=5)) for i in range(40)]
    reducers = [Sums(leaves[i::4]).take() for i in range(4)]
    direct = mean_gradients([(leaf, 1.0) for leaf in leaves], [30, 40, 30])
    tree = [(mean, 1.0) for means in reducers for mean in means]
    np.testing.assert_allclose(mean_gradients(tree, [30, 40, 30]), direct, rtol=1e-6, atol=1e-7)
    for found, leaf_count in zip(bucket_metrics(tree, 4), (35, 32, 33, 0), strict=True):
        assert len(found["loss"]) == leaf_count


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"truncations": 0}, "at least 1"),
        ({"reducers": -2}, "at least 0"),
        ({"reducers": 2}, 'mode = "asynchronous"'),
        ({"truncations": 4}, 'mode = "asynchronous"'),
        ({"mode": "asynchronous", "reducers": 3}, r"3 reducers for 2 worker\(s\)"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"cpus_per_worker": -1.0}, "must not be negative"),
        ({"mode": "sometimes"}, "choose one of synchronous, asynchronous"),
        ({"stale": "keep"}, "choose one of drop, weight"),
        ({"batch": -1}, "must not be negative"),
        ({"deadline": 0.0}, "positive seconds"),
        ({"resources": ("gpu",)}, "NAME=VALUE"),
        ({"resources": ("gpu=many",)}, "NAME=AMOUNT"),
        ({"environment": ("=1",)}, "NAME=VALUE"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        ClusterSettings(**settings)


def test_the_number_of_workers_makes_the_tree():
    def reducers(workers, **settings):
        return ClusterSettings(workers=workers, **settings).n_reducers()

    each = {"mode": "asynchronous"}
    assert [reducers(n, **each) for n in (2, 64, 65, 512, 4096)] == [0, 0, 2, 8, 64]
    assert reducers(512) == 0 and reducers(512, reducers=0, **each) == 0
    assert reducers(2, reducers=2, **each) == 2


def test_options_are_those_of_ray():
    made = ClusterSettings(
        cpus_per_worker=2.0, resources=("fast=1",), environment=("XLA_FLAGS=--a=b",)
    )
    options = made.actor_options()
    assert options["num_cpus"] == 2.0 and options["resources"] == {"fast": 1.0}
    assert options["runtime_env"] == {"env_vars": {"XLA_FLAGS": "--a=b"}}


def test_a_run_may_move_to_another_cluster(tmp_path):
    here = named_recipe("small")
    there = change_recipe(here, ["cluster.workers=8", 'cluster.environment=["A=1"]'])
    assert there.cluster.workers == 8 and there.cluster.environment == ("A=1",)
    assert fingerprint(here) == fingerprint(there)
    other = dataclasses.replace(here, seed=1)
    assert fingerprint(here) != fingerprint(other)
    (tmp_path / "c.toml").write_text(recipe_text(there))
    assert Words("small", tmp_path / "c.toml").recipe() == there
    with pytest.raises(ConfigurationError, match="workers must be at least 1"):
        change_recipe(here, ["cluster.workers=0"])


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("metaplastic.extras.find_spec", lambda module: None)
    with (
        pytest.raises(MissingDataError, match=r"metaplastic\[ray\]"),
        cluster.connect(ClusterSettings()),
    ):
        pass
