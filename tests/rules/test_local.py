"""The local rule against a plain NumPy reference in float64, written from its docstring."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.models import init_mlp
from metaplastic.rules import LocalRule, apply_rule
from metaplastic.rules.local import narrowed, told_outputs, widened
from metaplastic.rules.local.rule import MAX_RATE, TIME_SCALE
from metaplastic.trees import count_parameters

SIZES = (6, 7, 5, 4)
KEY = jax.random.key(3)
step = eqx.filter_jit(apply_rule)


@pytest.fixture(
    scope="module",
    params=[
        (True, False, 4, 4),
        (False, False, 4, 4),
        (True, True, 4, 4),
        (False, True, 4, 4),
        (True, False, 1, 5),
        (True, True, 3, 1),
        (False, False, 6, 2),
    ],
    ids=[
        "lateral",
        "strict",
        "lateral, outputs",
        "strict, outputs",
        "one message",
        "one factor",
        "six messages",
    ],
)
def rule(request):
    """A rule far from its start, so that every term matters."""
    lateral, outputs, n_messages, n_factors = request.param
    made = LocalRule.create(
        key=jax.random.key(0),
        hidden=5,
        lateral=lateral,
        with_outputs=outputs,
        n_messages=n_messages,
        n_factors=n_factors,
    )
    assert (made.n_messages, made.n_factors) == (n_messages, n_factors)
    leaves, structure = jax.tree.flatten(made)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    moved = [x + 0.4 * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def rms_scaled(a, axis, eps):
    return a / np.sqrt((a**2).mean(axis=axis, keepdims=True) + eps)


def activity(pre):
    return np.sqrt(pre.var(0) + 1e-8)


def softmax(a):
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def elements_of(r, z, y, b, delta, lateral):
    """`E` `(batch, unit, element)`, the correlation matrix, and per-sample features."""
    n_batch, n = z.shape
    x = np.maximum(z, 0)
    parts = [z, x, *np.moveaxis(delta, 2, 0)]
    told = r["element_in"].shape[1] > len(parts) + 3 * lateral
    y = [rms_scaled(y - y.mean(0), None if lateral else 0, 1e-6)] if told else []
    if not lateral:
        return np.stack(parts + y, 2), np.zeros((n, n)), np.zeros(n), np.zeros((n_batch, 2))
    c = (z - b).T @ (z - b) / n_batch
    np.fill_diagonal(c, 0.0)
    s = n * softmax(np.exp(r["competition"]) * z) - 1.0
    dec = z @ c
    direction = x / np.sqrt((x**2).sum(1, keepdims=True) + 1e-6)
    weight = 5.0 * np.exp(r["similarity"]) * direction @ direction.T
    np.fill_diagonal(weight, -np.inf)
    parts += [s / (1 + np.abs(s) / 4), rms_scaled(dec, None, 1e-6), softmax(weight) @ z]
    crowding = np.sqrt((c**2).mean(0) + 1e-8)
    return np.stack(parts + y, 2), c, crowding, np.stack([x.mean(1), (x**2).mean(1) - 1], 1)


def reference(r, layers, traces, time, lateral):
    """All layers' next parameters by the equations, float64; layouts `(batch, unit, channel)`."""
    depth, n_all = len(layers), len(r["input_out"])
    top_down = np.zeros((*traces[-1][1].shape, len(r["top_element_out"])))
    post, pre, hidden, correlation = ([None] * (depth + 1) for _ in range(4))
    for index in reversed(range(depth)):
        (w, b, v), (_, z, y) = layers[index], traces[index]
        x = np.maximum(z, 0)
        top = index == depth - 1
        e, c, crowding, per_sample = elements_of(r, z, y, b, top_down, lateral)
        if top:
            outgoing = np.zeros(len(b))
        else:
            above = layers[index + 1][0]
            outgoing = np.sqrt((above**2).sum(1) * above.shape[0] / above.shape[1]) - 1
        u = np.stack([b, x.mean(0), np.tanh((z**3).mean(0) / 2), outgoing, crowding], 1)
        role = np.array([1.0, top, index == 0, time / (time + TIME_SCALE)])
        h = np.tanh(
            e @ r["element_in"].T
            + (u @ r["unit_in"].T)[None]
            + (per_sample @ r["sample_in"].T)[:, None]
            + r["role_in"] @ role
        )
        out = e @ r["element_out"].T + h @ r["hidden_out"].T + r["offset_out"]
        messages = out[..., 2 * n_all :]
        if top:
            messages = e @ r["top_element_out"].T + h @ r["top_hidden_out"].T
        post[index + 1] = out[..., :n_all]
        q = out[..., n_all : 2 * n_all]
        pre[index + 1] = q - q.mean(0)
        hidden[index + 1], correlation[index + 1] = h.mean(0), c
        top_down = np.einsum("ij,bjc->bic", v, messages)
        top_down = rms_scaled(top_down, (0, 1) if lateral else 0, 1e-6)
    x0 = traces[0][0]
    inputs = np.concatenate([x0[..., None], top_down * activity(x0)[:, None]], 2)
    pre[0] = (inputs - inputs.mean(0)) @ r["input_out"].T
    slow = (1 + time / (TIME_SCALE * np.exp(r["decay"][0]))) ** -sigmoid(r["decay"][1])
    rate = MAX_RATE * sigmoid(r["rates"]) * slow
    result = []
    for index, (w, b, v) in enumerate(layers):
        p, q = post[index + 1], pre[index]
        n_pre, n_post = w.shape
        axis = (0, 1) if lateral else 0
        hebb = np.einsum("bic,bjc->ij", q[..., :-2], p[..., :-2])
        gate = np.einsum("bic,bjc->ij", q[..., -2:], p[..., -2:])
        d = np.diag(activity(traces[index][0]))
        terms = [hebb, np.sqrt(n_pre) * d @ w * rms_scaled(gate, axis, 1e-8)]
        if lateral:
            terms.append(-np.sqrt(n_pre) * d @ w @ correlation[index + 1])
        terms = [rms_scaled(t, axis, 1e-8) for t in terms]
        change = sum(a * t for a, t in zip(r["weight_terms"], terms, strict=False))
        for j in range(n_post):
            along = w[:, j] @ change[:, j]
            back = w[:, j] if along > 0 else d @ w[:, j] / (w[:, j] @ d @ w[:, j])
            change[:, j] -= along * back
        change = change / np.sqrt(1 + (change**2).mean(0))
        new_w = w + rate[0] / np.sqrt(n_pre) * change
        new_w /= np.linalg.norm(new_w, axis=0)
        change = sum(a * t for a, t in zip(r["feedback_terms"], terms, strict=False))
        change = change / np.sqrt(1 + (change**2).mean(1, keepdims=True))
        new_v = v + rate[1] / np.sqrt(n_post) * change
        new_v /= np.linalg.norm(new_v, axis=1, keepdims=True)
        new_b = 2 * np.tanh((b + rate[2] * np.tanh(hidden[index + 1] @ r["bias_out"])) / 2)
        result.append((new_w, new_b, new_v))
    return result


