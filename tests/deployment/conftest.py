"""A server that is ready, or is not."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest


@pytest.fixture
def ready_server() -> Iterator[Callable[[int], int]]:
    """Starts a server whose `/readyz` answers with a status; returns its port."""
    with ExitStack() as running:

        def start(status: int) -> int:
            class Answer(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(status if self.path == "/readyz" else 404)
                    self.end_headers()

                def log_message(self, *_: object) -> None: ...

            server = running.enter_context(HTTPServer(("127.0.0.1", 0), Answer))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return int(server.server_port)

        yield start
