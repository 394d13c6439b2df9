"""What tells pictures from tables and from words that are there or not."""

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.models import PictureSettings
from metaplastic.models.pictures import likeness_of

SEEN = PictureSettings(least_columns=16, share=0.4, likeness=0.45)


def blots(seed: int) -> np.ndarray:
    """Round blots on 6x6 fields, in an order of pixels drawn at random."""
    generator = np.random.default_rng(seed)
    centres = generator.uniform(0, 5, size=(200, 2))
    pixels = np.stack(np.meshgrid(range(6), range(6)), axis=-1).reshape(-1, 2)
    squared = np.square(pixels - centres[:, None]).sum(-1)
    return np.exp(-squared / 4)[:, generator.permutation(36)].astype(np.float32)


def test_pictures_have_pixels_that_are_like_others():
    gray, black = blots(0), (blots(1) > 0.3).astype(np.float32)
    words = (np.random.default_rng(2).random((200, 36)) < 0.3).astype(np.float32)
    for rows in (gray, 255 * gray, black):
        assert SEEN.seen_in(rows) and likeness_of(rows) > 0.5
    assert SEEN.pixels(words) == 1.0 and not SEEN.seen_in(words)
    assert likeness_of(words) < 0.4
    assert not SEEN.seen_in(gray[:, :15])


def test_rare_columns_do_not_count_as_alike():
    words = np.zeros((200, 40), np.float32)
    words[7, 10:] = 1.0
    words[:, :10] = np.random.default_rng(3).random((200, 10)) < 0.4
    assert likeness_of(words) < 0.4
    assert likeness_of(np.ones((30, 20), np.float32)) == 0.0


@pytest.mark.parametrize("likeness", [-0.1, 1.5, float("nan")])
def test_a_likeness_that_is_none_is_refused(likeness):
    with pytest.raises(InputError, match="likeness must be from 0 to 1"):
        PictureSettings(likeness=likeness)
