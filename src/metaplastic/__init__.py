"""metaplastic: meta-learned local update rules that make features from unlabelled data.

```python
import metaplastic

metaplastic.list_rules()
features = metaplastic.RuleTransformer().fit_transform(x)
```

JAX and scikit-learn are imported only when something that needs them is used.
"""

from typing import TYPE_CHECKING

from metaplastic.lazy import lazy

if TYPE_CHECKING:
    from metaplastic.presets import load_preset, save_preset
    from metaplastic.rules import list_rules, load_rule, save_rule
    from metaplastic.sklearn import FewShotClassifier, RuleTransformer

__version__ = "0.1.0"

__all__ = [
    "FewShotClassifier",
    "RuleTransformer",
    "__version__",
    "list_rules",
    "load_preset",
    "load_rule",
    "save_preset",
    "save_rule",
]

__getattr__ = lazy(
    __name__,
    {
        "presets": ("load_preset", "save_preset"),
        "rules": ("list_rules", "load_rule", "save_rule"),
        "sklearn": ("FewShotClassifier", "RuleTransformer"),
    },
)


def __dir__() -> list[str]:
    return sorted(__all__)
