"""Image augmentation on the device, as two one-dimensional resamplings.

A general affine map factors into a shear-and-scale along the rows and one along the columns
(Catmull and Smith 1980), and each is, row by row, a one-dimensional resampling: every output pixel
sums a few neighbours under a tent. A displacement that varies smoothly from row to row gives
elastic deformation by the same means, and the output grid may have any size.
"""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from metaplastic.errors import ConfigurationError
from metaplastic.types import PRNGKey

N_STRENGTHS = 10
_LIMITS_OF_DRAWS = (0, 0, 1, 2, 2, 3)
"""Which strength limits each of the six numbers that a sample draws for its affine map."""


class Augmentation(eqx.Module):
    """Largest strengths of changes to images.

    Each task draws its own fraction of every strength, and each sample draws its own values.
    Lengths are fractions of the image's side, angles are in radians.

    Parameters
    ----------
    shift : float, default=0.08
        Shift.
    rotation : float, default=0.25
        Rotation.
    scale : float, default=0.2
        Change of size.
    shear : float, default=0.3
        Shear.
    elastic : float, default=0.06
        Elastic deformation.
    contrast : float, default=0.6
        Change of contrast.
    thickness : float, default=0.25
        Change of the thickness of strokes.
    noise : float, default=0.15
        Noise of pixels.
    margin : float, default=0.35
        Shrinking of all images of a task alike, since real images have borders that are nearly
        always empty.
    shade : float, default=0.0
        Smooth darkening of parts of an image, to `exp(-shade)` of their value.
    """

    shift: float = eqx.field(static=True, default=0.08)
    rotation: float = eqx.field(static=True, default=0.25)
    scale: float = eqx.field(static=True, default=0.2)
    shear: float = eqx.field(static=True, default=0.3)
    elastic: float = eqx.field(static=True, default=0.06)
    contrast: float = eqx.field(static=True, default=0.6)
    thickness: float = eqx.field(static=True, default=0.25)
    noise: float = eqx.field(static=True, default=0.15)
    margin: float = eqx.field(static=True, default=0.35)
    shade: float = eqx.field(static=True, default=0.0)

    def scaled(self, factor: float) -> "Augmentation":
        """The same with every strength but `shade` multiplied by `factor`: plainer below 1.

        Raises
        ------
        ConfigurationError
            If the factor is negative or not finite.
        """
        if not (math.isfinite(factor) and factor >= 0):
            raise ConfigurationError(
                f"strengths of augmentation are multiplied by {factor}; give a "
                "number from 0, where 1 is as they are"
            )
        names = [field.name for field in dataclasses.fields(self) if field.name != "shade"]
        return dataclasses.replace(self, **{n: factor * getattr(self, n) for n in names})

    def draw_strengths(self, *, key: PRNGKey) -> Float[Array, " strength"]:
        """Fractions in [0, 1] of the strengths above, fixed along one task.

        A common factor, 1 for a third of the tasks, makes tasks that are nearly plain as frequent
        as strongly deformed ones.
        """
        overall_key, key = jax.random.split(key)
        overall = jnp.minimum(1.5 * jax.random.uniform(overall_key, ()), 1.0)
        return overall * jax.random.uniform(key, (N_STRENGTHS,))

    def __call__(
        self,
        images: Float[Array, "sample height width"],
        strengths: Float[Array, " strength"],
        *,
        side: int,
        key: PRNGKey,
    ) -> Float[Array, "sample side side"]:
        """Deformed, re-inked and noisy images in [0, 1] on a grid of `side x side`."""
        warp_key, ink_key, noise_key = jax.random.split(key, 3)
        n = images.shape[0]
        limits = jnp.array(
            [self.shift, self.rotation, self.scale, self.shear, self.elastic, self.contrast]
        )
        s = strengths[:6] * limits
        shift_y, shift_x, angle, size, aspect, slant = _affine_draws(n, key=warp_key).T
        angle, slant = s[1] * angle, s[3] * slant
        fill = 1.0 - self.margin * strengths[8]
        grow_x = fill * jnp.exp(s[2] * (size + 0.5 * aspect))
        grow_y = fill * jnp.exp(s[2] * (size - 0.5 * aspect))
        # The inverse map [[a, b], [c, d]] of (y, x), then its two one-dimensional passes.
        a, b = jnp.cos(angle) / grow_y, -jnp.sin(angle) / grow_y
        c = (jnp.sin(angle) + slant * jnp.cos(angle)) / grow_x
        d = (jnp.cos(angle) - slant * jnp.sin(angle)) / grow_x
        wave_x, wave_y = _waves(n, side, images.shape[1], s[4], key=jax.random.fold_in(warp_key, 1))
        # Pass 1 resamples along x for every input row y: x_in = (c / a) y + (d - b c / a) x_out.
        out = _resample(images, c / a, d - b * c / a, s[0] * shift_x, wave_x, side)
        # Pass 2 along y for every output column x: y_in = b x + a y_out.
        out = jnp.swapaxes(out, 1, 2)
        out = _resample(out, b, a, s[0] * shift_y, wave_y, side)
        out = jnp.swapaxes(out, 1, 2)
        return self._ink(out, strengths, ink_key, noise_key)

    def coefficients(
        self, n: int, strengths: Float[Array, " strength"], *, key: PRNGKey
    ) -> Float[Array, "sample 6"]:
        """What a call with the same key does to each of `n` images, in [-1, 1].

        Columns: vertical and horizontal shift, rotation, size, aspect and slant, each as a
        fraction of its limit.
        """
        draws = _affine_draws(n, key=jax.random.split(key, 3)[0])
        return draws * strengths[jnp.array(_LIMITS_OF_DRAWS)]

    def _ink(
        self,
        images: Float[Array, "sample side side"],
        strengths: Float[Array, " strength"],
        ink_key: PRNGKey,
        noise_key: PRNGKey,
    ) -> Float[Array, "sample side side"]:
        n, side = images.shape[:2]
        u = jax.random.uniform(ink_key, (n, 3, 1, 1), minval=-1.0, maxval=1.0)
        # Moving the threshold of a sharpened edge makes strokes thicker or thinner; paper stays
        # without ink.
        low = jnp.maximum(0.2 + self.thickness * strengths[6] * u[:, 0], 0.0)
        sharp = jnp.clip((images - low) / 0.6, 0.0, 1.0)
        images = jnp.where(strengths[6] > 0.3, sharp, images)
        images = images * (1.0 - self.contrast * strengths[5] * 0.5 * (1.0 + u[:, 1]))
        if self.shade > 0:
            images = images * jnp.exp(-self.shade * strengths[9] * _shadows(n, side, key=ink_key))
        noise = jax.random.normal(noise_key, images.shape)
        return jnp.clip(images + self.noise * strengths[7] ** 2 * noise, 0.0, 1.0)