@pytest.mark.slow
@pytest.mark.parametrize("time", [0.0, 250.0])
@pytest.mark.parametrize(
    ("sizes", "activation"),
    [(SIZES, "relu"), (SIZES, "tanh"), ((6, 4), "relu")],
    ids=["three layers, relu", "three layers, tanh", "one layer"],
)
def test_a_step_agrees_with_the_equations(rule, sizes, time, activation):
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: a.astype(jnp.float64), rule)
        model = init_mlp(sizes, key=jax.random.key(2), activation=activation)
        model = jax.tree.map(lambda a: a.astype(jnp.float64), model)
        biased = [0.3 * jax.random.normal(jax.random.key(i), (n,)) for i, n in enumerate(sizes[1:])]
        layers = tuple(
            type(layer)(layer.weight, bias.astype(jnp.float64), layer.feedback)
            for layer, bias in zip(model.layers, biased, strict=True)
        )
        model = type(model)(layers, model.presentation, model.activation, model.readout)
        x = jax.random.normal(jax.random.key(3), (9, sizes[0]), jnp.float64)
        after, state, trace = step(wide, model, jnp.asarray(time), x, key=jax.random.key(0))
        theta = {k: np.asarray(a) for k, a in vars(wide).items() if isinstance(a, jax.Array)}
        plain = [tuple(np.asarray(a) for a in (m.weight, m.bias, m.feedback)) for m in model.layers]
        traces = [tuple(np.asarray(a) for a in (t.pre, t.drive, t.post)) for t in trace]
        wanted = reference(theta, plain, traces, time, rule.lateral)
        assert float(state) == time + 1
        for layer, expected in zip(after.layers, wanted, strict=True):
            for found, value in zip(
                (layer.weight, layer.bias, layer.feedback), expected, strict=True
            ):
                np.testing.assert_allclose(np.asarray(found), value, atol=1e-9)


