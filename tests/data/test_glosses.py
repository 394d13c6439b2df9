"""Embedded glosses for meta-training: which classes there are, and what tasks draw from them."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from metaplastic.data import PreparedGlosses, build_glosses, load_glosses
from metaplastic.data import glosses as module
from metaplastic.data.glosses import gloss_path
from metaplastic.errors import FileFormatError, InputError, MissingDataError
from metaplastic.models.preparation.directions import fit_directions

COLUMNS = 12
FOOD, ANIMAL, ACT = 13, 5, 4


@eqx.filter_jit
def draw(source, task, labels, key):
    return source.draw(task, labels, key=key)


class WordNet:
    """Lines of a data file, as WordNet writes them."""

    def __init__(self):
        self.lines = ["  1 This is a licence.  "]

    def add(self, group, words, above=(), gloss="a gloss"):
        offset = f"{len(self.lines):08}"
        named = " ".join(f"{word} 0" for word in words)
        pointers = "".join(f" {symbol} {of} n 0000" for symbol, of in above)
        head = f"{offset} {group:02} n {len(words):02x} {named} {len(above):03}"
        self.lines.append(f"{head}{pointers} | {gloss}  ")
        return offset

    def kinds(self, group, name, above, n):
        """A synset with so many below it, every second an instance."""
        top = self.add(group, [name], [("@", above)])
        for i in range(n):
            self.add(group, [f"{name}_{i}", "other"], [("@" if i % 2 else "@i", top), ("~", top)])
        return top


@pytest.fixture(scope="module")
def limits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "LEAST", 5)
        patch.setattr(module, "MOST", 12)
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("wordnet")
    nouns = WordNet()
    entity = nouns.add(3, ["entity"])
    animal = nouns.add(ANIMAL, ["animal"], [("@", entity)])
    for name, n in (("bird", 8), ("fish", 6), ("cat", 11), ("worm", 3)):
        nouns.kinds(ANIMAL, name, animal, n)
    food = nouns.kinds(FOOD, "food", entity, 7)
    nouns.add(
        FOOD, ["roast"], [("@", f"{int(animal) + 1:08}")]
    )  # Below birds, of a field held back.
    nouns.add(ANIMAL, ["snail"], [("@", food)])
    nouns.add(ANIMAL, ["hen"], [("@", f"{int(animal) + 1:08}"), ("@", food)], 'a "bird" | a food')
    act = nouns.kinds(ACT, "act", entity, 9)
    nouns.add(ACT, ["deed"], [("+", entity), ("@", act)])
    (root / "data.noun").write_text("\n".join(nouns.lines))
    (root / "data.verb").write_text("  1 This is a licence.  \n")
    return root


def encoder(texts):
    """Rows that differ with the text, not of one length."""
    seeds = [sum(map(ord, text)) for text in texts]
    rows = [np.random.default_rng(seed).normal(size=COLUMNS) + 0.5 for seed in seeds]
    return np.reshape(rows, (len(texts), COLUMNS))


@pytest.fixture(scope="module")
def built(root, tmp_path_factory, limits):
    out = tmp_path_factory.mktemp("cache")
    return build_glosses(out, root=root, encoder=encoder), out


def test_classes_are_the_largest_parts_that_are_not_too_large(built):
    train = built[0]["train"]
    sizes = dict(zip(train.names, np.diff(train.starts).tolist(), strict=True))
    # The hen is a bird, because that comes first; worms are too few; entity and animal too large.
    assert sizes == {"bird": 10, "fish": 7, "cat": 12, "act": 11}
    assert train.groups.tolist() == [{"act": ACT}.get(name, ANIMAL) for name in train.names]
    assert built[0]["validation"].names == ("food",)
    assert built[0]["validation"].groups.tolist() == [FOOD]


def test_no_text_of_a_field_held_back_is_in_training(root, limits, tmp_path):
    seen = []

    def listening(texts):
        seen.append(texts)
        return encoder(texts)

    build_glosses(tmp_path, root=root, encoder=listening)
    train, validation = ("; ".join(texts) for texts in seen)
    assert "roast" not in train + validation and "snail" not in train + validation
    assert "food" not in train.replace("a food", "") and "bird" not in validation


def test_a_split_without_texts_is_written_and_said_to_be_empty(root, limits, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "VALIDATION_GROUPS", (99,))
    sets = build_glosses(tmp_path, root=root, encoder=encoder)
    assert sets["validation"].names == () and len(sets["train"].names) == 5
    with pytest.raises(MissingDataError, match="is empty: install wordnet-base"):
        load_glosses("validation", tmp_path)


def test_texts_are_words_and_glosses_and_rows_of_one_length(root, limits, tmp_path):
    seen = []

    def listening(texts):
        seen.extend(texts)
        return encoder(texts)

    rows = build_glosses(tmp_path, root=root, encoder=listening)["train"].rows
    assert 'hen: a "bird" | a food' in seen and "fish 5, other: a gloss" in seen
    assert len(seen) == 40 + 8 and rows.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(np.float32(rows), axis=1), 1.0, atol=1e-3)
    wanted = encoder(seen[:1])[0]
    np.testing.assert_allclose(rows[0], wanted / np.linalg.norm(wanted), atol=1e-3)


def test_a_file_is_read_as_it_was_written_and_always_the_same(built, root, limits, tmp_path):
    sets, out = built
    found = load_glosses("train", out)
    assert found.names == sets["train"].names
    for field in ("rows", "starts", "groups"):
        np.testing.assert_array_equal(getattr(found, field), getattr(sets["train"], field))
    build_glosses(tmp_path, root=root, encoder=encoder)
    assert gloss_path("train", tmp_path).read_bytes() == gloss_path("train", out).read_bytes()


def test_missing_and_damaged_files_say_what_to_do(built, tmp_path):
    with pytest.raises(MissingDataError, match="apt-get install wordnet-base"):
        build_glosses(tmp_path, root=tmp_path, encoder=encoder)
    with pytest.raises(MissingDataError, match="metaplastic data build glosses"):
        load_glosses("train", tmp_path)
    with pytest.raises(InputError, match="choose one of train, validation"):
        load_glosses("test", tmp_path)
    data = bytearray(gloss_path("train", built[1]).read_bytes())
    data[-5] ^= 1
    gloss_path("train", tmp_path).write_bytes(data)
    with pytest.raises(FileFormatError, match="make it anew"):
        load_glosses("train", tmp_path)


@pytest.mark.parametrize("line", ["no synset", "00000009 05 n 01 hen 0 002 @ 00000001 n 0000 | x"])
def test_a_line_that_is_no_synset_is_named(root, tmp_path, line):
    lines = (root / "data.noun").read_text().splitlines()
    (tmp_path / "data.noun").write_text("\n".join([*lines[:4], line]))
    (tmp_path / "data.verb").write_text("")
    with pytest.raises(FileFormatError, match=r"data\.noun, line 5: no synset of WordNet"):
        build_glosses(tmp_path, root=tmp_path, encoder=encoder)


@pytest.mark.parametrize("found", [np.ones((3, 2)), np.ones(40), np.full((40, 2), np.nan)])
def test_an_encoder_whose_rows_do_not_fit_is_refused(root, limits, tmp_path, found):
    with pytest.raises(InputError, match="one finite row for each of 40 texts"):
        build_glosses(tmp_path, root=root, encoder=lambda texts: found)
    assert not list(tmp_path.iterdir())


def test_an_encoder_that_gives_no_array_is_refused(root, limits, tmp_path):
    with pytest.raises(InputError, match="is no array"):
        build_glosses(tmp_path, root=root, encoder=lambda texts: [[1.0], [1.0, 2.0]])


def test_rows_that_are_all_the_same_give_zeros_not_nan(built):
    train = built[0]["train"]
    same = dataclasses.replace(train, rows=np.full_like(train.rows, 0.25))
    source = PreparedGlosses.create(same, 4, 3)
    task = source.draw_task(key=jax.random.key(0))
    assert np.isfinite(np.asarray(draw(source, task, jnp.arange(9) % 3, jax.random.key(1)))).all()


def test_without_the_default_encoder_its_package_is_named(root, limits, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "wordllama", None)
    with pytest.raises(MissingDataError, match="pip install wordllama"):
        build_glosses(tmp_path, root=root)


def test_half_of_the_tasks_have_classes_of_one_field(built):
    train = built[0]["train"]
    source = PreparedGlosses.create(train, 4, 3)
    keys = jax.random.split(jax.random.key(0), 200)
    (classes, length), _, _ = jax.jit(jax.vmap(lambda key: source.draw_task(key=key)))(keys)
    drawn = np.asarray(classes)
    assert all(len(set(row.tolist())) == 3 for row in drawn)
    act = train.names.index("act")
    near = np.mean([act not in row for row in drawn])
    # Three animals of four classes: always in near tasks, else in one of four.
    assert near == pytest.approx(0.375 + 0.625 / 4, abs=0.1)
    assert set(np.asarray(length).tolist()) == {1, 2, 3, 4}


@pytest.mark.parametrize("length", [1, 3])
def test_samples_are_what_a_learner_would_see(built, length):
    """As `fit_directions` would have it, but for a rotation, which no product of rows shows."""
    source = PreparedGlosses.create(built[0]["train"], COLUMNS, 3)
    keys = (jax.random.key(seed) for seed in range(100))
    key, task = next((k, t) for k in keys if (t := source.draw_task(key=k))[0][1] == length)
    _, _, label_key, draw_key, _ = jax.random.split(key, 5)
    pool = source._draw(task[0], jax.random.randint(label_key, (512,), 0, 3), draw_key)
    fitted = fit_directions(np.asarray(pool), COLUMNS, power=2.0)

    labels, key = jnp.arange(60) % 3, jax.random.key(5)
    own = np.asarray(draw(source, task, labels, key))
    plain = np.asarray(source._draw(task[0], labels, key))
    assert own.shape == (60, COLUMNS)
    np.testing.assert_allclose(own @ own.T, fitted(plain) @ fitted(plain).T, atol=2e-3)
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1.0, rtol=1e-5)


def test_a_sample_is_made_of_texts_of_its_class(built):
    train = built[0]["train"]
    source = PreparedGlosses.create(train, 4, 2)
    labels = jnp.arange(200) % 2
    rows = source._draw((jnp.array([2, 0]), jnp.asarray(1)), labels, jax.random.key(1))
    for label, of in enumerate((2, 0)):
        known = np.float32(train.rows[train.starts[of] : train.starts[of + 1]])
        nearest = np.asarray(rows[label::2]) @ known.T
        np.testing.assert_allclose(nearest.max(1), 1.0, atol=1e-3)
        assert len(set(nearest.argmax(1).tolist())) == len(known)


def test_bad_arguments_are_refused(built):
    train = built[0]["train"]
    with pytest.raises(InputError, match="needs 2 to 4 classes"):
        PreparedGlosses.create(train, 4, 5)
    with pytest.raises(InputError, match="n_components must be from 1 to 12, got 13"):
        PreparedGlosses.create(train, 13, 2)
    with pytest.raises(InputError, match=r"n_classes must be an integer, got 2\.0"):
        PreparedGlosses.create(train, 4, 2.0)
    # A field with fewer classes than a task gives no tasks of its own.
    source = PreparedGlosses.create(dataclasses.replace(train), 4, 4)
    assert set(np.asarray(source.groups).tolist()) == {-1}
