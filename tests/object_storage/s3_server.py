"""An S3-compatible server on this machine, whose answers can be spoiled."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

Answer = Iterable[bytes]


class Server:
    """moto's server, with what lies between it and a client.

    Attributes:
        url: its address.
        requests: ``(method, path)`` of all that came.
        fails_every: each so many-th request is answered with a 503; 0: none.
        cuts_every: the body of each so many-th GET is cut in half; 0: none.
        seconds: each answer takes longer by this.
    """

    def __init__(self) -> None:
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        self.requests: list[tuple[str, str]] = []
        self.fails_every = self.cuts_every = 0
        self.seconds = 0.0
        self._inside = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        # What an earlier server of this process was given is there still.
        reset = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")
        urllib.request.urlopen(reset).close()

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Answer:
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        number = len(self.requests)
        time.sleep(self.seconds)
        if self.fails_every and number % self.fails_every == 0:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>later</Message></Error>"]
        answer = b"".join(self._inside(environ, start))
        cut = self.cuts_every and environ["REQUEST_METHOD"] == "GET"
        return [answer[: len(answer) // 2] if cut and number % self.cuts_every == 0 else answer]

    def count(self, method: str, part: str) -> int:
        """Return how many requests of a method had something in their path."""
        return sum(one[0] == method and part in one[1] for one in self.requests)

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._thread.join()


@contextmanager
def running() -> Iterator[Server]:
    """Give a server, and end it."""
    server = Server()
    try:
        yield server
    finally:
        server.stop()
