"""Rules by nonlinearity: what is measured, and tables of one file or of parts."""

import types

from laboratory import nonlinearities
from laboratory.nonlinearities import BOUNDED, measure_nonlinearities, nonlinearity_table
from metaplastic.models import ACTIVATIONS


def test_every_rule_has_a_row_for_each_nonlinearity(monkeypatch):
    trained = []

    def judged(learners, pool, *, n_draws, seeds):
        (learner,) = learners.values()
        networks = learner.preset.networks
        trained.append((networks.activation, networks.n_networks, learner.preset.direct.share))
        mean = 0.25 * len(trained)
        return [types.SimpleNamespace(readout="ridge", mean=mean)]

    monkeypatch.setattr(nonlinearities, "evaluate", judged)
    monkeypatch.setattr(nonlinearities, "validation_pool", lambda *_: None)
    quick = types.SimpleNamespace(quick=True)
    rows = measure_nonlinearities(quick, {"untrained": "local"}, "manifold", 5)
    # Learned features alone, of one network.
    assert trained == [("relu", 1, 0.0), ("leaky_relu", 1, 0.0)]
    assert rows == [
        {"rule": "untrained", "activation": "relu", "ridge": 25.0},
        {"rule": "untrained", "activation": "leaky_relu", "ridge": 50.0},
    ]
    whole = types.SimpleNamespace(quick=False)
    assert len(measure_nonlinearities(whole, {"u": "local"}, "manifold", 2)) == len(ACTIVATIONS)
    assert len(trained) == 2 + 2 * len(ACTIVATIONS)  # on two pools


def row(rule, activation, value):
    return {"rule": rule, "activation": activation, "ridge": value, "logistic": value + 1}


def test_tables_show_the_parts_that_are_named():
    parts = {
        "a, x": {"rows": [row("a", "tanh", 50.0), row("a", "step", 40.0)]},
        "b": {"rows": [row("b", "tanh", 60.0)]},
    }
    table = nonlinearity_table(parts, {"b": "B", "a, x": "A"}, BOUNDED, where="here")
    assert table.header == ("", "B", "A")
    assert table.rows[0] == ("tanh", "60.0 / 61.0", "50.0 / 51.0")
    assert table.rows[3] == ("step", "-", "40.0 / 41.0")
    whole = {"rows": [row("a", "sine", 10.0)]}
    table = nonlinearity_table(whole, {"a": "A"}, ("sine",), where="here")
    assert table.rows == (("sine", "10.0 / 11.0"),)
