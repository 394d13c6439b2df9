"""The page's server: what it gives, and to whom."""

import http.client
import json
import threading

import pytest

from metaplastic.errors import InputError
from metaplastic.labelling.server import HEADERS, HOST, MOST_BYTES, open_address, serve


@pytest.fixture
def served(make_session):
    """A function that asks the server, which another thread runs, and its address."""
    pytest.importorskip("uvicorn")
    address, ready = open_address(), threading.Event()
    session, _ = make_session()
    session.prepare()
    words = (session, address, "a <pool>", lambda: {"files": ["labels.csv"]}, ready.set)
    thread = threading.Thread(target=serve, args=words)
    thread.start()
    ready.wait(20)

    def ask(name="state", said=None, *, token=address.token, **headers):
        connection = http.client.HTTPConnection(HOST, address.port, timeout=20)
        try:
            body = None if said is None else json.dumps(said)
            sent = {"Content-Type": "application/json"} if said is not None else {}
            method = "GET" if said is None else "POST"
            connection.request(method, f"/{token}/{name}", body, sent | headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    yield ask, address
    if thread.is_alive():
        ask("finish", {})
    thread.join(20)
    assert not thread.is_alive()
    address.listening.close()


def test_the_page_and_its_answers(served):
    ask, _ = served
    for name in ("", "label.css", "label.js"):
        status, content, headers = ask(name)
        assert status == 200 and len(content) > 500
        assert all(headers[key] == value for key, value in HEADERS.items())
        assert b"://" not in content and b"@import" not in content  # nothing from elsewhere
    state = json.loads(ask()[1])
    assert (state["title"], state["rows"], state["labelled"]) == ("a <pool>", 90, 0)
    row = state["row"]["number"]
    assert json.loads(ask("label", {"row": row, "label": "<i>"})[1])["labelled"] == 1
    assert len(json.loads(ask("map")[1])["x"]) == 90
    status, content, _ = ask("label", {"row": row, "label": "x"})
    assert status == 409 and "another row" in json.loads(content)["error"]
    assert json.loads(ask("class", {"label": "y"})[1])["classes"][1]["name"] == "y"
    assert (
        json.loads(ask("skip", {"row": json.loads(ask()[1])["row"]["number"]})[1])["skipped"] == 1
    )
    assert json.loads(ask("undo", {})[1])["skipped"] == 0
    assert json.loads(ask("finish", {})[1]) == {"files": ["labels.csv"]}


def test_strangers_get_nothing(served):
    ask, address = served
    assert ask(token="guess")[0] == 404
    assert ask(token="%C3%A9")[0] == 404
    assert ask(Host="evil.example")[0] == 421
    assert ask(Host=f"{HOST}:1")[0] == 421
    assert ask(Origin="http://evil.example")[0] == 403
    assert ask("undo", {}, Origin="null")[0] == 403
    assert ask(Origin=f"http://{HOST}:{address.port}")[0] == 200
    assert ask("label", {"row": 1, "label": "x"}, **{"Content-Type": "text/plain"})[0] == 415


@pytest.mark.parametrize(
    "name",
    [
        "picture/0",
        "picture/90",
        "picture/-1",
        "picture/x",
        "picture/../../etc/passwd",
        "../label.js",
    ],
)
def test_what_is_not_there(served, name):
    assert served[0](name)[0] == 404


@pytest.mark.parametrize(
    ("name", "said", "status"),
    [
        ("label", {"row": "1", "label": "x"}, 400),
        ("label", {"row": True, "label": "x"}, 400),
        ("label", {"row": 1}, 400),
        ("skip", {}, 400),
        ("anything", {}, 400),
        ("label", [1], 400),
        ("class", {"label": "x" * (MOST_BYTES + 1)}, 413),
        ("class", {"label": "nan"}, 409),
    ],
)
def test_requests_that_ask_nothing(served, name, said, status):
    assert served[0](name, said)[0] == status


def test_a_port_in_use_is_told():
    address = open_address()
    address.listening.listen(1)
    with address.listening, pytest.raises(InputError, match=f"port {address.port} cannot be used"):
        open_address(address.port)
    with pytest.raises(InputError, match="cannot be used"):
        open_address(99999)
