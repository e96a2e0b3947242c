"""Where the app listens, who may reach it, and how it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from deepfake_lightning.errors import UsageError
from deepfake_lightning.serving.access.connections import Connection
from deepfake_lightning.serving.access.guard import is_loopback

TOKEN_VARIABLE = "DEEPFAKE_TOKEN"
_SHORTEST_TOKEN = 16
KEEP_ALIVE_SECONDS = 30
_BACKLOG = 1024
_SILENT_SECONDS = 30  # after which a process is taken for hung, and replaced
GRACE_SECONDS = 40  # for requests that are under way when the server is told to end


def read_token(file: str | Path | None = None) -> str | None:
    """Return the token from a file, or from ``DEEPFAKE_TOKEN``; None where neither is given.

    It is no flag of its own: other users see the flags of a process.

    Raises:
        UsageError: the file cannot be read, or the token is short or has characters that do not
            pass through a header. The token is not repeated.
    """
    if file is not None:
        source = str(file)
        try:
            token = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            fault = getattr(error, "strerror", None) or "it is no text"
            raise UsageError(f"the token file {file} cannot be read: {fault}") from error
    elif (given := os.environ.get(TOKEN_VARIABLE)) is not None:
        source, token = TOKEN_VARIABLE, given
    else:
        return None
    if len(token) < _SHORTEST_TOKEN or not all("!" <= sign <= "~" for sign in token):
        raise UsageError(
            f"the token in {source} is not of {_SHORTEST_TOKEN} or more letters, digits and signs",
            why="a short one can be guessed; others do not pass through a header",
            next_step="make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return token


def check_address(host: str, asks: bool) -> None:
    """Let only this machine in where no token is asked for.

    Raises:
        UsageError: others could reach the server, and there is no token.
    """
    if not asks and not is_loopback(host):
        raise UsageError(
            f"--host {host} lets other machines in, and there is no token",
            why="anyone there could use the detector",
            next_step="make one (deepfake-lightning token create NAME) or set "
            f"{TOKEN_VARIABLE}; or leave --host out",
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; with port 0 on a free one.

    Raises:
        UsageError: the port is taken or not allowed, or the host is not this machine's.
    """
    taken = "pass another --port (0 picks a free one), or end what listens there"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # The port as it was asked for: the one looked up is cut to 16 bits.
        return socket.create_server((address[0], port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        in_use = getattr(error, "errno", None) == errno.EADDRINUSE
        fault = "the port is in use" if in_use else getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot listen on {host} port {port}: {fault}",
            next_step=taken if in_use else "pass an address of this machine and a port above 1023",
        ) from error


def url_of(listener: socket.socket) -> str:
    """Return the address to ask for, with the port that was picked."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def make_server(app: ASGIApp) -> uvicorn.Server:
    """Return a server for the app; setting its ``should_exit`` ends it."""
    return uvicorn.Server(_config(app))


def _config(app: ASGIApp | Callable[[], ASGIApp], processes: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=processes > 1,
        workers=processes,
        http=Connection,
        loop="asyncio",  # whatever other packages have brought along
        ws="none",
        lifespan="on",
        access_log=False,  # the request log says more
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=_SILENT_SECONDS,
    )


def run(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT; requests that are under way are answered first."""
    server = make_server(app)
    with _ended_by_signals(server):
        server.run(sockets=[listener])


def run_processes(make_app: Callable[[], ASGIApp], listener: socket.socket, processes: int) -> None:
    """Serve with several processes on one socket; one that dies is replaced.

    Args:
        make_app: makes the app in each process; it is sent there.
        listener: the socket.
        processes: how many, 2 or more.
    """
    Multiprocess(_config(make_app, processes), sockets=[listener]).run()


@contextmanager
def _ended_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Take the signals: once it has ended, uvicorn sends itself those that it got."""

    def end(number: int, frame: object) -> None:
        server.should_exit = True

    if threading.current_thread() is not threading.main_thread():  # Python allows them there only
        yield
        return
    before = {kind: signal.signal(kind, end) for kind in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
