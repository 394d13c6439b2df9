"""Architectures and the tasks they are trained on: what the recipes for `base` are made of."""

import dataclasses

WRITINGS = "writings"
"""Source of bags of words of real texts."""

TEXTS = "texts"
"""Source of the same, prepared as at use; `features` are components of `N_WORDS` words."""

GLOSSES = "glosses"
"""Source of embeddings of short texts, prepared as at use; `features` are components."""

N_WORDS = 1000


@dataclasses.dataclass(frozen=True)
class Shape:
    """One architecture and the tasks it is trained on.

    `source` is `glyphs`, `pictures`, `strokes` or `silhouettes` (then `features` is the side of the
    image), `writings`, `texts`, `glosses` or a synthetic family (then it is the number of columns).
    `shots` left at 0 are the recipe's; `queries` are those of `RuleProblem`. With `direct` the
    readout of the meta-loss sees inputs beside the learned features, if the recipe has direct
    features at all.
    """

    name: str
    source: str
    features: int
    widths: tuple[int, ...]
    batch_size: int
    n_classes: int
    n_tasks: int
    activation: str = "relu"
    shots: int = 0
    direct: bool = True
    queries: int = 0


BASE_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 50, 1, direct=False),
    Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 40, 1, direct=False),
    Shape("glyphs8-2", "glyphs", 8, (64, 64), 64, 40, 1, direct=False),
    Shape("glyphs12-5", "glyphs", 12, (48, 48, 48, 48, 32), 48, 20, 1, "leaky_relu", direct=False),
    Shape("pictures10-2", "pictures", 10, (64, 64), 64, 80, 1, shots=3, direct=False),
    Shape("writings1000-3", "writings", 1000, (64, 64, 64), 64, 2, 1, shots=20),
    Shape("writings400-2", "writings", 400, (96, 48), 48, 6, 1, shots=10),
    Shape("topics1000-3", "topics", 1000, (64, 64, 64), 64, 4, 1, shots=20),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 1, shots=10),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 8, 1),
)

BROAD_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 50, 1, direct=False),
    Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 40, 1, direct=False),
    Shape("glyphs14-2", "glyphs", 14, (512, 256), 64, 40, 1, shots=1, direct=False),
    Shape("glyphs12-6", "glyphs", 12, (48,) * 5 + (32,), 48, 20, 1, "leaky_relu", direct=False),
    Shape("glyphs10-3", "glyphs", 10, (64, 64, 64), 64, 30, 1, "step", direct=False),
    Shape("glyphs8-2", "glyphs", 8, (64, 64), 64, 40, 1, "tanh", direct=False),
    Shape("pictures10-2", "pictures", 10, (64, 64), 64, 80, 1, shots=3, direct=False),
    Shape("writings1000-3", "writings", 1000, (64, 64, 64), 64, 2, 1, shots=50, direct=False),
    Shape("writings400-2", "writings", 400, (96, 48), 48, 6, 1, shots=10, direct=False),
    Shape("topics1024-3", "topics", 1024, (64, 64, 64), 64, 4, 1, "sine", shots=20),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 2, shots=10),
    Shape("table8-1", "table", 8, (16,), 48, 3, 1, shots=10),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 20, 1, "step"),
)
"""Depths of 1 to 6, widths of 16 to 512, 16 to 256 features, 1 to 50 labels a class."""

DRAWN_SHAPES = (
    *BASE_SHAPES[:3],
    Shape("strokes14-3", "strokes", 14, (128, 128, 64), 128, 50, 1, direct=False),
    Shape("strokes12-3", "strokes", 12, (64, 64, 64), 64, 40, 2, direct=False),
    Shape("strokes8-2", "strokes", 8, (64, 64), 64, 40, 2, direct=False),
    Shape(
        "strokes10-5",
        "strokes",
        10,
        (48, 48, 48, 48, 32),
        48,
        20,
        1,
        "leaky_relu",
        direct=False,
    ),
    Shape(
        "silhouettes14-3",
        "silhouettes",
        14,
        (128, 128, 64),
        128,
        20,
        1,
        shots=10,
        direct=False,
    ),
    Shape("silhouettes12-3", "silhouettes", 12, (64,) * 3, 64, 20, 2, shots=10, direct=False),
    Shape("silhouettes8-2", "silhouettes", 8, (64, 64), 64, 20, 1, shots=10, direct=False),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 3, shots=10),
)
"""Drawn things beside letters and tables: the last stages of `base`."""

MIXED_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 50, 24, direct=False),
    Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 40, 24, direct=False),
    Shape("glyphs8-2", "glyphs", 8, (64, 64), 64, 40, 16, direct=False),
    Shape("glyphs12-5", "glyphs", 12, (48,) * 4 + (32,), 48, 20, 16, "leaky_relu", direct=False),
    Shape("glyphs14-3t", "glyphs", 14, (128, 128, 64), 128, 50, 24, "tanh", direct=False),
    Shape("glyphs8-2t", "glyphs", 8, (96, 64), 64, 40, 16, "tanh", direct=False),
    Shape("glyphs10-3", "glyphs", 10, (64, 64, 64), 64, 30, 12, "step", direct=False),
    Shape("glyphs9-3", "glyphs", 9, (64, 64, 64), 64, 30, 12, "sigmoid", direct=False),
    Shape("glyphs11-2", "glyphs", 11, (96, 64), 64, 30, 12, "sine", direct=False),
    Shape("pictures10-2", "pictures", 10, (64, 64), 64, 80, 16, shots=3, direct=False),
    Shape("writings1000-3", "writings", 1000, (64, 64, 64), 64, 2, 16, shots=20),
    Shape("writings400-2", "writings", 400, (96, 48), 48, 6, 16, "tanh", shots=10),
    Shape("topics1000-3", "topics", 1000, (64, 64, 64), 64, 4, 16, shots=20),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 16, shots=10),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 8, 16, "tanh"),
)
"""Those of `base` and others of other nonlinearities, in numbers for a graphics processor."""

