"""A real server on this machine that answers as services do, and fails as they do when told to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from tests.weather.feed_answers import ANSWERS


@dataclass(frozen=True)
class Fault:
    """How an answer differs from a good one; everything left out is as in that."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    type: str | None = None
    share: float = 1.0  # of the body that is sent
    states_length: bool = True
    delay_s: float = 0.0
    resets: bool = False


GOOD = Fault()


class FeedServer(ThreadingHTTPServer):
    """Answers of all services on one port; `faults` are taken from, one for each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.edit: Callable[[str], str] = str

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        fault = self.server.faults.pop(0) if self.server.faults else GOOD
        self.server.asked.append((parts.path, params))
        time.sleep(fault.delay_s)
        if fault.resets:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        answer = next(entry for path, *entry in ANSWERS.values() if parts.path.endswith(path))
        text = self.server.edit(answer[0](params)) if fault.body is None else fault.body
        body = text.encode()
        self.send_response(fault.status)
        for name, value in fault.headers.items():
            self.send_header(name, value)
        kind = answer[1] if fault.type is None else fault.type
        if kind:
            self.send_header("Content-Type", kind)
        if fault.states_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: int(fault.share * len(body))])

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving() -> Iterator[FeedServer]:
    """Serve in a thread."""
    with FeedServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def closed_port() -> Iterator[str]:
    """A base URL where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
