"""The page, served to the browser of this machine and to nobody else."""

import dataclasses
import json
import secrets
import socket
from collections.abc import Callable, Collection
from importlib.resources import files
from typing import Any

from metaplastic.errors import InputError, MetaplasticError
from metaplastic.extras import require
from metaplastic.labelling.session import Session

HOST = "127.0.0.1"
MOST_BYTES = 10_000
"""Of a request; answers are short."""

PAGE = {
    "": ("index.html", "text/html; charset=utf-8"),
    "label.css": ("label.css", "text/css; charset=utf-8"),
    "label.js": ("label.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclasses.dataclass(frozen=True)
class Address:
    """Where the page is: a socket that listens, and the token without which nobody gets it."""

    listening: socket.socket
    token: str

    @property
    def port(self) -> int:
        """On `HOST`."""
        return int(self.listening.getsockname()[1])

    @property
    def url(self) -> str:
        """For the browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"


def open_address(port: int = 0) -> Address:
    """A free port of this machine alone, or the one that was asked for.

    Raises
    ------
    InputError
        If it is in use.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listening.close()
        why = getattr(error, "strerror", None) or "ports are 0 to 65535"
        raise InputError(
            f"port {port} cannot be used ({why}); leave --port away for a free one"
        ) from error
    return Address(listening, secrets.token_urlsafe(18))


def serve(
    session: Session,
    address: Address,
    title: str,
    save: Callable[[], dict[str, Any]],
    ready: Callable[[], None],
) -> None:
    """Serve the page until a person finishes there, or interrupts the process.

    Parameters
    ----------
    session : Session
        What is labelled.
    address : Address
        Of `open_address`.
    title : str
        Of the data.
    save : Callable[[], dict[str, Any]]
        Writes what was learned; what it returns is shown.
    ready : Callable[[], None]
        Called once, when the page can be asked for.
    """
    require("uvicorn", "the page", "label")
    import uvicorn

    def finish() -> dict[str, Any]:
        saved = save()
        server.should_exit = True
        return saved

    app = make_app(session, address.token, address.port, title, finish)
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", timeout_graceful_shutdown=5, server_header=False
    )
    server = uvicorn.Server(config)
    address.listening.listen(16)
    ready()
    server.run(sockets=[address.listening])


def make_app(
    session: Session, token: str, port: int, title: str, finish: Callable[[], dict[str, Any]]
) -> Any:
    """The application: everything lies below `/TOKEN/`, and all else is not found."""
    require("starlette", "the page", "label")
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    hosts = {f"{HOST}:{port}", f"localhost:{port}"}

    async def answer(request: Request) -> Response:
        no = _refused(request, hosts, token)
        if no is not None:
            response = Response(no[0], no[1])
        elif request.method == "POST":
            response = await _post(request, session, finish)
        else:
            response = await _get(request.path_params["name"], session, title)
        response.headers.update(HEADERS)
        return response

    return Starlette(routes=[Route("/{token}/{name:path}", answer, methods=["GET", "POST"])])


def _refused(request: Any, hosts: Collection[str], token: str) -> tuple[str, int] | None:
    """A page elsewhere may make a browser ask here; it neither knows the token nor is us."""
    if request.headers.get("host", "") not in hosts:
        return "wrong host", 421
    origin = request.headers.get("origin")
    if origin is not None and origin not in {f"http://{host}" for host in hosts}:
        return "wrong origin", 403
    if not secrets.compare_digest(request.path_params["token"].encode(), token.encode()):
        return "not found", 404
    return None


async def _get(name: str, session: Session, title: str) -> Any:
    """The page's files, the state, the map, and pictures of rows."""
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import Response

    if name in PAGE:
        file, kind = PAGE[name]
        content = files("metaplastic.labelling").joinpath("page", file).read_bytes()
        return Response(content, media_type=kind)
    if name == "state":
        return await _answered(lambda: {"title": title, **session.state()})
    if name == "map":
        return await _answered(session.map)
    number = name.removeprefix("picture/")
    if number != name and number.isascii() and number.isdecimal() and len(number) < 12:
        try:
            content = await run_in_threadpool(session.picture, int(number))
        except MetaplasticError as error:
            return Response(" ".join(str(error).split()), 404)
        return Response(content, media_type="image/png")
    return Response("not found", 404)


async def _post(request: Any, session: Session, finish: Callable[[], dict[str, Any]]) -> Any:
    """What a person does on the page."""
    from starlette.responses import JSONResponse

    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            return JSONResponse({"error": "too long"}, 413)
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return JSONResponse({"error": "send JSON"}, 415)
    try:
        call = _call(session, request.path_params["name"], body, finish)
    except InputError as error:
        return JSONResponse({"error": str(error)}, 400)
    return await _answered(call)


async def _answered(call: Callable[[], Any]) -> Any:
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse

    try:
        return JSONResponse(await run_in_threadpool(call))
    except MetaplasticError as error:
        return JSONResponse({"error": " ".join(str(error).split())}, 409)


def _call(
    session: Session, name: str, body: bytes, finish: Callable[[], dict[str, Any]]
) -> Callable[[], dict[str, Any]]:
    """What a request asks of the session; raises `InputError` if it asks nothing that is known."""
    try:
        said = json.loads(body or b"{}")
    except ValueError as error:
        raise InputError("no JSON") from error
    if not isinstance(said, dict):
        raise InputError("no table")
    row: Any = said.get("row")
    word, known_row = said.get("label"), type(row) is int
    if name == "label" and known_row and isinstance(word, str):
        return lambda: session.label(row, word)
    if name == "skip" and known_row:
        return lambda: session.skip(row)
    if name == "class" and isinstance(word, str):
        return lambda: session.name_class(word)
    if name == "undo":
        return session.undo
    if name == "finish":
        return finish
    raise InputError("nothing that is known is asked")
