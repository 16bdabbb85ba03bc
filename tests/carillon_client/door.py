"""A door in front of a gateway that may answer 503, or pass a call on and lose its answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_PASSED_ON = ("Content-Type", "Authorization", "Idempotency-Key")


class Door(ThreadingHTTPServer):
    """Loses the answers of the first `lost` calls, refuses the next `refused`, passes the rest."""

    daemon_threads = True

    def __init__(self, gateway_url: str, *, lost: int, refused: int) -> None:
        super().__init__(("127.0.0.1", 0), _Caller)
        self.gateway_url = gateway_url
        self.lost = lost
        self.refused = refused
        self.calls: list[tuple[str, str | None]] = []
        """Path and idempotency key of each call."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Caller(BaseHTTPRequestHandler):
    server: Door

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        door = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        door.calls.append((self.path, self.headers.get("Idempotency-Key")))
        if door.lost > 0:
            door.lost -= 1
            self._ask(body)
        elif door.refused > 0:
            door.refused -= 1
            self.send_response(503)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            answer = self._ask(body)
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

    def _ask(self, body: bytes) -> httpx.Response:
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        url = self.server.gateway_url + self.path
        return httpx.request(
            self.command, url, content=body, headers=headers, timeout=30, trust_env=False
        )

    def log_message(self, *_: object) -> None:
        """Nothing: the test tells."""


@contextmanager
def door_before(gateway_url: str, *, lost: int = 0, refused: int = 0) -> Iterator[Door]:
    with Door(gateway_url, lost=lost, refused=refused) as door:
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield door
        finally:
            door.shutdown()
            thread.join()
