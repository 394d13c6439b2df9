"""Labelling without the page: rows, the reading, the map, what is estimated."""

import base64

import numpy as np
import pytest

from metaplastic.errors import InputError
from metaplastic.labelling.estimate import estimate_accuracy
from metaplastic.labelling.memory import check_memory, checksum
from metaplastic.labelling.plane import places_in_plane
from metaplastic.labelling.queue import BATCH, Queue
from metaplastic.readings import ReadingPool
from metaplastic.readings.remembered import RememberedPool


def read(state):
    """Of every row the name of the class that is read."""
    numbers = np.frombuffer(base64.b64decode(state["read"]), np.uint8)
    names = [one["name"] for one in state["classes"]]
    return np.array([*names, ""])[np.minimum(numbers, len(names))]


def answer(session, truth, times):
    state = session.state()
    for _ in range(times):
        row = state["row"]["number"]
        state = session.label(row, str(truth[row]))
    return state


def test_ten_labels_are_enough_and_the_estimate_says_so(make_session, pool):
    session, answers = make_session()
    assert read(session.state()).tolist() == [""] * 90
    assert session.state()["estimate"] is None
    state = answer(session, pool[1], 10)
    assert {*answers.labels.values()} == {"ant", "bee", "cat"}
    assert np.mean(read(state) == pool[1]) > 0.95
    found = state["estimate"]
    assert 0 < found["low"] < found["share"] < found["high"] <= 1
    assert len(state["unsure"]) == 5 and state["unsure"][0]["first"] != ""


def test_rows_drawn_at_random_check_the_reading(make_session, pool):
    session, answers = make_session()
    before = answer(session, pool[1], BATCH)
    assert before["check"]
    state = answer(session, pool[1], 6)
    assert (state["estimate"]["checked"], state["estimate"]["hits"]) == (2, 2)
    assert answers.checks == {row: True for row in answers.checks}
    session.undo()
    assert session.state()["estimate"]["checked"] == 1
    assert session.state()["check"]


def test_skip_undo_and_new_classes(make_session, pool):
    session, _ = make_session(classes=("ant",))
    first = session.state()["row"]["number"]
    state = session.skip(first)
    assert (state["skipped"], state["row"]["number"] != first) == (1, True)
    assert session.undo()["row"]["number"] == first
    assert session.name_class("bee")["classes"][1] == {"name": "bee", "labelled": 0, "share": 0.0}
    with pytest.raises(InputError, match="no answer to take back"):
        session.undo()
    with pytest.raises(InputError, match="another row is shown"):
        session.label(first + 1, "ant")


def test_all_rows_can_be_done(make_session, pool):
    x, truth = pool[0][:12], pool[1][:12]
    session, _ = make_session(x)
    state = answer(session, truth, 12)
    assert state["row"] is None and state["labelled"] == 12
    assert session.fitted()[1] == list(dict.fromkeys(c["name"] for c in state["classes"]))
    with pytest.raises(InputError, match="another row"):
        session.skip(0)
    assert session.undo()["row"] is not None


@pytest.mark.parametrize(
    ("rows", "labelled", "said"), [(1, 0, "two rows or more"), (2, 2, "all 2 rows")]
)
def test_nothing_to_label(make_session, pool, rows, labelled, said, tmp_path):
    lines = "".join(f"{row},a\n" for row in range(labelled))
    (tmp_path / "labels.csv").write_text(f"row,label\n{lines}")
    with pytest.raises(InputError, match=said):
        make_session(pool[0][:rows])


def test_too_many_classes_are_told(make_session, monkeypatch):
    monkeypatch.setattr("metaplastic.labelling.session.MOST_CLASSES", 2)
    with pytest.raises(InputError, match="at most 2 classes"):
        make_session(classes=("a", "b", "c"))


def test_map_and_pictures(make_session):
    session, _ = make_session()
    session.prepare()
    found = session.map()
    assert len(found["x"]) == len(found["y"]) == 90
    assert min(found["x"]) == 0 and max(found["y"]) == 1000
    for row in (-1, 90):
        with pytest.raises(InputError, match="there is no row"):
            session.picture(row)
    with pytest.raises(InputError, match="no pictures"):
        session.picture(0)


def test_what_is_remembered_is_what_would_be_computed(pool):
    x, names = pool
    remembered, numbers = RememberedPool(x), np.unique(names, return_inverse=True)[1]
    for count in (3, 7, 30):
        rows = np.arange(count)
        plain = ReadingPool(x).fit("auto", rows, numbers[:count])
        kept = remembered.fit("auto", rows, numbers[:count])
        np.testing.assert_allclose(kept.scores(x), plain.scores(x), rtol=0.02, atol=0.02)
    assert len(remembered.graph.kept) == 30


def test_groups_stay_together_on_the_map(pool, monkeypatch):
    x, names = pool
    monkeypatch.setattr("metaplastic.labelling.plane.LANDMARKS", 60)
    places = places_in_plane(x)
    centres = np.array([places[names == name].mean(0) for name in ("ant", "bee", "cat")])
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(1)
    assert np.mean(np.array(["ant", "bee", "cat"])[nearest] == names) > 0.9
    np.testing.assert_array_equal(places, places_in_plane(x))
    for rows in (x[:2], np.ones((3, 1), np.float32)):
        assert np.all(np.isfinite(places_in_plane(rows)))


def test_the_queue_shows_every_row_once(pool):
    queue, done = Queue(pool[0][:30], lambda: None), set()
    while (found := queue.next(done)) is not None:
        assert found[0] not in done
        assert found[1] == (len(done) >= BATCH and len(done) % 5 == 0)
        assert found == queue.next(done) or not found[1]
        done.add(found[0])
    assert done == set(range(30))


def test_the_estimate_narrows_with_checks():
    few, many = estimate_accuracy(0.9, 1, 1), estimate_accuracy(0.9, 90, 100)
    assert many.high - many.low < few.high - few.low
    assert estimate_accuracy(0.9, 0, 20).share < 0.4
    for believed in (0.0, 1.0):
        assert 0 <= estimate_accuracy(believed, 0, 0).low <= 1


def test_pools_too_large_are_refused_before_any_work():
    with pytest.raises(InputError, match="give a sample of at most 40 rows"):
        check_memory(1000, 512, free=40 * 6 * 4 * 512)
    check_memory(10, 512)


def test_checksums_tell_pools_apart(pool):
    x = pool[0]
    assert checksum(x) == checksum(x.copy())
    assert len({checksum(x), checksum(x[:-1]), checksum(x + 1), checksum(x[:, :-1])}) == 4
