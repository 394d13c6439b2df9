"""The architecture, checked: import floors, abstract-or-final classes, names, forbidden words."""

import ast
import importlib
import inspect
import pkgutil
import statistics
import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax
import numpy as np
import pytest

import metaplastic
from metaplastic.models import freeze, init_mlp, save_encoder

ROOT = Path(__file__).parents[2]
MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 60
MEDIAN_LINES_OF_A_FUNCTION = 8
OPTIONAL = {"faiss", "freetype", "matplotlib", "mlxtend", "onnx", "PIL", "pyarrow", "tensorboardX"}


def all_modules() -> list[str]:
    found = pkgutil.walk_packages(metaplastic.__path__, "metaplastic.")
    return sorted(module.name for module in found if not module.name.endswith("__main__"))


def all_module_classes() -> set[type[eqx.Module]]:
    for name in all_modules():
        importlib.import_module(name)
    found, queue = set(), [eqx.Module]
    while queue:
        for cls in queue.pop().__subclasses__():
            if cls not in found:
                found.add(cls)
                queue.append(cls)
    return {cls for cls in found if cls.__module__.startswith("metaplastic.")}


def test_import_contract_is_kept():
    command = str(Path(sys.executable).with_name("lint-imports"))
    done = subprocess.run([command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_every_equinox_class_is_abstract_or_final():
    classes = all_module_classes()
    assert len(classes) > 10
    for cls in classes:
        children = [child for child in classes if cls in child.__bases__]
        abstract_by_name = cls.__name__.lstrip("_").startswith("Abstract")
        assert abstract_by_name or not children, f"{cls} is concrete, but {children} extend it"
        if inspect.isabstract(cls):
            assert abstract_by_name, f"{cls} is abstract, so its name starts with Abstract"


def test_modules_are_short():
    long = {
        str(path.relative_to(ROOT)): count
        for path in (ROOT / "src").rglob("*.py")
        if (count := len(path.read_text().splitlines())) > MOST_LINES_OF_A_FILE
    }
    assert not long


def test_functions_are_short():
    """Lengths count the docstring and the signature."""
    lengths = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": (node.end_lineno or 0)
        - node.lineno
        + 1
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    long = {name: lines for name, lines in lengths.items() if lines > MOST_LINES_OF_A_FUNCTION}
    assert not long
    assert statistics.median(lengths.values()) <= MEDIAN_LINES_OF_A_FUNCTION


HELP = """
import contextlib, runpy, sys
sys.argv = ["metaplastic", "--help"]
with contextlib.suppress(SystemExit):
    runpy.run_module("metaplastic", run_name="__main__")
"""


@pytest.mark.parametrize("start", ["import metaplastic", HELP], ids=["import", "help"])
def test_a_light_start_imports_no_heavy_package(start: str):
    probe = f"import sys\n{start}\nheavy = {{'jax', 'numpy', 'sklearn'}} & set(sys.modules)\n"
    probe += "assert not heavy, heavy"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


USES_OF_AN_ENCODER = {
    "load": "import numpy as np\nfrom metaplastic.models import load_encoder\n"
    "encoder, _ = load_encoder({path!r})\nassert encoder(np.ones((3, 5))).shape == (3, 4)",
    "estimators": "from metaplastic.sklearn import FewShotClassifier, RuleTransformer, suggest",
    "transform": "import sys\nfrom metaplastic.cli.main import main\n"
    "assert not main(['transform', {rows!r}, '--encoder', {path!r}, '--out', {rows!r} + '.npy'])",
    "parts": "from metaplastic.scale.parts import do_part\nimport metaplastic.scale.rows",
    "readings": "from metaplastic.readings.io import load_reading\nimport metaplastic.suggest",
}


@pytest.mark.slow
@pytest.mark.parametrize("use", USES_OF_AN_ENCODER)
def test_encoders_are_used_without_jax(use: str, tmp_path):
    encoder = freeze(init_mlp((5, 4), key=jax.random.key(0)), np.eye(8, 5, dtype=np.float32))
    save_encoder(tmp_path / "encoder.safetensors", encoder, {})
    np.savetxt(tmp_path / "rows.csv", np.ones((3, 5)), delimiter=",")
    names = {"path": str(tmp_path / "encoder.safetensors"), "rows": str(tmp_path / "rows.csv")}
    probe = USES_OF_AN_ENCODER[use].format(**names)
    probe += "\nimport sys\nassert not {'jax', 'equinox'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_importing_everything_needs_no_optional_package():
    # Extras are imported where they are used; a base installation imports every module.
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in sorted(OPTIONAL))
    imports = "".join(f"import {name}\n" for name in all_modules())
    probe = f"import sys\n{blocked}{imports}"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Assembled, so that this file does not hold what it looks for.
FORBIDDEN = [
    "/" + "work/",
    "/" + "root/",
    "pypi" + ".org",
    "files.python" + "hosted",
    "registry.npm" + "js",
    "TO" + "DO",
    "FIX" + "ME",
    "NotImplemented" + "Error",
    "except " + "Exception",
]
FORBIDDEN_IN_THE_PACKAGE = ["pickle"]


def text_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    suffixes = {".py", ".md", ".toml", ".lock", ".txt", ".json", ""}
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in suffixes and path.is_file()]


def test_nothing_forbidden_is_written():
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in text_files()
        for word in FORBIDDEN
        if word in path.read_text(errors="replace")
    ]
    sources = {path: path.read_text() for path in (ROOT / "src").rglob("*.py")}
    found += [
        f"{path.relative_to(ROOT)}: {word}"
        for path, text in sources.items()
        for word in FORBIDDEN_IN_THE_PACKAGE
        if f"import {word}" in text
    ]
    assert not found


def test_lock_holds_only_pinned_and_hashed_requirements():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line for line in lines if not line.startswith(" ")]
    assert all("==" in line for line in pins)
    assert all(line.strip().startswith("--hash=sha256:") for line in lines if line[:1] == " ")
    assert not [line for line in lines if "://" in line or "--index" in line or "#" in line]
