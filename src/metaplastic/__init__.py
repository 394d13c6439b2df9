"""metaplastic: meta-learned local update rules that make features from unlabelled data.

```python
import metaplastic

metaplastic.list_rules()
features = metaplastic.RuleTransformer().fit_transform(x)
```

JAX and scikit-learn are imported only when something that needs them is used.
"""

import importlib
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "FewShotClassifier": "sklearn",
    "RuleTransformer": "sklearn",
    "list_rules": "rules",
    "load_preset": "presets",
    "load_rule": "rules",
    "save_preset": "presets",
    "save_rule": "rules",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"metaplastic.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
