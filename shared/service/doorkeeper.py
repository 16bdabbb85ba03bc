"""How much a process takes in hand at once: beyond it callers are told 503, not left to wait."""

from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import Overloaded
from shared.service.body import BodyRules, rule_of
from shared.service.failures import answer

MOST_REQUESTS = 2000
MOST_BYTES = 64 * 1024 * 1024
"""Of all bodies together; one without a length counts as the longest that its route takes."""

_ALWAYS_OPEN = frozenset({"/livez", "/readyz", "/health", "/metrics"})


class Doorkeeper:
    """Counts the requests under way and their bodies, before anything of them is read."""

    def __init__(
        self,
        app: ASGIApp,
        rules: BodyRules | None = None,
        *,
        most_requests: int = MOST_REQUESTS,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._app = app
        self._rules = rules or {}
        self._requests_left = most_requests
        self._bytes_left = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS_OPEN:
            await self._app(scope, receive, send)
            return
        size = _size(scope, rule_of(scope, self._rules).max_bytes)
        if self._requests_left < 1 or self._bytes_left < size:
            await answer(Overloaded())(scope, receive, send)
            return
        self._requests_left -= 1
        self._bytes_left -= size
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests_left += 1
            self._bytes_left += size


def _size(scope: Scope, longest: int) -> int:
    headers = dict(scope["headers"])
    length = headers.get(b"content-length")
    if length is not None and length.isdigit():
        return min(int(length), longest)
    return longest if b"transfer-encoding" in headers else 0
