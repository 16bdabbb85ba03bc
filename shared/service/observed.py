"""Every request gets its correlation id, its metric and, when it failed, its log line.

A bug is met here too, where its answer and its log line still bear the correlation id.
"""

import asyncio
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Unavailable
from shared.observability import correlation
from shared.observability.metrics import HTTP_SECONDS
from shared.service.failures import answer, answer_to_a_bug

log = structlog.get_logger()

_HEADER = correlation.HEADER.lower().encode()


class Observed:
    """Outermost middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 0
        started = time.perf_counter()
        given = next((value for name, value in scope["headers"] if name == _HEADER), b"")
        with correlation.correlated(
            correlation.accepted_or_new(given.decode("latin-1"))
        ) as correlation_id:

            async def stamped(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message.setdefault("headers", [])
                    message["headers"] = [
                        *message["headers"],
                        (_HEADER, correlation_id.encode()),
                    ]
                await send(message)

            try:
                await self._app(scope, receive, stamped)
            except Exception:
                log.exception("unexpected error", path=scope["path"])
                if not status:
                    await answer_to_a_bug()(scope, receive, stamped)
            except asyncio.CancelledError:
                # The grace time is up. What was begun may have been done.
                if not status:
                    late = Unavailable("The service is being restarted. Try again.")
                    await answer(late)(scope, receive, stamped)
            finally:
                seconds = time.perf_counter() - started
                route = getattr(scope.get("route"), "path", "unmatched")
                HTTP_SECONDS.labels(scope["method"], route, str(status)).observe(seconds)
                log_at = log.warning if status >= 500 else log.debug
                log_at(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round(seconds * 1000, 2),
                )
