"""An outside provider, asked over HTTP: what was handed over is told apart from what was not.

not connected, or not all of
the request written            ProviderUnavailable: it says nothing about the message
no answer to a whole request   OutcomeUnknown: sent or not, nobody can tell
an answer                      the response, whatever its status: the provider reads it
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from shared.errors import OutcomeUnknown, ProviderUnavailable

_CONNECT_SECONDS = 5.0
# Many servers hang up on a connection that is idle for 5 s. A request that crosses with such a
# goodbye has an unknown outcome, so we are the first to hang up.
_KEEPALIVE_SECONDS = 4.0


class ProviderClient:
    """HTTP client of one provider. `timeout` in seconds, for each silence of the far side."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout: float,
        http2: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._http2 = http2
        self._login = login
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Makes the client; reaches nobody yet."""
        self._client = httpx.AsyncClient(
            http2=self._http2,
            auth=self._login,
            timeout=httpx.Timeout(self._timeout, connect=min(_CONNECT_SECONDS, self._timeout)),
            # Lanes bound how many calls there are at once.
            limits=httpx.Limits(max_connections=None, keepalive_expiry=_KEEPALIVE_SECONDS),
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def post(
        self,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """One POST, never repeated; raises ProviderUnavailable or OutcomeUnknown."""
        if self._client is None:
            raise ProviderUnavailable(f"{self._base_url} is not opened")
        handover = _Handover()
        try:
            return await self._client.post(
                self._base_url + path,
                json=json,
                data=form,
                headers=headers,
                extensions={"trace": handover},
            )
        except httpx.TransportError as error:
            said = str(error) or type(error).__name__
            if handover.is_complete:
                raise OutcomeUnknown(f"no answer from {self._base_url}: {said}") from error
            raise ProviderUnavailable(f"{self._base_url} not reached: {said}") from error


class _Handover:
    """Watches whether the last byte of a request was written."""

    is_complete = False

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        if event.endswith("send_request_body.complete"):
            self.is_complete = True


def retry_after(response: httpx.Response) -> float | None:
    """Seconds that the provider asks us to wait (RFC 9110 10.2.3), or None."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