TAUGHT_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 50, 1, direct=False),
    Shape("silhouettes10-4", "silhouettes", 10, (48,) * 3 + (32,), 48, 20, 2, "gelu", shots=10),
    Shape("pictures10-2", "pictures", 10, (64, 64), 64, 80, 2, shots=3),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 2, shots=10),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 32, 8, 2, "leaky_relu"),
    Shape("glyphs12-3t", "glyphs", 12, (64, 64, 48), 64, 50, 1, "tanh", direct=False),
    Shape("table24-3t", "table", 24, (96, 96, 48), 96, 4, 2, "tanh", shots=10),
    Shape("manifold100-2t", "manifold", 100, (64, 48), 48, 8, 2, "sine"),
    Shape("writings1000-3", "writings", 1000, (64, 64, 64), 64, 2, 1, shots=20),
    Shape("topics400-2", "topics", 400, (96, 48), 48, 6, 2, "tanh", shots=10),
    Shape("texts256-3", "texts", 256, (128, 128, 64), 128, 4, 1, shots=10),
    Shape("texts256-3t", "texts", 256, (96, 96, 48), 64, 4, 1, "tanh", shots=10),
)
"""All kinds of inputs, depths of 2 to 4, batches of 32 to 128, many nonlinearities: to teach on.
Few, because compiling the two rules of a shape takes half a minute, and a step milliseconds."""

TAUGHT_PUBLISHED = (
    Shape("glyphs14-3", "glyphs", 14, (64, 64, 32), 32, 50, 2, direct=False),
    Shape("silhouettes8-2", "silhouettes", 8, (64, 32), 32, 20, 2, shots=10),
)
"""Those that the published rule and its variant are taught on: images, and 32 units at the top."""

PUBLISHED_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (64, 64, 32), 48, 25, 1, shots=5),
    Shape("strokes14-3", "strokes", 14, (64, 64, 32), 48, 10, 1, shots=10),
    Shape("glyphs8-2", "glyphs", 8, (64, 32), 48, 25, 1, shots=5),
    Shape("silhouettes10-3", "silhouettes", 10, (48, 48, 32), 48, 20, 1, shots=10),
)
"""Those that a taught form of the published rule is meta-trained on."""

READ_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 32, 1, direct=False, queries=10),
    Shape("glyphs16-3", "glyphs", 16, (64, 64, 64), 64, 24, 1, direct=False, queries=15),
    Shape("glyphs8-2", "glyphs", 8, (64, 64), 64, 24, 1, direct=False, queries=15),
    Shape("strokes14-3", "strokes", 14, (128, 128, 64), 128, 32, 1, direct=False, queries=10),
    Shape("strokes12-3", "strokes", 12, (64, 64, 64), 64, 24, 2, direct=False, queries=15),
    Shape("strokes8-2", "strokes", 8, (64, 64), 64, 24, 2, direct=False, queries=15),
    Shape(
        "silhouettes14-3",
        "silhouettes",
        14,
        (128,) * 2 + (64,),
        128,
        16,
        1,
        direct=False,
        queries=25,
    ),
    Shape("silhouettes10-3", "silhouettes", 10, (64,) * 3, 64, 16, 2, direct=False, queries=25),
    Shape("table24-3", "table", 24, (64, 64, 64), 64, 4, 3, queries=75),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 48, 10, 1, queries=35),
)
"""Drawn things, letters, tables and clusters with pools of 300 to 500 rows, over which labels can
spread."""

EMBEDDED_SHAPES = (
    Shape("glosses256-3t", "glosses", 256, (128, 128, 64), 128, 10, 2, "tanh", queries=25),
    Shape("glosses96-2t", "glosses", 96, (64, 64), 64, 12, 2, "tanh", queries=20),
    Shape("texts256-3t", "texts", 256, (96, 96, 48), 64, 4, 1, "tanh", queries=60),
    Shape("table24-3t", "table", 24, (96, 96, 48), 96, 4, 2, "tanh", queries=75),
    Shape("manifold100-2t", "manifold", 100, (64, 48), 48, 10, 1, "tanh", queries=25),
    Shape("glyphs12-3t", "glyphs", 12, (64,) * 3, 64, 24, 1, "tanh", direct=False, queries=10),
)
"""What networks of a bounded nonlinearity meet at use: embeddings first, then texts and tables."""

HEARD_SHAPES = (
    Shape("glyphs14-3", "glyphs", 14, (128, 128, 64), 128, 20, 1, shots=3, queries=15),
    Shape("strokes14-3", "strokes", 14, (128, 128, 64), 128, 10, 1, shots=5, queries=30),
    Shape("strokes12-3", "strokes", 12, (64, 64, 64), 96, 10, 2, shots=1, queries=30),
    Shape("silhouettes12-3", "silhouettes", 12, (64, 64, 64), 96, 10, 2, shots=3, queries=30),
    Shape("manifold100-3", "manifold", 100, (64, 64, 32), 96, 8, 1, shots=3, queries=30),
)
"""For rules that hear labels: one to five known rows a class go with every batch."""
