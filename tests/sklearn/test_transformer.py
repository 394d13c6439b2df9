import inspect
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from metaplastic.errors import FileFormatError, InputError
from metaplastic.learners import plain_learner
from metaplastic.models import MLP
from metaplastic.rules import Hebb, load_rule, save_rule
from metaplastic.sklearn import RuleTransformer
from sklearn import config_context


def test_fit_is_the_rule_learner(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer(n_networks=2).fit(x)
    sizes = {"hidden_sizes": (16,), "n_components": 4, "n_steps": 10, "batch_size": 16}
    learner = plain_learner(load_rule("hebb"), n_networks=2, **sizes)
    np.testing.assert_array_equal(transformer.transform(x), learner.fit(x, seed=0)(x))


def test_fitted_attributes(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer(n_networks=2).fit(x)
    assert transformer.n_steps_ == 10
    assert transformer.n_features_in_ == 8
    assert all(isinstance(model, MLP) for model in transformer.models_)
    assert [model.sizes for model in transformer.models_] == [(8, 16, 2), (8, 16, 2)]
    assert transformer.encoder_.n_features_out == 4
    np.testing.assert_allclose(transformer.shift_, x.mean(0), atol=1e-5)
    presented = np.clip((x - transformer.shift_) * transformer.scale_, -3, 3) * transformer.gain_
    np.testing.assert_allclose(np.mean(presented**2), 1.0, rtol=1e-3)
    features = transformer.transform(x)
    assert features.dtype == np.float32
    assert features.shape == (2500, 4)
    # The statistics of the pool are folded in: every feature is centred, of unit variance.
    np.testing.assert_allclose(features.var(0), 1.0, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("n_components", "n_networks"), [(32, 1), (128, 4)])
def test_the_published_rule_fits_with_its_number_of_top_units(blobs, n_components, n_networks):
    transformer = RuleTransformer(
        rule="metz2018",
        hidden_sizes=(),  # One layer: compiling takes nearly all the time.
        n_components=n_components,
        n_steps=3,
        batch_size=16,
        n_networks=n_networks,
        random_state=0,
    )
    features = transformer.fit(blobs[0][:100]).transform(blobs[0][:7])
    assert features.shape == (7, n_components)
    assert np.all(np.isfinite(features))


def test_the_published_rule_says_which_numbers_of_features_it_takes(blobs):
    message = "got 128: n_components=32 with n_networks=1, or 128 with 4"
    with pytest.raises(InputError, match=message):
        RuleTransformer(rule="metz2018", hidden_sizes=(16,)).fit(blobs[0][:100])


def test_training_changes_the_features(make_transformer, blobs):
    x, _ = blobs
    untrained = make_transformer(n_steps=0).fit(x)
    assert untrained.n_steps_ == 0
    assert not np.allclose(untrained.transform(x), make_transformer().fit_transform(x), atol=0.1)


@pytest.mark.parametrize("split", [1, 7, 100, 255, 256, 257, 2499])
def test_features_do_not_depend_on_the_split_of_rows(make_transformer, blobs, split):
    x = blobs[0][: 10 if split == 1 else None]
    transformer = make_transformer().fit(blobs[0])
    parts = [transformer.transform(x[i : i + split]) for i in range(0, len(x), split)]
    np.testing.assert_array_equal(np.concatenate(parts), transformer.transform(x))
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(transformer.transform(x[order]), transformer.transform(x)[order])


def test_random_state(make_transformer, blobs):
    x, _ = blobs
    first = make_transformer().fit_transform(x)
    np.testing.assert_array_equal(first, make_transformer().fit_transform(x))
    assert not np.allclose(first, make_transformer(random_state=1).fit_transform(x))
    drawn = [
        make_transformer(random_state=np.random.RandomState(5)).fit_transform(x) for _ in range(2)
    ]
    np.testing.assert_array_equal(*drawn)
    shared = np.random.RandomState(5)
    drawn = [make_transformer(random_state=shared).fit_transform(x) for _ in range(2)]
    assert not np.allclose(*drawn)
    assert np.all(np.isfinite(make_transformer(random_state=2**32 - 1).fit_transform(x)))
    assert np.all(np.isfinite(make_transformer(random_state=None).fit_transform(x)))


@pytest.mark.parametrize(
    "convert", [sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.csc_array]
)
def test_sparse_equals_dense(make_transformer, convert):
    generator = np.random.default_rng(0)
    x = generator.poisson(0.5, size=(300, 8)).astype(np.float64)
    dense, sparse = make_transformer().fit(x), make_transformer().fit(convert(x))
    np.testing.assert_array_equal(dense.transform(x), sparse.transform(convert(x)))
    streamed = [make_transformer().partial_fit(rows) for rows in (x, convert(x))]
    np.testing.assert_array_equal(*(t.transform(x) for t in streamed))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "float32", "float64"])
