"""Task distributions: augmentation, permutation, and what is drawn."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import GaussianMixture, ImageSource
from metaplastic.errors import ConfigurationError, InputError
from metaplastic.tasks import Augmentation, SourceTasks
from metaplastic.tasks.augment import N_STRENGTHS

NONE = jnp.zeros(N_STRENGTHS)
FULL = jnp.ones(N_STRENGTHS)


@pytest.fixture(scope="module")
def blob():
    """A smooth off-centre blob on 16 x 16."""
    y, x = np.mgrid[0:16, 0:16]
    image = np.exp(-((y - 6.0) ** 2) / 6.0 - ((x - 9.0) ** 2) / 10.0)
    return jnp.asarray(image, jnp.float32)[None]


def centre(image):
    """Centre of mass `(y, x)` in units where the image reaches from -1 to 1."""
    image = np.asarray(image, np.float64)
    y, x = (np.linspace(-1, 1, n) for n in image.shape)
    return np.array([(image.sum(1) * y).sum(), (image.sum(0) * x).sum()]) / image.sum()


@eqx.filter_jit
def augmented(augmentation, images, strengths, *, side, key):
    """What a task does, compiled as it is in a task."""
    return augmentation(images, strengths, side=side, key=key)


# Compiled, as in meta-training: one operation at a time would take longer.
sample = eqx.filter_jit(SourceTasks.sample)
unlabelled = eqx.filter_jit(SourceTasks.unlabelled)
labelled = eqx.filter_jit(SourceTasks.labelled)
draw = eqx.filter_jit(SourceTasks.draw)
targets_of = eqx.filter_jit(SourceTasks.targets)


def only(**kept):
    """An augmentation with a single strength."""
    names = (field.name for field in dataclasses.fields(Augmentation))
    zero = dict.fromkeys(names, 0.0)
    return Augmentation(**(zero | kept))


def test_no_strength_changes_nothing(blob):
    out = augmented(Augmentation(), blob, NONE, side=16, key=jax.random.key(0))
    np.testing.assert_allclose(out, blob, atol=1e-5)


@pytest.mark.slow
def test_shade_darkens_parts_of_every_image_within_its_bound():
    white = jnp.full((6, 12, 12), 0.9)
    out = np.asarray(
        augmented(only(shade=1.0), white, NONE.at[9].set(1.0), side=12, key=jax.random.key(0))
    )
    assert out.max() <= 0.9 + 1e-5 and out.min() >= 0.9 * np.exp(-1.0) - 1e-5
    # Light in one place, dark in another, differently in every image, and smoothly.
    assert np.all(np.ptp(out, axis=(1, 2)) > 0.05)
    assert np.abs(out[0] - out[1]).max() > 0.05
    assert np.abs(np.diff(out, axis=1)).max() < 0.3


def test_scaled_strengths_change_images_less_and_leave_the_shade():
    augmentation = Augmentation(shade=1.2)
    assert augmentation.scaled(1.0) == augmentation
    weak = augmentation.scaled(0.25)
    for field in dataclasses.fields(Augmentation):
        share = 1.0 if field.name == "shade" else 0.25
        assert getattr(weak, field.name) == share * getattr(augmentation, field.name)


@pytest.mark.parametrize("factor", [-0.1, float("nan"), float("inf")])
def test_strengths_are_not_multiplied_by_what_is_no_factor(factor):
    with pytest.raises(ConfigurationError, match=rf"multiplied by {factor}; give a number from 0"):
        Augmentation().scaled(factor)


@pytest.mark.slow
@pytest.mark.parametrize("side", [8, 14])
def test_resizing_keeps_the_picture(blob, side):
    out = augmented(Augmentation(), blob, NONE, side=side, key=jax.random.key(0))[0]
    assert out.shape == (side, side)
    np.testing.assert_allclose(centre(out), centre(blob[0]), atol=0.03)
    np.testing.assert_allclose(np.mean(out), np.mean(blob), rtol=0.15)


@pytest.mark.slow
def test_shift_moves_the_centre_within_its_bound(blob):
    many = jnp.tile(blob, (64, 1, 1))
    out = augmented(only(shift=0.1), many, FULL, side=16, key=jax.random.key(0))
    moved = np.array([centre(image) for image in out]) - centre(blob[0])
    # A fraction 0.1 of the side is 0.2 of the coordinates' range.
    assert np.abs(moved).max() < 0.22
    assert np.all(moved.std(0) > 0.05)


@pytest.mark.slow
def test_rotation_keeps_the_distance_from_the_middle(blob):
    many = jnp.tile(blob, (64, 1, 1))
    out = augmented(only(rotation=0.6), many, FULL, side=16, key=jax.random.key(0))
    centres = np.array([centre(image) for image in out])
    np.testing.assert_allclose(
        np.linalg.norm(centres, axis=1), np.linalg.norm(centre(blob[0])), atol=0.03
    )
    angles = np.arctan2(*centres.T) - np.arctan2(*centre(blob[0]))
    assert 0.25 < np.abs(angles).max() < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("strength", ["scale", "shear", "elastic", "contrast", "noise"])
def test_every_strength_acts_and_stays_in_range(blob, strength):
    many = jnp.tile(blob, (8, 1, 1))
    out = augmented(only(**{strength: 0.3}), many, FULL, side=16, key=jax.random.key(0))
    assert np.abs(out - many).max() > 0.02
    assert np.abs(out[0] - out[1]).max() > 0.01
    assert np.min(out) >= 0
    assert np.max(out) <= 1


@pytest.mark.slow
def test_margin_shrinks_all_images_of_a_task_alike(blob):
    many = jnp.tile(blob, (8, 1, 1))
    out = augmented(only(margin=0.4), many, NONE.at[8].set(1.0), side=16, key=jax.random.key(0))
    np.testing.assert_allclose(out, jnp.tile(out[:1], (8, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.mean(out), 0.36 * np.mean(blob), rtol=0.1)


@pytest.mark.slow
def test_thickness_changes_the_amount_of_ink(blob):
    many = jnp.tile(blob, (32, 1, 1))
    out = augmented(only(thickness=0.3), many, FULL, side=16, key=jax.random.key(0))
    ink = np.asarray(out).mean((1, 2))
    assert ink.max() > 1.5 * ink.min()


@pytest.mark.slow
def test_thickness_leaves_paper_without_ink(blob):
    many = jnp.tile(jnp.where(blob > 0.05, blob, 0.0), (64, 1, 1))
    out = augmented(only(thickness=0.3), many, FULL, side=16, key=jax.random.key(0))
    assert float(jnp.max(out[:, :2])) == 0.0


@pytest.mark.slow
def test_tasks_range_from_nearly_plain_to_fully_deformed():
    draw = jax.vmap(lambda key: Augmentation().draw_strengths(key=key))
    largest = np.asarray(draw(jax.random.split(jax.random.key(0), 3000))).max(axis=1)
    assert np.all((largest >= 0.0) & (largest <= 1.0))
    # Nine uniform draws alone would leave none of their largest below 0.3.
    assert np.mean(largest < 0.3) > 0.1
    assert np.mean(largest > 0.85) > 0.3


def test_coefficients_tell_what_was_done(blob):
    many = jnp.tile(blob, (64, 1, 1))
    augmentation, key = only(shift=0.1), jax.random.key(0)
    out = augmented(augmentation, many, FULL, side=16, key=key)
    moved = np.array([centre(image) for image in out])
    told = np.asarray(augmentation.coefficients(64, FULL, key=key))
    assert told.shape == (64, 6)
    assert np.abs(told).max() <= 1.0
    for axis in (0, 1):
        # The sampling grid moves one way, the picture the other.
        assert np.corrcoef(told[:, axis], moved[:, axis])[0, 1] < -0.99
    half = augmentation.coefficients(64, 0.5 * FULL, key=key)
    np.testing.assert_allclose(half, 0.5 * told, atol=1e-6)


@pytest.fixture(scope="module")
def source():
    images = np.random.default_rng(0).integers(0, 255, (40, 6, 6)).astype(np.uint8)
    return ImageSource.create(images, np.repeat(np.arange(8), 5), n_classes=4)


@pytest.mark.slow
def test_permutation_is_the_task_s_own_and_fixed(source):
    tasks = SourceTasks.create(source)
    task, other = (sample(tasks, key=jax.random.key(s)) for s in (0, 1))
    assert sorted(task.permutation.tolist()) == list(range(36))
    assert task.permutation.tolist() != other.permutation.tolist()
    labels = jnp.arange(4)
    unmixed = eqx.tree_at(lambda t: t.permutation, task, jnp.arange(36))
    key = jax.random.key(5)
    plain = np.asarray(draw(tasks, unmixed, labels, key=key))
    np.testing.assert_array_equal(draw(tasks, task, labels, key=key), plain[:, task.permutation])
    straight = SourceTasks.create(source, permute=False).sample(key=jax.random.key(0))
    assert straight.permutation.tolist() == list(range(36))


@pytest.mark.slow
def test_labelled_has_every_class_as_often(source):
    tasks = SourceTasks.create(source, augmentation=Augmentation(), side=5)
    task = sample(tasks, key=jax.random.key(0))
    x, labels = labelled(tasks, task, 3, key=jax.random.key(1))
    assert x.shape == (12, 25)
    assert np.bincount(labels).tolist() == [3, 3, 3, 3]
    assert eqx.filter_eval_shape(tasks.unlabelled, task, 7, key=jax.random.key(2)).shape == (7, 25)


@pytest.mark.slow
def test_targets_belong_to_the_labelled_samples_of_the_same_key(source):
    augmentation = only(rotation=0.5)
    tasks = SourceTasks.create(source, augmentation=augmentation, regress=True)
    task, key = sample(tasks, key=jax.random.key(0)), jax.random.key(1)
    targets = targets_of(tasks, task, 3, key=key)
    assert targets is not None and targets.shape == (12, 6)
    draw_key, augment_key = jax.random.split(key)
    found, labels = labelled(tasks, task, 3, key=jax.random.key(1))
    images = source.draw(task.source, labels, key=draw_key)
    again = augmented(augmentation, images, task.strengths, side=6, key=augment_key)
    again = np.asarray(again).reshape(12, -1)
    np.testing.assert_allclose(found, again[:, task.permutation], atol=1e-5)
    np.testing.assert_array_equal(
        targets, augmentation.coefficients(12, task.strengths, key=augment_key)
    )
    assert SourceTasks.create(source).targets(task, 3, key=key) is None


@pytest.mark.slow
def test_a_pool_of_rows_comes_again_and_again():
    tasks = SourceTasks.create(GaussianMixture(5, 3), rows=(40, 40))
    task, other = (sample(tasks, key=jax.random.key(s)) for s in (0, 1))
    rows = np.concatenate([unlabelled(tasks, task, 10, key=jax.random.key(i)) for i in range(60)])
    assert len(np.unique(rows, axis=0)) == 40
    again = np.asarray(unlabelled(tasks, other, 10, key=jax.random.key(0)))
    assert not np.isin(again, rows).any()
    # Labelled samples are others, however often they are drawn.
    x, _ = labelled(tasks, task, 20, key=jax.random.key(2))
    assert not np.isin(np.asarray(x), rows).any()


@pytest.mark.slow
def test_sizes_of_pools_lie_within_the_bounds():
    tasks = SourceTasks.create(GaussianMixture(5, 3), rows=(20, 2000))
    sizes = np.array([sample(tasks, key=jax.random.key(i)).pool[1] for i in range(40)])
    assert (
        sizes.min() >= 20
        and sizes.max() <= 2000
        and np.mean(sizes < 200) == pytest.approx(0.5, abs=0.3)
    )
    endless = SourceTasks.create(GaussianMixture(5, 3))
    assert sample(endless, key=jax.random.key(0)).pool[1] == 0


def test_what_does_not_fit_is_refused(source):
    with pytest.raises(InputError, match="regress"):
        SourceTasks.create(source, regress=True)
    with pytest.raises(InputError, match="images"):
        SourceTasks.create(GaussianMixture(5, 2), augmentation=Augmentation())
    with pytest.raises(InputError, match="side"):
        SourceTasks.create(source, side=5)
    for rows in ((0, 5), (7, 3), (-1, 4)):
        with pytest.raises(InputError, match="rows must be"):
            SourceTasks.create(source, rows=rows)
