"""Fresh networks by NumPy, with the weights that JAX's generator gives for the same seed.

A seed then means the same network whoever trains it, and nothing is compiled to draw one.
"""

import numpy as np
from jaxtyping import Float, UInt32
from numpy.typing import NDArray
from scipy.special import erfinv

from metaplastic.models.mlp import MLP, Layer, Readout
from metaplastic.models.presentation import Presentation

Key = UInt32[np.ndarray, " 2"]
"""What `jax.random.key_data` has of a key of JAX's default generator."""

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def seed_key(seed: int) -> Key:
    """The key of a seed, as `jax.random.key` makes it.

    Parameters
    ----------
    seed : int
        From 0 to 2^32 - 1.

    Returns
    -------
    array (2,) of uint32
        The key's data.
    """
    return np.array([0, seed], np.uint32)


def split_key(key: Key, count: int) -> UInt32[np.ndarray, "count 2"]:
    """New keys, as `jax.random.split` makes them.

    Parameters
    ----------
    key : array (2,) of uint32
        A key.
    count : int
        How many.

    Returns
    -------
    array (count, 2) of uint32
        The keys.
    """
    return np.stack(_counted(key, count), axis=1)


def folded_key(key: Key, number: int) -> Key:
    """The key for a number, as `jax.random.fold_in` makes it.

    Parameters
    ----------
    key : array (2,) of uint32
        A key.
    number : int
        From 0 to 2^32 - 1.

    Returns
    -------
    array (2,) of uint32
        The key.
    """
    return np.concatenate(_threefry(key, *np.array([[0], [number]], np.uint32)))


def draw_normal(key: Key, shape: tuple[int, ...]) -> Float[np.ndarray, "..."]:
    """Normal numbers of `shape` in float32: those of `jax.random.normal`, but for rounding."""
    count = int(np.prod(shape))
    high, low = _counted(key, count)
    # The upper bits become a number in [1, 2) by its mantissa.
    unit = ((high ^ low) >> np.uint32(9) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    least = np.nextafter(np.float32(-1), np.float32(0))
    uniform = np.maximum(unit * (np.float32(1) - least) + least, least)
    return (np.float32(np.sqrt(2.0)) * erfinv(uniform)).reshape(shape)


def draw_mlp(
    sizes: tuple[int, ...],
    key: Key,
    *,
    activation: str,
    readout: Readout,
    presentation: Presentation,
) -> MLP:
    """The network of `init_mlp` with initialisation `unit_norm`, in NumPy's arrays.

    Parameters
    ----------
    sizes : tuple of int
        Units per layer, inputs first.
    key : array (2,) of uint32
        Key of the initial weights.
    activation : str
        A name of `ACTIVATIONS`.
    readout : Readout
        Whether features are the top layer's `drive` or `post`.
    presentation : Presentation
        Presentation of raw inputs.

    Returns
    -------
    MLP
        The network.
    """
    keys = split_key(key, len(sizes) - 1)
    layers = tuple(_layer(*each) for each in zip(sizes[:-1], sizes[1:], keys, strict=True))
    return MLP(layers, presentation, activation, readout)


def _layer(pre: int, post: int, key: Key) -> Layer:
    forward, feedback = (draw_normal(own, (pre, post)) for own in split_key(key, 2))
    forward /= np.sqrt(np.sum(np.square(forward), axis=0) + 1e-12)
    feedback /= np.sqrt(np.sum(np.square(feedback), axis=1, keepdims=True) + 1e-12)
    return Layer(forward, np.zeros(post, np.float32), feedback)


def _counted(key: Key, count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Two random words for each of the numbers 0 to `count - 1`."""
    return _threefry(key, np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32))


def _threefry(
    key: Key, first: NDArray[np.uint32], second: NDArray[np.uint32]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2,
    3"), the generator behind `jax.random`."""
    parts = key[0], key[1], key[0] ^ key[1] ^ PARITY
    first, second = first + parts[0], second + parts[1]
    for block in range(5):
        for turn in ROTATIONS[block % 2]:
            first = first + second
            second = (second << np.uint32(turn) | second >> np.uint32(32 - turn)) ^ first
        first = first + parts[(block + 1) % 3]
        second = second + parts[(block + 2) % 3] + np.uint32(block + 1)
    return first, second