def _affine_draws(n: int, *, key: PRNGKey) -> Float[Array, "sample 6"]:
    """Shifts (y, x), angle, size, aspect and slant before they are scaled."""
    return jax.random.uniform(key, (n, 6), minval=-1.0, maxval=1.0)


def _shadows(n: int, side: int, *, key: PRNGKey) -> Float[Array, "sample side side"]:
    """One smooth wave over each image, in a random direction, from 0 (light) to 1 (dark)."""
    draws = jax.random.uniform(jax.random.fold_in(key, 1), (n, 3), minval=-1.0, maxval=1.0)
    at = jnp.linspace(-1.0, 1.0, side)
    down, across, phase = jnp.pi * draws[:, :, None, None].swapaxes(0, 1)
    return 0.5 * (1.0 + jnp.sin(down * at[:, None] + across * at + phase))


def _waves(
    n: int, side: int, height: int, strength: Float[Array, ""], *, key: PRNGKey
) -> tuple[Float[Array, "sample height"], Float[Array, "sample side"]]:
    """Smooth displacements along the two axes: sums of two random sines per sample."""
    amplitude, phase = jnp.split(jax.random.uniform(key, (2 * n, 4), minval=-1.0, maxval=1.0), 2)

    def wave(columns: slice, points: int) -> Float[Array, "sample point"]:
        at = jnp.linspace(-1.0, 1.0, points)
        frequency = jnp.array([2.0, 4.0])
        angle = frequency[:, None] * at + jnp.pi * phase[:, columns, None]
        return strength * jnp.sum(amplitude[:, columns, None] * jnp.sin(angle), axis=1)

    return wave(slice(0, 2), height), wave(slice(2, 4), side)


def _resample(
    images: Float[Array, "sample row width"],
    across: Float[Array, " sample"],
    along: Float[Array, " sample"],
    shift: Float[Array, " sample"],
    wave: Float[Array, "sample row"],
    side: int,
) -> Float[Array, "sample row side"]:
    """Resample each row at `across * row + along * position + shift + wave(row)`; coordinates run
    from -1 to 1; zero outside. Tents widen when the grid gets coarser, to average."""
    _, rows, width = images.shape
    row = jnp.linspace(-1.0, 1.0, rows)
    position = jnp.linspace(-1.0, 1.0, side)
    start = across[:, None] * row + 2.0 * shift[:, None] + 2.0 * wave
    wanted = start[:, :, None] + along[:, None, None] * position
    pixel = (wanted + 1.0) * (0.5 * (width - 1))
    reach = max(1.0, (width - 1) / (side - 1))
    # Over all pixels, of which a few count: vectors of products are faster on CPUs than gathers.
    out = jnp.zeros(pixel.shape)
    for index in range(width):
        tent = jnp.maximum(0.0, 1.0 - jnp.abs(pixel - index) / reach)
        out = out + tent * images[:, :, index : index + 1]
    return out / reach