@pytest.mark.slow
def test_weights_from_silent_inputs_only_fade():
    made = LocalRule.create(key=jax.random.key(0))
    model = init_mlp((20, 16, 8), key=jax.random.key(1))
    batches = jax.random.normal(jax.random.key(2), (60, 32, 20)).at[:, :, :5].set(0.0)

    def body(carry, x):
        return apply_rule(made, *carry, x, key=jax.random.key(0))[:2], None

    after = jax.lax.scan(body, (model, jnp.zeros(())), batches)[0][0]
    before, now = (np.abs(m.layers[0].weight[:5]) for m in (model, after))
    assert np.all(now <= before * 1.01)
    assert now.mean() < 0.99 * before.mean()


@pytest.mark.slow
def test_weights_turn_by_at_most_the_step_size():
    made = LocalRule.create(key=jax.random.key(0))
    model = init_mlp((20, 16, 8), key=jax.random.key(1))
    x = jax.random.normal(jax.random.key(2), (32, 20))
    after, _, _ = step(made, model, jnp.zeros(()), x, key=jax.random.key(0))
    limit = MAX_RATE * sigmoid(np.asarray(made.rates[0]))
    for old, new in zip(model.layers, after.layers, strict=True):
        np.testing.assert_allclose(np.linalg.norm(new.weight, axis=0), 1.0, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(new.feedback, axis=1), 1.0, atol=1e-5)
        cosine = np.clip(np.sum(np.asarray(old.weight * new.weight), axis=0), -1, 1)
        angle = np.arccos(cosine)
        assert angle.max() <= limit * 1.01
        assert angle.min() > 0.1 * limit


