"""What is pinned: features of small fits that together touch every part of the way of a row."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from sklearn.datasets import load_digits, load_wine

from metaplastic.export import export_onnx
from metaplastic.models import load_encoder, save_encoder
from metaplastic.sklearn import RuleTransformer

SMALL = {"hidden_sizes": (32, 32), "n_components": 64, "n_networks": 2, "batch_size": 32}


def digits() -> NDArray[np.float32]:
    """Images: whitening in turn, principal components among the features; sizes by default."""
    x = load_digits().data
    return RuleTransformer(n_steps=3, random_state=0).fit_transform(x)[:200]


def table() -> NDArray[np.float32]:
    """Thirteen columns of very different units: no whitening, copies of the inputs."""
    x = load_wine().data
    return RuleTransformer(n_steps=3, random_state=1, **SMALL).fit_transform(x)


def tanh() -> NDArray[np.float32]:
    """Networks of a bounded nonlinearity, trained by the rule for these."""
    x = load_digits().data[:400]
    model = RuleTransformer(activation="tanh", n_steps=3, random_state=2, **SMALL)
    return model.fit_transform(x)[:200]


def sparse_words() -> NDArray[np.float32]:
    """Counts that are mostly zeros, in a sparse matrix: both nonlinearities, the rule for these."""
    generator = np.random.default_rng(3)
    rates = generator.gamma(0.2, 0.2, size=(4, 300))
    counts = generator.poisson(rates[generator.integers(4, size=400)])
    x = scipy.sparse.csr_matrix(counts.astype(np.float32))
    return RuleTransformer(n_steps=3, random_state=3, **SMALL).fit_transform(x)[:200]


def stream() -> NDArray[np.float32]:
    """`partial_fit` on pieces of unequal size."""
    x = load_digits().data
    model = RuleTransformer(random_state=4, **SMALL)
    for chunk in np.split(x[:1150], [700, 1100, 1111]):
        model.partial_fit(chunk)
    return model.transform(x)[:200]


def encoder_file() -> NDArray[np.float32]:
    """Features of an encoder that was written and read again."""
    x = load_digits().data[:400]
    fitted = RuleTransformer(n_steps=3, random_state=5, **SMALL).fit(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.safetensors"
        save_encoder(path, fitted.encoder_, {})
        return load_encoder(path)[0](x)[:200]


def onnx_file() -> NDArray[np.float32]:
    """What onnxruntime makes of an exported encoder."""
    import onnxruntime

    x = load_digits().data[:400]
    fitted = RuleTransformer(n_steps=3, random_state=5, **SMALL).fit(x)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoder.onnx"
        export_onnx(path, fitted.encoder_, {})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        rows = x[:200].astype(np.float32)
        return np.asarray(session.run(None, {session.get_inputs()[0].name: rows})[0])


CASES: dict[str, Callable[[], NDArray[np.float32]]] = {
    case.__name__: case
    for case in (digits, table, tanh, sparse_words, stream, encoder_file, onnx_file)
}


def digest(features: NDArray[np.float32]) -> str:
    """Equal for features that are equal bit for bit."""
    return hashlib.sha256(np.ascontiguousarray(features, np.float32).tobytes()).hexdigest()[:16]


def summary(features: NDArray[np.float32]) -> list[float]:
    """Numbers that nearly equal features nearly share: a few projections."""
    rows = np.asarray(features, np.float64)
    directions = np.random.default_rng(0).normal(size=(rows.shape[1], 4)) / np.sqrt(rows.shape[1])
    return [round(float(v), 4) for v in (rows @ directions)[:8].ravel()]