def test_real_dtypes(make_transformer, dtype):
    x = (np.random.default_rng(0).random((100, 8)) * 2).astype(dtype)
    features = make_transformer().fit_transform(x)
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, make_transformer().fit_transform(x.astype(np.float64)))


def test_large_offsets_do_not_drown_small_columns(make_transformer, blobs):
    x, _ = blobs
    scaled = make_transformer().fit_transform(x)
    shifted = make_transformer().fit_transform(x * 1000.0 + 5000.0)
    np.testing.assert_allclose(scaled, shifted, atol=2e-3)


@pytest.mark.parametrize("rule", ["hebb", "file", "path", "object"])
def test_ways_to_name_a_rule(make_transformer, blobs, rule, tmp_path):
    x, _ = blobs
    path = tmp_path / "rule.safetensors"
    save_rule(path, Hebb(), {})
    named = {"hebb": "hebb", "file": str(path), "path": path, "object": Hebb()}[rule]
    features = make_transformer(rule=named).fit_transform(x)
    np.testing.assert_array_equal(features, make_transformer().fit_transform(x))


@pytest.mark.parametrize("dump", ["pickle", "joblib", "deepcopy"])
@pytest.mark.parametrize("rule", ["hebb", Hebb()])
def test_round_trips(make_transformer, blobs, tmp_path, dump, rule):
    x, _ = blobs
    fitted = make_transformer(rule=rule).fit(x[:500])
    streamed = make_transformer(rule=rule).partial_fit(x[:500]).partial_fit(x[500:2000])
    for transformer in (fitted, streamed):
        if dump == "pickle":
            copy = pickle.loads(pickle.dumps(transformer))
        elif dump == "joblib":
            joblib.dump(transformer, tmp_path / "t.joblib")
            copy = joblib.load(tmp_path / "t.joblib")
        else:
            copy = __import__("copy").deepcopy(transformer)
        np.testing.assert_array_equal(copy.transform(x), transformer.transform(x))
        # Training goes on from where it was.
        rest = [t.partial_fit(x[2000:]).transform(x) for t in (copy, transformer)]
        np.testing.assert_array_equal(*rest)


def test_pickle_holds_no_rows_and_no_jax_arrays(make_transformer):
    x = np.random.default_rng(0).normal(size=(2500, 8))
    data = pickle.dumps(make_transformer().fit(x))
    assert len(data) < 20_000
    assert b"jaxlib" not in data and b"_reconstruct_array" not in data


def test_clone_forgets(make_transformer, blobs):
    transformer = make_transformer().fit(blobs[0])
    copy = clone(transformer)
    assert copy.get_params() == transformer.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(blobs[0])


def test_not_fitted(make_transformer, blobs):
    transformer = make_transformer()
    for name in ("encoder_", "models_", "shift_", "scale_", "gain_", "n_steps_"):
        assert not hasattr(transformer, name)
    with pytest.raises(NotFittedError):
        transformer.transform(blobs[0])


