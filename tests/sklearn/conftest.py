"""One small configuration for all tests, so that they share compiled programs."""

import numpy as np
import pytest

from metaplastic.presets import plain_preset, save_preset
from metaplastic.rules import Hebb
from metaplastic.sklearn import FewShotClassifier, RuleTransformer

SMALL = {
    "rule": "hebb",
    "hidden_sizes": (16,),
    "n_components": 4,
    "n_steps": 10,
    "batch_size": 16,
    "n_networks": 1,
    "random_state": 0,
}


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """A file of a preset of one rule and nothing else: features are those of the networks."""
    path = tmp_path_factory.mktemp("presets") / "plain.safetensors"
    save_preset(path, plain_preset(Hebb()), {})
    return str(path)


@pytest.fixture(scope="session")
def make_transformer(plain):
    return lambda **changes: RuleTransformer(**{**SMALL, "preset": plain, **changes})


@pytest.fixture(scope="session")
def make_classifier(plain):
    return lambda **changes: FewShotClassifier(**{**SMALL, "preset": plain, **changes})


@pytest.fixture(scope="session")
def blobs():
    """Rows `(2500, 8)` of four well separated classes, shuffled, and their labels."""
    generator = np.random.default_rng(0)
    y = generator.integers(4, size=2500)
    centres = 4.0 * generator.normal(size=(4, 8))
    x = centres[y] + generator.normal(size=(2500, 8))
    x.setflags(write=False)
    return x, y
