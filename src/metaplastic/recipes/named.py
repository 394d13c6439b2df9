"""The recipes that have a name."""

from metaplastic.meta.train import OuterConfig
from metaplastic.recipes.recipe import Recipe
from metaplastic.recipes.shapes import (
    BASE_SHAPES,
    BROAD_SHAPES,
    DRAWN_SHAPES,
    MIXED_SHAPES,
    TAUGHT_SHAPES,
    TAUGHT_WITH_32_TOPS,
    Shape,
)
from metaplastic.recipes.teaching import Teaching

RECIPES: dict[str, Recipe] = {
    "base": Recipe(
        name="base",
        shapes=BASE_SHAPES,
        outer=OuterConfig(n_updates=3200, learning_rate=3e-3, warmup=60, average=0.99),
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
    ),
    "broad": Recipe(
        name="broad",
        shapes=BROAD_SHAPES,
        outer=OuterConfig(n_updates=1000, learning_rate=1.5e-3, warmup=60, average=0.995),
        start="base",
        shots=5,
        horizons=(10, 600),
        own=(0.1, 0.8),
        shade=1.2,
        rows=(200, 20_000),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "drawn": Recipe(
        name="drawn",
        shapes=DRAWN_SHAPES,
        outer=OuterConfig(n_updates=700, learning_rate=1.5e-3, warmup=20, average=0.98),
        start="base",
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "mixed": Recipe(
        name="mixed",
        shapes=MIXED_SHAPES,
        outer=OuterConfig(n_updates=800, learning_rate=2e-3, warmup=40, average=0.98),
        start="base",
        shots=5,
        horizons=(10, 250),
        hidden=48,
        direct=True,
        settle=100,
        whitening=0.25,
    ),
    "metz2018": Recipe(
        name="metz2018",
        shapes=tuple(
            Shape(f"glyphs{side}-{len(hidden) + 1}", "glyphs", side, (*hidden, 32), 256, 10, 64)
            for side, hidden in (
                (16, (128,)),
                (14, (128,) * 2),
                (16, (256,) * 2),
                (14, (128,) * 3),
                (12, (512, 64)),
                (14, (128,) * 4),
            )
        ),
        outer=OuterConfig(n_updates=200_000, learning_rate=1e-4, warmup=100, average=0.999),
        rule="metz2018",
        truncation=1,
        horizons=(50, 10_000),
        clip=1.0,
        score="published",
        regress=True,
    ),
    "metz2018_small": Recipe(
        name="metz2018_small",
        shapes=(
            Shape("glyphs12-2", "glyphs", 12, (32, 32), 24, 10, 3),
            Shape("glyphs8-3", "glyphs", 8, (32, 32, 32), 24, 10, 3),
        ),
        outer=OuterConfig(n_updates=450, learning_rate=2e-3, warmup=30),
        rule="metz2018",
        inner_rate=0.02,
        horizons=(10, 200),
        score="published",
        regress=True,
    ),
    "taught": Recipe(
        name="taught",
        shapes=TAUGHT_SHAPES,
        outer=OuterConfig(n_updates=4000, learning_rate=3e-3, warmup=20, average=0.99),
        rule="context",
        hidden=8,
        horizons=(20, 200),
        shots=5,
        direct=True,
        settle=100,
        with_outputs=True,
        whitening=0.25,
        teaching=Teaching(teacher="base"),
    ),
    "taught_metz2018": Recipe(
        name="taught_metz2018",
        shapes=TAUGHT_WITH_32_TOPS,
        outer=OuterConfig(n_updates=4000, learning_rate=3e-3, warmup=20, average=0.99),
        rule="metz2018",
        inner_rate=3e-3,
        horizons=(20, 200),
        shots=5,
        teaching=Teaching(teacher="base", feedback=0.0),
    ),
    "images": Recipe(
        name="images",
        shapes=(Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 40, 4),),
        outer=OuterConfig(n_updates=600, learning_rate=5e-3, warmup=30),
        shots=5,
        horizons=(10, 250),
        hidden=48,
    ),
    "small": Recipe(
        name="small",
        shapes=(
            Shape("gaussian-2", "gaussian", 20, (24, 12), 24, 4, 2),
            Shape("manifold-2", "manifold", 40, (24, 12), 24, 4, 2),
        ),
        outer=OuterConfig(n_updates=200, warmup=10),
        horizons=(10, 60),
    ),
}
"""Named recipes; `small` needs no fonts, `images` has letters alone. `metz2018` has the paper's
settings as far as it states them, on glyphs: for many machines (the paper took 512 workers 8 days);
`metz2018_small` runs on a laptop. `broad`, `drawn` and `mixed` start from `base`
(docs/experiments.md)."""
