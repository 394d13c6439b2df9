"""The differentiable ridge against scikit-learn's, and the scores' meaning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from metaplastic.errors import InputError
from metaplastic.objectives import FewShotRidge, ridge


@pytest.mark.parametrize("shape", [(30, 5), (10, 40)], ids=["more samples", "more features"])
@pytest.mark.parametrize("strength", [1e-2, 1.0])
def test_ridge_agrees_with_scikit_learn(shape, strength):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=shape), rng.normal(size=(shape[0], 3))
    expected = Ridge(alpha=strength * shape[0], fit_intercept=False).fit(x, y).coef_.T
    with jax.enable_x64(True):
        found = ridge(jnp.asarray(x), jnp.asarray(y), strength)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def make(separation, n_classes=4, per_class=10, dim=8):
    rng = np.random.default_rng(1)
    centres = separation * rng.normal(size=(n_classes, dim))
    labels = np.tile(np.arange(n_classes), 2 * per_class)
    x = centres[labels] + rng.normal(size=(len(labels), dim))
    half = len(labels) // 2
    x, labels = jnp.asarray(x, jnp.float32), jnp.asarray(labels, jnp.int32)
    return x[:half], labels[:half], x[half:], labels[half:]


@pytest.mark.parametrize("score", ["cosine", "squared"])
def test_loss_falls_from_about_one_to_about_zero_as_classes_separate(score):
    objective = FewShotRidge(strength=1e-2, score=score)
    losses, hits = zip(
        *[
            (float(loss), float(metrics["accuracy"]))
            for loss, metrics in (objective(*make(s), n_classes=4) for s in (0.0, 1.0, 30.0))
        ],
        strict=True,
    )
    assert losses[0] > 0.9
    assert losses[0] > losses[1] > losses[2]
    assert losses[2] < 0.1
    assert hits[0] < 0.6 < hits[2] == 1.0


def test_loss_does_not_depend_on_scale_or_shift_of_features():
    support, a, query, b = make(1.0)
    objective = FewShotRidge()
    plain, _ = objective(support, a, query, b, n_classes=4)
    moved, _ = objective(7.0 * support + 3.0, a, 7.0 * query + 3.0, b, n_classes=4)
    np.testing.assert_allclose(plain, moved, rtol=1e-3)


def published(support, known, query, wanted, strength):
    """The original program's objective, step by step."""

    def centred(y):
        y = y - y.mean()
        return y / np.sqrt((y**2).sum(1).mean())

    known, wanted = centred(known), centred(wanted)
    a = np.concatenate([support, np.ones((len(support), 1))], 1)
    penalty = strength * np.eye(a.shape[1])
    penalty[-1, -1] = 0.0
    w = np.linalg.inv(a.T @ a + penalty) @ a.T @ known
    prediction = query @ w[:-1] + w[-1]
    prediction = prediction / np.sqrt((prediction**2).sum(1, keepdims=True))
    loss = ((prediction - wanted) ** 2).sum() / len(query) + strength * (w[:-1] ** 2).sum() / len(
        query
    )
    return loss, prediction


@pytest.mark.slow
@pytest.mark.parametrize("n_extra", [0, 3])
def test_published_score_agrees_with_the_original_written_out(n_extra):
    support, a, query, b = make(1.0)
    rng = np.random.default_rng(3)
    extra = [rng.uniform(-1, 1, (len(x), n_extra)) for x in (support, query)]
    known, wanted = (
        np.concatenate([np.eye(4)[np.asarray(y)], e], 1) for y, e in zip((a, b), extra, strict=True)
    )
    expected, prediction = published(
        np.asarray(support, float), known, np.asarray(query, float), wanted, 0.1
    )
    with jax.enable_x64(True):
        loss, metrics = FewShotRidge(score="published")(
            support.astype(jnp.float64),
            a,
            query.astype(jnp.float64),
            b,
            n_classes=4,
            extra=(jnp.asarray(extra[0]), jnp.asarray(extra[1])) if n_extra else None,
        )
    np.testing.assert_allclose(float(loss), expected, rtol=1e-8)
    hits = (prediction[:, :4].argmax(1) == np.asarray(b)).mean()
    np.testing.assert_allclose(float(metrics["accuracy"]), hits, atol=1e-6)


@pytest.mark.parametrize("score", ["cosine", "squared", "published"])
def test_extra_targets_that_features_tell_lower_the_loss(score):
    support, a, query, b = make(0.5)
    rng = np.random.default_rng(4)
    told = (support[:, :2], query[:, :2])
    noise = tuple(jnp.asarray(rng.normal(size=t.shape), jnp.float32) for t in told)
    objective = FewShotRidge(score=score)
    losses = [objective(support, a, query, b, n_classes=4, extra=e)[0] for e in (told, noise)]
    assert losses[0] < losses[1]


@pytest.mark.slow
@pytest.mark.parametrize("score", ["cosine", "squared", "published"])
def test_gradient_agrees_with_differences(score):
    with jax.enable_x64(True):
        support, a, query, b = make(1.0)
        support, query = support.astype(jnp.float64), query.astype(jnp.float64)
        objective = FewShotRidge(score=score)

        @jax.jit
        @jax.value_and_grad
        def loss_and_slope(scale):
            return objective(support * scale, a, query * scale, b, n_classes=4)[0]

        scale = jnp.linspace(0.5, 2.0, support.shape[1], dtype=jnp.float64)
        direction = jnp.asarray(np.random.default_rng(2).normal(size=scale.shape))
        slope = jnp.vdot(loss_and_slope(scale)[1], direction)
        step = 1e-6
        above, below = (loss_and_slope(scale + s * direction)[0] for s in (step, -step))
        wanted = (above - below) / (2 * step)
        np.testing.assert_allclose(slope, wanted, rtol=1e-6)


@pytest.mark.parametrize("bad", [{"strength": 0.0}, {"strength": -1.0}, {"score": "hinge"}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(InputError):
        FewShotRidge(**bad)
