"""Compiled programs: kept on disk, and shared by data of many sizes."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from metaplastic.learners import plain_learner, programs
from metaplastic.learners.inner_loop import chunk_steps
from metaplastic.rules import load_rule
from metaplastic.sklearn import RuleTransformer

FIT = """
import json, sys
import jax
import numpy as np
from metaplastic.sklearn import RuleTransformer
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event))
x = np.random.default_rng(0).normal(size=(50, 4))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
RuleTransformer("oja", (4,), n_components=2, n_steps=2, batch_size=16, n_networks=1).fit(x)
print(json.dumps({
    "folder": jax.config.jax_compilation_cache_dir,
    "hits": hits.count("/jax/compilation_cache/cache_hits"),
}))
"""


def fit(folder, **changes):
    """Fit in a process of its own that has set up nothing, so with the options of users."""
    environment = {
        k: v for k, v in os.environ.items() if "COMPILATION_CACHE" not in k and k != "XLA_FLAGS"
    }
    environment |= {"METAPLASTIC_DATA": str(folder), **changes}
    done = subprocess.run(
        [sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_a_later_process_finds_the_programs_of_an_earlier_one(tmp_path):
    first, _ = fit(tmp_path)
    assert first["folder"].startswith(str(tmp_path / "programs"))
    assert first["hits"] == 0
    assert list((tmp_path / "programs").rglob("*-cache"))
    assert fit(tmp_path)[0]["hits"] > 0


@pytest.fixture
def nothing_set(monkeypatch, tmp_path):
    """As in a process where nobody has said where programs are kept."""
    before = jax.config.jax_compilation_cache_dir
    monkeypatch.setenv("METAPLASTIC_DATA", str(tmp_path))
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_programs_go_to_the_cache_folder_for_this_user_alone(nothing_set):
    programs.keep_programs()
    folder = jax.config.jax_compilation_cache_dir
    assert folder.startswith(str(nothing_set / "programs"))
    assert os.stat(folder).st_mode & 0o077 == 0


def test_what_the_user_has_set_stands(nothing_set):
    jax.config.update("jax_compilation_cache_dir", "/elsewhere")
    programs.keep_programs()
    assert jax.config.jax_compilation_cache_dir == "/elsewhere"
    jax.config.update("jax_compilation_cache_dir", None)
    jax.config.update("jax_enable_compilation_cache", False)
    try:
        programs.keep_programs()
    finally:
        jax.config.update("jax_enable_compilation_cache", True)
    assert jax.config.jax_compilation_cache_dir is None


def test_a_folder_that_cannot_be_made_is_passed_over(nothing_set, monkeypatch):
    (nothing_set / "file").write_text("in the way")
    monkeypatch.setenv("METAPLASTIC_DATA", str(nothing_set / "file"))
    programs.keep_programs()
    assert jax.config.jax_compilation_cache_dir is None
    assert sorted(p.name for p in nothing_set.iterdir()) == ["file"]


def compiled(call):
    """How many programs JAX compiles or reads from disk while `call` runs."""
    events = []

    def listen(event, duration, **_):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(duration)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        call()
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    return len(events)


def test_pools_of_many_sizes_share_one_program():
    x = np.random.default_rng(0).normal(size=(3000, 7))
    settings = {"hidden_sizes": (5,), "n_components": 3, "batch_size": 64, "n_networks": 1}

    def fit(n, steps):
        RuleTransformer("hebb", n_steps=steps, random_state=0, **settings).fit(x[:n])

    assert compiled(lambda: fit(100, 3)) > 0
    assert compiled(lambda: [fit(n, steps) for n in (64, 99, 3000) for steps in (1, 60)]) == 0
    # Below a batch, powers of two.
    assert compiled(lambda: fit(63, 3)) > 0
    assert compiled(lambda: [fit(n, 3) for n in range(32, 63, 7)]) == 0


def test_wide_batches_go_to_the_device_fewer_at_a_time():
    assert chunk_steps(128, 196) == 50
    assert chunk_steps(128, 20_000) == 1
    assert 1 < chunk_steps(128, 2000) < 50


def test_how_many_go_at_a_time_changes_nothing(monkeypatch):
    x = np.random.default_rng(0).normal(size=(200, 7)).astype(np.float32)
    sizes = {"hidden_sizes": (5,), "n_components": 3, "batch_size": 16, "n_networks": 2}
    learner = plain_learner(load_rule("hebb"), n_steps=9, **sizes)
    expected = learner.fit(x, seed=0)(x)
    monkeypatch.setattr("metaplastic.learners.inner_loop.CHUNK_NUMBERS", 4 * 16 * 7)
    np.testing.assert_allclose(learner.fit(x, seed=0)(x), expected, atol=1e-5)


@pytest.mark.slow
def test_options_of_the_compiler_unless_the_user_has_set_flags(monkeypatch):
    options = programs._compiler_options.__wrapped__
    assert options(0) == {}  # the flags of the tests
    monkeypatch.delenv("XLA_FLAGS")
    assert options(None) == {"xla_cpu_use_fusion_emitters": False}
    for level in (0, 1):
        assert options(level) == {
            "xla_cpu_use_fusion_emitters": False,
            "xla_backend_optimization_level": level,
        }
    monkeypatch.setattr(programs, "_compiler_options", options)
    own = programs.compiled(once=True)(lambda x: x + 1)
    assert own(np.float32(1)) == 2
    # Under a trace the function itself is called: options are for programs of their own.
    assert jax.eval_shape(own.function, np.ones(3, np.float32)).shape == (3,)
