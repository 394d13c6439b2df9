"""Exported encoders in other people's runtimes: how far from what the encoder itself computes.

Networks on scikit-learn's digits, one for every nonlinearity, one with several and one with direct
features, are exported and run wherever they can be run here. What is compared are the features of
600 rows, and of a row that holds NaN.

    pip install onnxruntime openvino onnx2torch opencv-python-headless tract
    npm install --prefix FOLDER onnxruntime-web
    python benchmarks/runtimes.py [--web FOLDER] [--quick]

Writes `docs/results/runtimes.json` and the table of `docs/export.md`. A runtime that is not
installed is left out of both.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from metaplastic.evaluation.records import provenance
from metaplastic.export import export_onnx
from metaplastic.files import write_atomically
from metaplastic.models import (
    ACTIVATIONS,
    DirectSettings,
    FrozenMLP,
    fit_presentation,
    freeze,
    init_mlp,
    side_by_side,
    with_direct,
)

DOCS = Path(__file__).parents[1] / "docs"
MARKS = "<!-- table of benchmarks/runtimes.py -->", "<!-- end of it -->"
SIZES = (64, 128, 128, 64)
ROWS = 600

Run = Callable[[Path, NDArray[np.float32]], NDArray[np.float32]]
"""Features of rows by the model in a file."""


def digits() -> NDArray[np.float32]:
    """Rows `(1797, 64)`."""
    x, _ = load_digits(return_X_y=True)
    return np.array(x, np.float32)


def networks(quick: bool) -> dict[str, FrozenMLP]:
    """Encoders by name, their weights as initialised."""
    x = digits()

    def network(activation: str, **options: Any) -> FrozenMLP:
        model = init_mlp(
            SIZES,
            key=jax.random.key(0),
            activation=activation,
            initialisation="published",  # its biases are not zero
            presentation=fit_presentation(jax.numpy.asarray(x)),
            **options,
        )
        return freeze(model, x)

    names = ("relu", "gelu", "step") if quick else ACTIVATIONS
    made = {name: network(name, readout="post") for name in names}
    made["several"] = side_by_side([network(n, readout="post") for n in ("relu", "tanh", "sine")])
    made["direct"] = with_direct(network("relu", readout="drive"), 32, x, DirectSettings(), seed=0)
    return made


def onnxruntime(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """ONNX Runtime on the processor."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["features"], {"x": x})[0])


