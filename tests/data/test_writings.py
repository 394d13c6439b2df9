"""Texts for meta-training: what is read and left out, and bags of their words."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import PreparedWords, WordSource, build_writings, load_writings
from metaplastic.data.writings import N_RANKS, writing_path
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.models.preparation.counts import fit_counts

WORDS = 2000


@eqx.filter_jit
def draw(source, task, labels, key):
    return source.draw(task, labels, key=key)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder as the packages make it: eight files of English, eight of Czech."""
    root = tmp_path_factory.mktemp("fortunes")
    rng = np.random.default_rng(0)
    common = [f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(300)]
    (root / "cs").mkdir()
    for folder, names in ((root, "abcdefgh"), (root / "cs", "ijklmnop")):
        for number, name in enumerate(names):
            own = common[20 * number : 20 * number + 40]
            chosen = [*rng.choice(own, WORDS // 2), *rng.choice(common, WORDS // 2)]
            sayings = [" ".join(chosen[i : i + 10]) for i in range(0, WORDS, 10)]
            (folder / name).write_text("\n%\n".join(sayings))
            (folder / f"{name}.dat").write_bytes(b"\x00\x01")
    (root / "debian").write_text((root / "a").read_text())
    (root / "short").write_text("too few words")
    (root / "a").write_text((root / "a").read_text() + "\n%\nsecretword seen in alt.example")
    return root


@pytest.fixture(scope="module")
def built(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("cache")
    return build_writings(out, root=root), out


@pytest.fixture(scope="module")
def source(built):
    texts = built[0]["train"]
    return WordSource.create(texts.ranks, texts.starts, texts.corpora, 50, 3)


def test_languages_are_split_and_reserved_files_left_out(built):
    sets, out = built
    assert sets["train"].names == tuple(f"en/{c}" for c in "abcdefgh")
    assert sets["validation"].names == tuple(f"cs/{c}" for c in "ijklmnop")
    texts = load_writings("train", out)
    assert texts.names == sets["train"].names
    for field in ("ranks", "starts", "corpora"):
        np.testing.assert_array_equal(getattr(texts, field), getattr(sets["train"], field))
    # The saying that names a newsgroup is gone, all others are there.
    assert np.diff(texts.starts).tolist() == [WORDS] * 8
    counts = np.bincount(texts.ranks)
    assert np.all(np.diff(counts) <= 0) and len(counts) <= N_RANKS


def test_building_again_gives_the_same_file(built, root, tmp_path):
    build_writings(tmp_path, root=root)
    assert writing_path("train", tmp_path).read_bytes() == (
        writing_path("train", built[1]).read_bytes()
    )


def test_missing_and_damaged_files_say_what_to_do(built, tmp_path):
    with pytest.raises(MissingDataError, match="apt-get install fortunes"):
        build_writings(tmp_path, root=tmp_path)
    with pytest.raises(MissingDataError, match="metaplastic data build writings"):
        load_writings("train", tmp_path)
    with pytest.raises(InputError, match="choose one of train, validation"):
        load_writings("test", tmp_path)
    data = bytearray(writing_path("train", built[1]).read_bytes())
    data[-5] ^= 1
    writing_path("train", tmp_path).write_bytes(data)
    with pytest.raises(FileFormatError, match="make it anew"):
        load_writings("train", tmp_path)


@pytest.mark.slow
def test_a_task_is_classes_of_one_corpus(built):
    texts = built[0]["train"]
    corpora = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    source = WordSource.create(texts.ranks, texts.starts, corpora, 50, 3)
    keys = jax.random.split(jax.random.key(0), 100)
    classes, own, _ = jax.jit(jax.vmap(lambda key: source.draw_task(key=key)))(keys)
    drawn = corpora[np.asarray(classes)]
    assert np.all(drawn == drawn[:, :1]) and set(drawn[:, 0].tolist()) == {0, 1}
    assert all(len(set(row.tolist())) == 3 for row in np.asarray(classes))
    assert 0.2 <= float(own.min()) < 0.3 and 0.9 < float(own.max()) <= 1.0


@pytest.mark.slow
def test_samples_are_counts_of_the_words_of_their_class(built, source):
    texts = built[0]["train"]
    task = (jnp.array([2, 5, 7]), jnp.asarray(1.0), jnp.asarray(1.0))
    labels = jnp.arange(3000) % 3
    x = np.asarray(draw(source, task, labels, jax.random.key(1)))
    assert x.shape == (3000, 50) and x.min() == 0 and np.all(x == np.round(x))
    most = WordSource.PASSAGE * WordSource.PASSAGES[1]
    assert 0 < x.sum(1).max() <= most
    for label, of in enumerate((2, 5, 7)):
        words = texts.ranks[texts.starts[of] : texts.starts[of + 1]]
        share = np.bincount(words[words < 50], minlength=50) / len(words)
        found = x[np.asarray(labels) == label].mean(0)
        np.testing.assert_allclose(found / found.sum(), share / share.sum(), atol=0.01)


@pytest.mark.slow
def test_passages_of_other_classes_blur_the_difference(source):
    labels = jnp.arange(2000) % 2
    gaps = []
    for own in (0.2, 1.0):
        task = (jnp.array([0, 6, 7]), jnp.asarray(own), jnp.asarray(0.5))
        x = np.asarray(draw(source, task, labels, jax.random.key(2)))
        gaps.append(np.abs(x[::2].mean(0) - x[1::2].mean(0)).sum())
    assert gaps[0] < 0.5 * gaps[1]


def test_bad_arguments_are_refused(built):
    texts = built[0]["train"]
    arrays = (texts.ranks, texts.starts, texts.corpora)
    with pytest.raises(InputError, match="no corpus has 9 classes, the largest has 8"):
        WordSource.create(*arrays, 50, 9)
    with pytest.raises(InputError, match="at least 2 classes"):
        WordSource.create(*arrays, 50, 1)
    with pytest.raises(InputError, match="own must be a range"):
        WordSource.create(*arrays, 50, 3, own=(0.5, 0.2))
    short = dataclasses.replace(texts, starts=np.array([0, 5, *texts.starts[2:]]))
    with pytest.raises(InputError, match="at least 16 words"):
        WordSource.create(short.ranks, short.starts, short.corpora, 50, 3)


def test_prepared_words_are_what_a_learner_would_see(source):
    """As `fit_counts` would have it, but for a rotation, which no product of rows shows.

    With all components, because `fit_counts` finds fewer of them in two steps.
    """
    prepared = PreparedWords(source, 50)
    task = prepared.draw_task(key=jax.random.key(0))
    words_key, label_key, draw_key, _ = jax.random.split(jax.random.key(0), 4)
    words = source.draw_task(key=words_key)
    pool = draw(source, words, jax.random.randint(label_key, (512,), 0, 3), draw_key)
    fitted = fit_counts(np.asarray(pool), 50, power=3.0)

    labels, key = jnp.arange(60) % 3, jax.random.key(5)
    own = np.asarray(draw(prepared, task, labels, key))
    theirs = fitted(np.asarray(draw(source, words, labels, key)))
    assert own.shape == (60, 50) and prepared.n_classes == 3
    np.testing.assert_allclose(own @ own.T, theirs @ theirs.T, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1.0, rtol=1e-5)
    # Fewer components are the leading ones, which carry nearly all of the products.
    fewer = PreparedWords(source, 25)
    few = np.asarray(draw(fewer, fewer.draw_task(key=jax.random.key(0)), labels, key))
    assert np.abs(few @ few.T - own @ own.T).mean() < 0.05


def test_prepared_words_need_fewer_components_than_words(source):
    with pytest.raises(InputError, match="n_components must be from 1 to 50, got 51"):
        PreparedWords(source, 51)


def test_samples_without_a_known_word_are_zeros(built):
    texts = built[0]["train"]
    prepared = PreparedWords(WordSource.create(texts.ranks, texts.starts, texts.corpora, 2, 3), 2)
    task = prepared.draw_task(key=jax.random.key(0))
    labels, key = jnp.arange(300) % 3, jax.random.key(1)
    empty = np.asarray(draw(prepared.words, task[0], labels, key)).sum(1) == 0
    lengths = np.linalg.norm(np.asarray(draw(prepared, task, labels, key)), axis=1)
    assert 0 < empty.sum() < 300
    assert np.all(lengths[empty] == 0) and np.allclose(lengths[~empty], 1, atol=1e-5)