def test_pandas(make_transformer, blobs):
    x, _ = blobs
    frame = pd.DataFrame(x, columns=[f"c{i}" for i in range(8)], index=np.arange(2500) + 7)
    transformer = make_transformer().set_output(transform="pandas").fit(frame)
    features = transformer.transform(frame)
    assert list(features.columns) == [f"ruletransformer{i}" for i in range(4)]
    assert list(features.columns) == list(transformer.get_feature_names_out())
    assert features.index.equals(frame.index)
    assert set(features.dtypes) == {np.dtype("float32")}
    assert list(transformer.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(features, make_transformer().fit_transform(x))
    with pytest.raises(ValueError, match="feature names"):
        transformer.transform(frame[list(frame.columns[::-1])])


def test_pipeline_and_grid_search(make_transformer, blobs):
    x, y = blobs[0][:400], blobs[1][:400]
    pipeline = make_pipeline(make_transformer(n_networks=1), LogisticRegression())
    search = GridSearchCV(pipeline, {"ruletransformer__n_steps": [0, 10, 60]}, cv=2)
    search.fit(x, y)
    assert search.score(x, y) > 0.9
    chosen = search.best_params_["ruletransformer__n_steps"]
    assert search.best_estimator_[0].n_steps_ == chosen


def test_grid_search_over_shapes_and_rules(make_transformer, blobs):
    x, y = blobs[0][:200], blobs[1][:200]
    pipeline = make_pipeline(make_transformer(n_steps=2), LogisticRegression())
    grid = {
        "ruletransformer__hidden_sizes": [(), (16,)],
        "ruletransformer__rule": ["hebb", Hebb(learning_rate=0.5)],
    }
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_score_ > 0.8
    assert (
        search.best_estimator_[0].hidden_sizes
        == search.best_params_["ruletransformer__hidden_sizes"]
    )


def test_some_columns_of_a_table(make_transformer, blobs):
    x, _ = blobs
    frame = pd.DataFrame(x[:300], columns=list("abcdefgh"))
    columns = ColumnTransformer(
        [("rule", make_transformer(), list("abc")), ("kept", "passthrough", ["h"])]
    ).set_output(transform="pandas")
    found = columns.fit_transform(frame)
    assert list(found.columns) == [f"rule__ruletransformer{i}" for i in range(4)] + ["kept__h"]
    expected = make_transformer().fit_transform(x[:300, :3])
    np.testing.assert_array_equal(found.iloc[:, :4], expected)
    np.testing.assert_array_equal(columns.get_feature_names_out(), found.columns)


def test_metadata_is_not_routed(make_transformer, make_classifier):
    with config_context(enable_metadata_routing=True):
        for estimator in (make_transformer(), make_classifier()):
            for method in ("fit", "partial_fit", "transform", "predict", "score"):
                requests = getattr(estimator.get_metadata_routing(), method, None)
                given = {} if requests is None else requests.requests
                assert set(given) <= {"sample_weight"}  # of ClassifierMixin.score
                assert all(value is None for value in given.values())


@pytest.mark.slow
def test_features_need_no_device(make_transformer, blobs, tmp_path):
    x = blobs[0][:100]
    transformer = make_transformer().fit(blobs[0])
    joblib.dump((transformer, x), tmp_path / "t.joblib")
    program = (
        "import joblib, numpy as np\n"
        "transformer, x = joblib.load('t.joblib')\n"
        "np.save('features.npy', transformer.transform(x))\n"
        "import jax\n"
        "try:\n    jax.devices()\n"
        "except RuntimeError:\n    print('no device')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "JAX_PLATFORMS": "none_such"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "no device\n"
    np.testing.assert_array_equal(np.load(tmp_path / "features.npy"), transformer.transform(x))


def test_depth_zero_is_linear(make_transformer, blobs):
    x = blobs[0][:64]
    transformer = make_transformer(hidden_sizes=()).fit(x)
    presented = (x - transformer.shift_) * transformer.scale_
    inside = np.all(np.abs(presented) < 5, axis=1)
    design = np.column_stack([x, np.ones(len(x))])[inside]
    features = transformer.transform(x)[inside]
    fit = design @ np.linalg.lstsq(design, features, rcond=None)[0]
    np.testing.assert_allclose(fit, features, atol=1e-4)


def test_constant_columns_carry_nothing(make_transformer, blobs):
    x = blobs[0][:200].copy()
    x[:, 3] = 1234.5
    transformer = make_transformer().fit(x)
    other = x.copy()
    other[:, 3] = -9.0
    assert transformer.scale_[3] == 0
    np.testing.assert_array_equal(transformer.transform(x), transformer.transform(other))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["hebb", "local"])
def test_equal_rows_have_equal_finite_features(make_transformer, rule):
    x = np.full((40, 8), 3.0)
    features = make_transformer(rule=rule).fit_transform(x)
    assert np.all(np.isfinite(features))
    np.testing.assert_array_equal(features, features[:1].repeat(40, 0))


@pytest.mark.parametrize("n", [2, 3, 10, 15])
def test_fewer_rows_than_a_batch(make_transformer, blobs, n):
    features = make_transformer().fit_transform(blobs[0][:n])
    assert features.shape == (n, 4)
    assert np.all(np.isfinite(features))


def test_one_row_is_too_few(make_transformer, blobs):
    with pytest.raises(ValueError, match="minimum of 2 is required by RuleTransformer"):
        make_transformer().fit(blobs[0][:1])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rule", "hep", "unknown rule 'hep'; did you mean hebb"),
        ("rule", 3, "a rule is a name, a path or a rule object, got int"),
        ("rule", None, "a rule is a name"),
        ("hidden_sizes", 128, r"write \(128,\) for one layer"),
        ("hidden_sizes", "128", "tuple of positive integers"),
        ("hidden_sizes", None, "tuple of positive integers"),
        ("hidden_sizes", (16, 0), "hidden_sizes takes integers of at least 1, got 0"),
        ("hidden_sizes", (16.0,), "hidden_sizes takes integers of at least 1, got 16.0"),
        ("n_components", 0, "n_components takes integers of at least 1"),
        ("n_components", True, "n_components takes integers of at least 1, got True"),
        ("n_components", "4", "n_components takes integers of at least 1, got '4'"),
        ("activation", "rely", "unknown activation 'rely'; choose one of relu"),
        ("activation", None, "activation must be a name, got None"),
        ("n_steps", -1, "n_steps takes integers of at least 0, got -1"),
        ("n_steps", 1.5, "n_steps takes integers of at least 0, got 1.5"),
        ("batch_size", 1, "batch_size takes integers of at least 2, got 1"),
        ("batch_size", np.nan, "batch_size takes integers of at least 2, got nan"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_parameters(make_transformer, blobs, name, value, message, method):
    transformer = make_transformer(**{name: value})  # the constructor only stores
    with pytest.raises(InputError, match=message):
        getattr(transformer, method)(blobs[0])
    assert not hasattr(transformer, "n_features_in_")


def test_bad_rule_file(make_transformer, blobs, tmp_path):
    path = tmp_path / "rule.safetensors"
    path.write_bytes(b"no rule")
    with pytest.raises(FileFormatError):
        make_transformer(rule=path).fit(blobs[0])


def test_bad_random_state(make_transformer, blobs):
    for value in (-1, "a"):
        with pytest.raises(ValueError, match=r"[Ss]eed|RandomState"):
            make_transformer(random_state=value).fit(blobs[0])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (np.nan, "NaN"),
        (np.inf, "infinity"),
        (1e39, "rescale them"),
        (-3e38, "rescale them"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "transform"])
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_bad_numbers(make_transformer, blobs, spoil, message, method, convert):
    x = blobs[0][:100].copy()
    transformer = make_transformer().fit(x) if method == "transform" else make_transformer()
    x[3, 2] = spoil
    with pytest.raises(ValueError, match=message):
        getattr(transformer, method)(convert(x))


def test_wrong_shapes(make_transformer, blobs):
    x, _ = blobs
    transformer = make_transformer().fit(x)
    with pytest.raises(ValueError, match="expecting 8 features"):
        transformer.transform(x[:, :5])
    with pytest.raises(ValueError, match="expecting 8 features"):
        transformer.partial_fit(x[:, :5])
    with pytest.raises(ValueError, match="Expected 2D array"):
        transformer.fit(x[0])
    with pytest.raises(ValueError, match="Complex data not supported"):
        transformer.fit(x.astype(complex))


def test_defaults_are_documented():
    documented = inspect.getdoc(RuleTransformer)
    for name, parameter in inspect.signature(RuleTransformer).parameters.items():
        value = f'"{parameter.default}"' if isinstance(parameter.default, str) else None
        text = value or str(parameter.default)
        line = next(line for line in documented.splitlines() if line.startswith(f"{name} :"))
        assert line.endswith(f"default={text}")
