"""Drawn things: characters of a pen and toned silhouettes, drawn anew for every sample.

Letters of fonts vary from face to face. Handwriting varies as a pen moves, one stroke against
another, and things as light falls on them; a rule that has met fonts alone need not know either
(study 015). Every task has classes of its own, every sample is drawn on the device.
Points are (y, x) in a plane whose square from -1.2 to 1.2 is the image.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from metaplastic.data.sources import AbstractSource, SourceTask
from metaplastic.errors import InputError
from metaplastic.types import PRNGKey

_STROKES, _KNOTS, _PIECES = 3, 5, 12
"""Most strokes of a character, knots of a stroke, straight pieces that it is drawn with."""

_EDGE = 1.2
_FAR = 9.0
"""Where points of missing strokes are: outside of every image."""


class AbstractDrawing(AbstractSource):
    """Sources of grey images `(side, side)` in [0, 1]."""

    side: int = eqx.field(static=True)
    n_classes: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        if self.side < 4 or self.n_classes < 2:
            raise InputError(
                "drawings need a side of at least 4 pixels and 2 classes, got "
                f"{self.side} and {self.n_classes}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        return (self.side, self.side)

    @property
    def _pixel(self) -> float:
        return 2.0 * _EDGE / self.side


class PenStrokes(AbstractDrawing):
    """Characters of one to three strokes of a pen.

    A task draws a few strokes (cubic B-splines) and an alphabet. Every character of the alphabet
    puts some of the strokes at places of its own. Characters share parts, and only the combination
    tells them apart. Every character has two forms. A sample moves the knots of its strokes and
    each stroke as a whole, scales and slants the character, and inks it with a pen of its own
    width. The task draws how much of each.

    Parameters
    ----------
    side
        Side of an image in pixels.
    n_classes
        Number of characters.
    """

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 7)
        c = self.n_classes
        bank = _stroke_bank(max(8, c // 2), *keys[:3])
        which_key, place_key, count_key = jax.random.split(keys[3], 3)
        which = jax.random.randint(which_key, (c, _STROKES), 0, len(bank))
        places = 0.4 * jax.random.normal(place_key, (c, _STROKES, 1, 2))
        there = jnp.arange(_STROKES) < jax.random.randint(count_key, (c, 1), 1, _STROKES + 1)
        character = bank[which] + places
        own = 0.15 * jax.random.normal(keys[4], (c, 2, *character.shape[1:]))
        forms = _boxed(character[:, None] + own, there[:, None])
        most = jnp.array([0.15, 0.12, 0.25, 0.5])
        moves = jax.random.uniform(keys[5], (4,), minval=0.02, maxval=most)
        least, most = jnp.array([0.05, 0.0]), jnp.array([0.14, 0.4])
        pen = jax.random.uniform(keys[6], (2,), minval=least, maxval=most)
        return forms, there, moves, pen

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample side side"]:
        forms, there, moves, pen = task
        n = labels.shape[0]
        form_key, knot_key, stroke_key, scale_key, slant_key, pen_key = jax.random.split(key, 6)
        form = jax.random.bernoulli(form_key, 0.3, (n,)).astype(jnp.int32)
        knots = forms[labels, form]
        knots = knots + moves[0] * jax.random.normal(knot_key, knots.shape)
        knots = knots + moves[1] * jax.random.normal(stroke_key, (n, _STROKES, 1, 2))
        knots = knots * jnp.exp(moves[2] * jax.random.normal(scale_key, (n, 1, 1, 2)))
        slant = moves[3] * jax.random.normal(slant_key, (n, 1, 1))
        knots = jnp.stack([knots[..., 0], knots[..., 1] + slant * knots[..., 0]], axis=-1)
        knots = _boxed(knots, there[labels])
        points = jnp.einsum("pk,nskd->nspd", _SPLINE, knots)
        points = jnp.where(there[labels][:, :, None, None], points, _FAR)
        width = pen[0] * jnp.exp(pen[1] * jax.random.normal(pen_key, (n,)))
        grid = _EDGE * jnp.linspace(-1.0, 1.0, self.side)
        image = jnp.broadcast_to(grid, (n, self.side, self.side))
        far = _distance(points, jnp.swapaxes(image, 1, 2), image)
        return jnp.clip(0.5 + (width[:, None, None] - far) / self._pixel, 0.0, 1.0)


class Silhouettes(AbstractDrawing):
    """Filled things with limbs, toned and striped.

    Things are three thick strokes that overlap, mirrored or not. The classes of a task descend from
    a few ancestors. Some are therefore as alike as coats and pullovers: outline and proportions
    tell them apart, and tone hardly does. A sample moves knots and strokes, scales the thing, and
    has a tone, a gradient and stripes of its own.

    Parameters
    ----------
    side
        Side of an image in pixels.
    n_classes
        Number of things.
    """

    def draw_task(self, *, key: PRNGKey) -> SourceTask:
        keys = jax.random.split(key, 9)
        c = self.n_classes
        n_ancestors = max(4, c // 4)
        shape = (n_ancestors, _STROKES, _KNOTS, 2)
        ancestors = jax.random.uniform(keys[0], shape, minval=-1.0, maxval=1.0)
        along = jnp.linspace(0.0, 1.0, _KNOTS)[:, None]
        line = ancestors[:, :, :1] + along * (ancestors[:, :, -1:] - ancestors[:, :, :1])
        ancestors = line + 0.3 * (ancestors - line)
        of = jax.random.randint(keys[1], (c,), 0, n_ancestors)
        apart = jax.random.uniform(keys[2], (3,), minval=0.05, maxval=0.25)
        forms = ancestors[of]
        forms = forms + apart[0] * jax.random.normal(keys[3], (c, _STROKES, 1, 2))
        forms = forms + 0.5 * apart[1] * jax.random.normal(keys[4], forms.shape)
        fat = jax.random.uniform(keys[5], (n_ancestors, _STROKES), minval=0.15, maxval=0.6)[of]
        fat = fat * jnp.exp(apart[2] * jax.random.normal(keys[6], fat.shape))
        mirrored = jax.random.bernoulli(keys[7], 0.6, (n_ancestors,))[of]
        most = jnp.array([0.15, 0.12, 0.25, 0.7, 0.9, 0.8])
        looks = jax.random.uniform(keys[8], (6,), minval=0.05, maxval=most)
        tone_key = jax.random.fold_in(keys[8], 1)
        tone = jax.random.uniform(tone_key, (c, _STROKES), minval=0.3, maxval=1.0)
        return forms, fat, mirrored, tone, looks

    def draw(
        self, task: SourceTask, labels: Int[Array, " sample"], *, key: PRNGKey
    ) -> Float[Array, "sample side side"]:
        forms, fat, mirrored, tone, looks = task
        n = labels.shape[0]
        keys = jax.random.split(key, 7)
        knots = forms[labels]
        knots = knots + looks[0] * jax.random.normal(keys[0], (n, _STROKES, 1, 2))
        knots = knots + looks[1] * jax.random.normal(keys[1], knots.shape)
        knots = knots * jnp.exp(looks[2] * jax.random.normal(keys[2], (n, 1, 1, 2)))
        width = fat[labels] * jnp.exp(looks[2] * jax.random.normal(keys[3], (n, _STROKES)))
        points = jnp.einsum("pk,nskd->nspd", _SPLINE[::2], knots)
        grid = jnp.linspace(-_EDGE, _EDGE, self.side)
        x = jnp.broadcast_to(grid, (n, self.side, self.side))
        y = jnp.swapaxes(x, 1, 2)
        folded = jnp.where(mirrored[labels][:, None, None], jnp.abs(x), x)
        far = jax.vmap(_distance, (1, None, None), 1)(points[:, :, None], y, folded)
        inside = jnp.clip(0.5 + (width[:, :, None, None] - far) / self._pixel, 0.0, 1.0)
        tones = tone[labels] * jnp.exp(looks[3] * jax.random.normal(keys[4], (n, 1)))
        image = jnp.max(inside * tones[:, :, None, None], axis=1)
        wave = jax.random.normal(keys[5], (n, 2, 1, 1)) * jnp.array([6.0, 3.0])[:, None, None]
        phase, depth = jax.random.uniform(keys[6], (2, n, 1, 1))
        stripe = jnp.sin(wave[:, 0] * y + wave[:, 1] * x + 6.3 * phase)
        stripes = 1.0 - looks[4] * depth * (0.5 + 0.5 * stripe)
        shade = 1.0 + looks[5] * (phase - 0.5) * x
        return jnp.clip(image * stripes * shade, 0.0, 1.0)


def _stroke_bank(
    n: int, loop_key: PRNGKey, size_key: PRNGKey, curl_key: PRNGKey
) -> Float[Array, "stroke knot 2"]:
    """Knots of `n` strokes: long and short, straight ones and loops."""
    loops = jax.random.uniform(loop_key, (n, _KNOTS, 2), minval=-1.0, maxval=1.0)
    size = jax.random.uniform(size_key, (n, 1, 2), minval=0.3, maxval=1.3)
    lines = jnp.linspace(-1.0, 1.0, _KNOTS)[:, None] * (loops[:, :1] - loops[:, -1:]) / 1.4
    curled = jax.random.uniform(curl_key, (n, 1, 1))
    return size * (curled * loops + (1.0 - curled) * lines)


def _boxed(
    knots: Float[Array, "*#batch stroke knot 2"], there: Bool[Array, "*#batch stroke"]
) -> Float[Array, "*#batch stroke knot 2"]:
    """Characters moved to the middle and scaled to a box."""
    seen = there[..., None, None]
    high = jnp.max(jnp.where(seen, knots, -jnp.inf), axis=(-3, -2), keepdims=True)
    low = jnp.min(jnp.where(seen, knots, jnp.inf), axis=(-3, -2), keepdims=True)
    reach = jnp.max(high - low, axis=-1, keepdims=True) / 2.0
    return (knots - (high + low) / 2.0) / (reach + 0.1)


def _spline() -> NDArray[np.float32]:
    """Weights `(point, knot)` of the knots at the points of a clamped uniform cubic B-spline."""
    t = np.linspace(0.0, 1.0, _PIECES + 1) * (_KNOTS + 1)
    first = np.minimum(t.astype(int), _KNOTS)
    u = t - first
    basis = np.stack(
        [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, 3 * (u + u**2 - u**3) + 1, u**3], axis=1
    )
    # The ends are held by repeating the outermost knots.
    knot = np.clip(np.arange(_KNOTS + 4) - 2, 0, _KNOTS - 1)
    weights = np.zeros((len(t), _KNOTS))
    for k in range(4):
        np.add.at(weights, (np.arange(len(t)), knot[first + k]), basis[:, k] / 6.0)
    return weights.astype(np.float32)


_SPLINE = _spline()


def _distance(
    points: Float[Array, "sample stroke point 2"],
    y: Float[Array, "sample side side"],
    x: Float[Array, "sample side side"],
) -> Float[Array, "sample side side"]:
    """Of every pixel from the nearest straight piece of any stroke."""
    n, strokes, count, _ = points.shape
    start = points[:, :, :-1]
    way = points[:, :, 1:] - start

    def nearer(best: Array, piece: Float[Array, "4 sample"]) -> tuple[Array, None]:
        ay, ax, by, bx = piece[:, :, None, None]
        dy, dx = y - ay, x - ax
        along = jnp.clip((dy * by + dx * bx) / (by**2 + bx**2 + 1e-6), 0.0, 1.0)
        return jnp.minimum(best, (dy - along * by) ** 2 + (dx - along * bx) ** 2), None

    pieces = jnp.concatenate([start, way], axis=-1).reshape(n, strokes * (count - 1), 4)
    best = jnp.full(y.shape, jnp.inf)
    return jnp.sqrt(jax.lax.scan(nearer, best, jnp.transpose(pieces, (1, 2, 0)))[0])