def reference(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The evaluator that comes with onnx."""
    from onnx.reference import ReferenceEvaluator

    outputs: Any = ReferenceEvaluator(str(path)).run(None, {"x": x})
    return np.asarray(outputs[0])


def openvino(path: Path, x: NDArray[np.float32], **settings: str) -> NDArray[np.float32]:
    """OpenVINO on the processor."""
    core = import_module("openvino").Core()
    compiled = core.compile_model(str(path), "CPU", settings)
    return np.asarray(compiled(x)[0])


def openvino_float32(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """OpenVINO, told not to use fewer bits than the model has."""
    return openvino(path, x, INFERENCE_PRECISION_HINT="f32")


def onnx2torch(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The module of PyTorch that onnx2torch makes of the model."""
    torch = import_module("torch")
    module = import_module("onnx2torch").convert(str(path)).eval()
    with torch.no_grad():
        return module(torch.from_numpy(x)).numpy()


def opencv(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The dnn module of OpenCV."""
    net = import_module("cv2").dnn.readNetFromONNX(str(path))
    net.setInput(x)
    return np.array(net.forward())


def tract(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """tract, in Rust."""
    model = import_module("tract").onnx().load(str(path)).into_model()
    return model.into_runnable().run([x])[0].to_numpy()


WEB = """
const {resolve} = require("path"), fs = require("fs");
const ort = require(require.resolve("onnxruntime-web", {paths: [process.argv[1]]}));
const [model, rows, columns, out] = process.argv.slice(2);
(async () => {
  const session = await ort.InferenceSession.create(model, {executionProviders: ["wasm"]});
  const data = new Float32Array(Uint8Array.from(fs.readFileSync(rows)).buffer);
  const x = new ort.Tensor("float32", data, [data.length / columns, Number(columns)]);
  const {features} = await session.run({x});
  fs.writeFileSync(out, new Uint8Array(features.data.buffer, features.data.byteOffset,
                                       features.data.byteLength));
  process.exit(0);
})();
"""


def web(folder: Path) -> Run:
    """onnxruntime-web, as WebAssembly in node, from the `node_modules` in `folder`."""

    def run(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
        rows, out = path.with_suffix(".rows"), path.with_suffix(".features")
        rows.write_bytes(x.tobytes())
        words = [folder.resolve(), path, rows, str(x.shape[1]), out]
        subprocess.run(["node", "-e", WEB, *words], check=True, stdout=subprocess.DEVNULL)
        return np.fromfile(out, np.float32).reshape(len(x), -1)

    return run


RUNTIMES: tuple[tuple[str, str, str, Run, str], ...] = (
    ("ONNX Runtime", "onnxruntime", "onnxruntime", onnxruntime, "nothing"),
    ("onnx reference evaluator", "onnx", "onnx", reference, "nothing"),
    ("OpenVINO, default", "openvino", "openvino", openvino, "`f32`, see below"),
    ("OpenVINO, f32", "openvino", "openvino", openvino_float32, "nothing more"),
    ("onnx2torch", "onnx2torch", "onnx2torch", onnx2torch, "nothing"),
    ("OpenCV dnn", "cv2", "opencv-python-headless", opencv, "nothing"),
    ("tract", "tract", "tract", tract, "nothing"),
)
"""Name, module, package, how it runs, what a user should set."""


def measure(run: Run, models: Mapping[str, tuple[Path, FrozenMLP]]) -> dict[str, Any]:
    """Largest difference for every model, rows that `step` sees otherwise, and NaN."""
    x = digits()[:ROWS]
    x[-100:] = 100 - 9 * x[-100:]  # out of the range of the pool, so that the clip is met
    missing = x[:3].copy()
    missing[1, 20] = np.nan
    largest: dict[str, float] = {}
    other_rows, kept = 0, True
    for name, (path, encoder) in models.items():
        features, expected = run(path, x), encoder(x)
        if features.shape != expected.shape:
            raise RuntimeError(f"{name}: features of shape {features.shape}, not {expected.shape}")
        difference = np.abs(features - expected)
        if name == "step":
            other_rows = int(np.sum(difference.max(axis=1) > 0.5))
        else:
            largest[name] = float(difference.max())
        holes = np.isnan(run(path, missing))
        kept &= bool(holes[1].all() and not holes[[0, 2]].any())
    return {"largest": largest, "step_rows_that_differ": other_rows, "nan_stays_nan": kept}


def web_version(folder: Path) -> str:
    """Version of the onnxruntime-web in `folder`."""
    text = (folder / "node_modules" / "onnxruntime-web" / "package.json").read_text()
    return json.loads(text)["version"]


def has_bfloat16() -> bool:
    """Whether the processor computes in bfloat16, as OpenVINO would then do."""
    known = Path("/proc/cpuinfo")
    return known.exists() and "bf16" in known.read_text()


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The measurements as Markdown."""
    lines = [
        "| runtime | version | largest difference | worst for | rows of `step` that differ "
        "| NaN stays NaN | set |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        worst = max(row["largest"], key=row["largest"].get)
        cells = (
            row["runtime"],
            row["version"],
            f"{row['largest'][worst]:.1e}",
            worst,
            f"{row['step_rows_that_differ']} of {ROWS}",
            "yes" if row["nan_stays_nan"] else "no",
            row["set"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def with_table(document: str, content: Mapping[str, Any]) -> str:
    """The document with the table of the results between `MARKS`."""
    before, _, rest = document.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    has = "with" if content["processor_has_bfloat16"] else "without"
    shown = f"{table(content['runtimes'])}\n\nMeasured on a processor {has} bfloat16.\n"
    return f"{before}{MARKS[0]}\n{shown}{MARKS[1]}{after}"


def main() -> None:
    """Export, run everywhere, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--web", type=Path, help="folder with node_modules/onnxruntime-web")
    parser.add_argument("--quick", action="store_true", help="fewer networks, writes nothing")
    args = parser.parse_args()
    wanted = [
        (name, version(package), run, advice)
        for name, module, package, run, advice in RUNTIMES
        if find_spec(module) is not None
    ]
    if args.web is not None:
        wanted.append(("onnxruntime-web, wasm", web_version(args.web), web(args.web), "nothing"))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        models = {}
        for name, encoder in networks(args.quick).items():
            models[name] = (Path(folder) / f"{name}.onnx", encoder)
            export_onnx(models[name][0], encoder, {})
        for name, number, run, advice in wanted:
            found = measure(run, models)
            rows.append({"runtime": name, "version": number, "set": advice, **found})
            print(f"{name} {number}: {found}", file=sys.stderr)
    print(table(rows))
    if args.quick:
        return
    found = {
        "provenance": provenance(seeds=(0,)),
        "processor_has_bfloat16": has_bfloat16(),
        "rows_compared": ROWS,
        "runtimes": rows,
    }
    text = json.dumps(found, indent=1) + "\n"
    write_atomically(DOCS / "results" / "runtimes.json", text.encode())
    page = DOCS / "export.md"
    write_atomically(page, with_table(page.read_text(encoding="utf-8"), found).encode())


if __name__ == "__main__":
    main()
