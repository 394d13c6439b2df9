"""`metaplastic info`: versions, devices, and what is installed."""

import argparse

from metaplastic.cli.options import Command, add_json, print_result

PACKAGES = ("metaplastic", "jax", "jaxlib", "equinox", "optax", "numpy", "scikit-learn")
EXTRAS = {
    "anndata": ("h5py",),
    "arff": ("arff",),
    "glyphs": ("freetype", "PIL"),
    "data": ("mlxtend",),
    "fcs": ("flowio",),
    "hdf5": ("h5py",),
    "hub": ("datasets", "pandas"),
    "images": ("PIL",),
    "label": ("PIL", "starlette", "uvicorn"),
    "neighbours": ("faiss",),
    "onnx": ("onnx",),
    "parquet": ("pyarrow",),
    "ray": ("ray",),
    "report": ("matplotlib",),
    "tensorboard": ("tensorboardX",),
}


def _run(args: argparse.Namespace) -> int:
    print_result(_collect(), as_json=args.json)
    return 0


def _collect() -> dict[str, object]:
    import os
    import platform
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    import jax

    from metaplastic.data.cache import cache_dir
    from metaplastic.rules.catalog import list_rules

    def installed(package: str) -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            return "not installed"

    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": {package: installed(package) for package in PACKAGES},
        "devices": {str(device): device.device_kind for device in jax.devices()},
        "extras": {
            name: "installed" if all(map(find_spec, modules)) else "not installed"
            for name, modules in EXTRAS.items()
        },
        "rules": ", ".join(list_rules()),
        "data folder": str(cache_dir()),
    }


COMMAND = Command(
    "info",
    "versions, devices and installed extras",
    "Show versions, the devices that JAX sees, the installed extras and where built data are kept.",
    ("metaplastic info", "metaplastic info --json"),
    add_json,
    _run,
)
