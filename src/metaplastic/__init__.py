"""metaplastic: meta-learned local update rules that make features from unlabelled data.

```python
import metaplastic

metaplastic.list_rules()
rule = metaplastic.load_rule("oja")
```

JAX is imported only when something that needs it is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metaplastic.rules.catalog import list_rules, load_rule
    from metaplastic.rules.io import save_rule

__version__ = "0.1.0"

__all__ = ["__version__", "list_rules", "load_rule", "save_rule"]


def __getattr__(name: str) -> Any:
    """Import a public function at its first use (PEP 562)."""
    if name in ("list_rules", "load_rule"):
        from metaplastic.rules import catalog

        return getattr(catalog, name)
    if name == "save_rule":
        from metaplastic.rules.io import save_rule

        return save_rule
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
