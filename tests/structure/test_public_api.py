"""The public names. A changed name shows here first, and wants a deprecation and a line of news.

After an intended change: `python tests/structure/test_public_api.py > tests/structure/api.txt`.
"""

import importlib
import pkgutil
from pathlib import Path

import metaplastic

SNAPSHOT = Path(__file__).with_name("api.txt")


def public_names() -> list[str]:
    packages = ["metaplastic"]
    packages += sorted(
        f"metaplastic.{module.name}" for module in pkgutil.iter_modules(metaplastic.__path__)
    )
    names = []
    for package in packages:
        if package.endswith("__main__"):
            continue
        found = importlib.import_module(package)
        names += [f"{package}.{name}" for name in sorted(getattr(found, "__all__", ()))]
    return names


def test_public_names_are_those_of_the_snapshot():
    assert public_names() == SNAPSHOT.read_text().splitlines()


def test_every_public_name_exists_and_is_documented():
    for full in public_names():
        package, _, name = full.rpartition(".")
        value = getattr(importlib.import_module(package), name)
        if callable(value) and getattr(value, "__module__", "").startswith("metaplastic"):
            assert (value.__doc__ or "").strip(), f"{full} has no docstring"


if __name__ == "__main__":
    print("\n".join(public_names()))
