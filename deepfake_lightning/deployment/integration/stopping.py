"""SIGTERM: what is under way is answered, and the server ends by itself."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException, HTTPResponse
from urllib.parse import urlencode, urlsplit

from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import IntegrationCheck
from deepfake_lightning.deployment.integration.server import StagingServer
from deepfake_lightning.deployment.integration.traffic import PREDICT, Picture

NAME = "stop"
_SECONDS = 20.0  # that a connection waits for the server


def check_stop(server: StagingServer, picture: Picture, plan: IntegrationPlan) -> IntegrationCheck:
    """Tell a server to end while requests are half sent, send the rest, and wait for its end.

    The server asks for each body (``100 Continue``) before it is told, so that every request is
    surely under way by then.

    Args:
        server: that runs; it is gone afterwards, unless the check fails.
        picture: that is sent.
        plan: how many requests are under way, and how long the end may take.
    """
    with ExitStack() as stack:
        try:
            requests = [stack.enter_context(_half_sent(server, picture))
                        for _ in range(plan.concurrency)]  # fmt: skip
        except (OSError, HTTPException) as error:
            return _check(f"the server takes no request: {error}", None, plan)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        unanswered = [fault for one in requests if (fault := _finish(one, picture))]
    code = server.wait_until_gone(plan.stop_seconds - (time.monotonic() - began))
    seconds = round(time.monotonic() - began, 3)
    if code is None:
        return _check(f"the server had not ended {seconds:.1f} s after SIGTERM", seconds, plan)
    if code != 0:
        return _check(f"the server ended with exit code {code} after SIGTERM", seconds, plan)
    if unanswered:
        says = f"{len(unanswered)} of {len(requests)} requests under way were not answered at "
        return _check(f"{says}SIGTERM: {unanswered[0]}", seconds, plan)
    says = f"{len(requests)} requests under way were answered after SIGTERM, and the server ended"
    return IntegrationCheck(NAME, True, f"{says} by itself", seconds, plan.stop_seconds, "s")


def _check(says: str, seconds: float | None, plan: IntegrationPlan) -> IntegrationCheck:
    return IntegrationCheck(NAME, False, says, seconds, plan.stop_seconds, "s")


@contextmanager
def _half_sent(server: StagingServer, picture: Picture) -> Iterator[socket.socket]:
    place = urlsplit(server.url)
    path = f"{PREDICT}?{urlencode(picture.query)}" if picture.query else PREDICT
    headers = {"Host": place.netloc, "Content-Length": str(len(picture.content)),
               "Expect": "100-continue", **server.headers}  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((place.hostname, place.port), timeout=_SECONDS) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("ascii"))
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            if not (more := connection.recv(1)):
                raise ConnectionError("it hangs up before the body is sent")
            said += more
        if not said.startswith(b"HTTP/1.1 100 "):
            raise ConnectionError(said.partition(b"\r\n")[0].decode("ascii", "replace"))
        connection.sendall(picture.content[: len(picture.content) // 2])
        yield connection


def _finish(connection: socket.socket, picture: Picture) -> str | None:
    """Send the rest of a request; return what is wrong with its answer, None where nothing is."""
    try:
        connection.sendall(picture.content[len(picture.content) // 2 :])
        answer = HTTPResponse(connection, method="POST")
        answer.begin()
        answer.read()
    except (OSError, HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    return None if answer.status == 200 else f"the answer {answer.status}"