@pytest.mark.slow
@pytest.mark.parametrize("lateral", [True, False])
def test_a_widened_rule_does_the_same_and_can_learn_more(lateral):
    made = LocalRule.create(key=jax.random.key(0), hidden=3, lateral=lateral, settle=9)
    wide = widened(made, 8, key=jax.random.key(1))
    assert wide.hidden == wide.element_in.shape[0] == wide.hidden_out.shape[1] == 8
    assert wide.settle == 9 and wide.lateral == lateral
    model = init_mlp((9, 7, 5), key=jax.random.key(2))
    x = jax.random.normal(jax.random.key(3), (12, 9))

    def after(rule):
        return step(rule, model, jnp.zeros(()), x, key=jax.random.key(0))[0].layers

    for old, new in zip(jax.tree.leaves(after(made)), jax.tree.leaves(after(wide)), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    heard = jax.grad(lambda rule: jnp.sum(jnp.abs(after(rule)[0].weight)))(wide)
    assert np.all(np.any(np.asarray(heard.hidden_out)[:, 3:] != 0, axis=0))
    with pytest.raises(InputError, match="has 3 hidden units already, got 2"):
        widened(made, 2, key=jax.random.key(1))


@pytest.mark.slow
def test_a_narrowed_rule_keeps_the_units_that_say_most_and_all_that_needs_none():
    made = LocalRule.create(key=jax.random.key(0), hidden=6)
    loud = made.hidden_out.at[0, jnp.array([4, 1])].set(5.0)
    made = dataclasses.replace(made, hidden_out=loud)
    found = narrowed(made, 2)
    np.testing.assert_array_equal(found.hidden_out, made.hidden_out[:, jnp.array([1, 4])])
    np.testing.assert_array_equal(found.role_in, made.role_in[jnp.array([1, 4])])
    np.testing.assert_array_equal(found.element_out, made.element_out)
    # Cutting units that say nothing changes nothing.
    wide = widened(made, 8, key=jax.random.key(1))
    assert eqx.tree_equal(narrowed(wide, 6), made)
    with pytest.raises(InputError, match="6 hidden units cannot be cut to 7"):
        narrowed(made, 7)


@pytest.mark.slow
def test_cutting_messages_and_factors_that_weigh_nothing_changes_nothing():
    made = LocalRule.create(key=jax.random.key(0), hidden=3)
    heard = {"element_in": (2, 4), "element_out": (2, 4), "top_element_out": (2, 4)}
    deaf = {name: getattr(made, name).at[:, jnp.array(c)].set(0.0) for name, c in heard.items()}
    deaf["input_out"] = made.input_out.at[:, jnp.array([1, 3])].set(0.0)
    silent = jnp.array([1, 7])  # The second factor after the synapse, and before it.
    deaf["element_out"] = deaf["element_out"].at[silent].set(0.0)
    deaf["hidden_out"] = made.hidden_out.at[silent].set(0.0)
    deaf["offset_out"] = made.offset_out.at[silent].set(0.0)
    made = dataclasses.replace(made, **deaf)
    small = narrowed(made, 3, n_messages=2, n_factors=3)
    assert (small.n_messages, small.n_factors, small.hidden) == (2, 3, 3)
    assert count_parameters(small) < count_parameters(made)
    model, x = init_mlp((9, 7, 5), key=jax.random.key(2)), jax.random.normal(KEY, (12, 9))
    ends = [step(r, model, jnp.zeros(()), x, key=KEY)[0].layers for r in (made, small)]
    for old, new in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


@pytest.mark.slow
def test_cutting_keeps_the_messages_and_factors_that_weigh_most():
    made = LocalRule.create(key=jax.random.key(0), hidden=3)
    loud = made.input_out.at[0, 4].set(9.0)
    made = dataclasses.replace(made, input_out=loud)
    found = narrowed(made, 3, n_messages=1, n_factors=1)
    np.testing.assert_array_equal(found.top_hidden_out, made.top_hidden_out[3:])
    assert found.input_out[0, 1] == 9.0
    factors = jnp.array([0, 4, 5])  # The drive's factor weighs most in a fresh rule.
    np.testing.assert_array_equal(found.offset_out.shape, (2 * 3 + 1,))
    np.testing.assert_array_equal(found.hidden_out[:3], made.hidden_out[factors])
    with pytest.raises(InputError, match="4 messages cannot be cut to 5"):
        narrowed(made, 3, n_messages=5)
    with pytest.raises(InputError, match="4 factors cannot be cut to 0"):
        narrowed(made, 3, n_factors=0)


@pytest.mark.parametrize("name", ["hidden", "n_messages", "n_factors"])
@pytest.mark.parametrize("value", [0, 1.5, None, float("nan")])
def test_a_rule_needs_one_of_each(name, value):
    with pytest.raises(InputError, match=f"{name} must be a positive integer, got {value}"):
        LocalRule.create(key=KEY, **{name: value})


@pytest.mark.slow
@pytest.mark.parametrize("lateral", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "step"])
def test_a_rule_told_the_outputs_does_the_same_until_it_listens(lateral, activation):
    made = LocalRule.create(key=jax.random.key(0), hidden=3, lateral=lateral, settle=9)
    told = told_outputs(made)
    assert told.with_outputs and told.settle == 9 and told_outputs(told) is told
    model = init_mlp((9, 7, 5), key=jax.random.key(2), activation=activation)
    x = jax.random.normal(jax.random.key(3), (12, 9))

    def after(rule, model=model):
        return step(rule, model, jnp.zeros(()), x, key=jax.random.key(0))[0].layers

    for old, new in zip(jax.tree.leaves(after(made)), jax.tree.leaves(after(told)), strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)
    last = told.element_out.shape[1] - 1
    listening = dataclasses.replace(told, element_out=told.element_out.at[:, last].set(1.0))
    other = dataclasses.replace(model, activation="sine")
    heard = after(listening)[1].weight - after(listening, other)[1].weight
    assert jnp.max(jnp.abs(heard)) > 1e-4


def test_all_steps_after_settling_turn_a_field_by_a_bounded_angle():
    restless = LocalRule.create(key=jax.random.key(0))
    settled = LocalRule.create(key=jax.random.key(0), settle=100)
    time = jnp.arange(0.0, 100_000.0)
    slow, fast = (np.asarray(jax.vmap(rule._slowdown)(time)) for rule in (settled, restless))
    factor = slow / fast
    np.testing.assert_allclose(factor[[0, 100, 300]], [1.0, 0.5, 0.1], rtol=1e-5)
    # From 1,000 steps on, all steps together are less than the next sixty are without it.
    assert slow[1000:].sum() < fast[1000:1060].sum()
    for settle in (-1, 2.5):
        with pytest.raises(InputError, match="settle"):
            LocalRule.create(key=jax.random.key(0), settle=settle)


def test_it_is_compact():
    assert count_parameters(LocalRule.create(key=jax.random.key(0))) < 1300


@pytest.mark.parametrize("hidden", [0, -3, 2.5])
def test_bad_width_is_refused(hidden):
    with pytest.raises(InputError, match="hidden"):
        LocalRule.create(key=jax.random.key(0), hidden=hidden)
