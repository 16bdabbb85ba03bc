"""Another service of the suite, asked over HTTP: a deadline, a breaker, one meaning per failure.

unreachable, timeout, 5xx   NeighbourUnavailable, counts for the breaker
breaker open                NeighbourUnavailable at once
401, 403                    NeighbourUnavailable; logged, for the internal tokens differ
any other 4xx, or an
answer we cannot read       NeighbourMisunderstood: a bug in one of the two services
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar
from urllib.parse import unquote

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from shared.errors import BreakerOpen, CarillonError, NeighbourUnavailable, NotFound
from shared.observability import correlation
from shared.resilience.breaker import Breaker
from shared.schemas.envelope import Envelope

log = structlog.get_logger()

Answer = TypeVar("Answer", bound=BaseModel)
Query = str | Mapping[str, str] | tuple[tuple[str, str], ...]

_MAX_CONNECTIONS = 32
_MOST_PASSED_ON = 500
_KEEPALIVE_SECONDS = 30.0
_SHOWN_CHARACTERS = 300
_PLAIN_PATH = re.compile(r"/[^\x00-\x20\x7f-\U0010ffff?#\\]*")
_DOTS = frozenset({".", ".."})


class NeighbourMisunderstood(CarillonError):
    """The neighbour refused our question, or we cannot read its answer: a bug in one of the two."""


class Neighbour:
    """Client to one other service; a resource of the service that asks.

    `token` is the suite's internal service token. `timeout` in seconds covers a whole call, the
    wait for a free connection included.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        token: str,
        *,
        timeout: float = 2.0,
        breaker: Breaker | None = None,
        essential: bool = False,
    ) -> None:
        self.name = name
        self.essential = essential
        self._base_url = httpx.URL(base_url.rstrip("/"))
        self._token = token
        self._timeout = timeout
        self._breaker = breaker or Breaker(name, counts=(NeighbourUnavailable,))
        # Questions of our own never wait for a client's requests that are passed on.
        self._places_to_ask = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._places_to_pass_on = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._passed_on = 0
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Makes the client; reaches nobody, so that services may start in any order."""
        self._client = httpx.AsyncClient(
            # `_reaching` keeps the one deadline of a call.
            timeout=httpx.Timeout(None),
            # httpx's own bound loses a place for good when a call that waits for one is cancelled:
            # the semaphores bound the connections.
            limits=httpx.Limits(
                max_keepalive_connections=_MAX_CONNECTIONS, keepalive_expiry=_KEEPALIVE_SECONDS
            ),
            # A proxy in the environment is not meant for calls inside the suite.
            trust_env=False,
        )

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def ping(self) -> None:
        """Raises NeighbourUnavailable when the neighbour does not answer; passes the breaker by."""
        async with self._reaching(self._timeout):
            response = await self._send("GET", "/livez")
        if not response.is_success:
            raise self._unavailable(f"answered {response.status_code}")

    async def ask(self, path: str, question: BaseModel, answer: type[Answer]) -> Answer:
        """POSTs a question and returns the data of the answer's envelope.

        Questions only read, or may be repeated: one is asked again at once when it met a
        connection that the neighbour had just closed.
        Raises NeighbourUnavailable, NeighbourMisunderstood.
        """
        content = question.model_dump_json().encode()
        headers = {"content-type": "application/json"}
        with self._guarded():
            async with self._reaching(self._timeout), self._places_to_ask:
                try:
                    response = await self._send("POST", path, content=content, headers=headers)
                except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                    response = await self._send("POST", path, content=content, headers=headers)
                if response.is_server_error:
                    raise self._unavailable(f"answered {response.status_code}")
        return self._read(path, response, answer)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - another deadline than the usual one
    ) -> httpx.Response:
        """Passes a client's request on and returns whatever the neighbour says, 5xx too.

        Our own token and correlation id replace those in `headers`.
        `path` is still percent-encoded. Raises NeighbourUnavailable only when the neighbour does
        not answer or too many wait for it, NotFound for a path that is not plain (`..`, a query).
        """
        if self._passed_on >= _MOST_PASSED_ON:
            raise self._unavailable("too many requests wait for it")
        seconds = timeout or self._timeout
        self._passed_on += 1
        try:
            with self._guarded():
                async with self._reaching(seconds), self._places_to_pass_on:
                    return await self._send(
                        method, path, params=params, content=content, headers=headers
                    )
        finally:
            self._passed_on -= 1

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Query | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        if self._client is None:
            raise self._unavailable("not opened")
        ours = {"authorization": f"Bearer {self._token}", "accept-encoding": "identity"}
        if correlation_id := correlation.current():
            ours[correlation.HEADER.lower()] = correlation_id
        given = {name.lower(): value for name, value in (headers or {}).items()}
        headers = {**given, **ours}
        return await self._client.request(
            method, self._address(path), params=params, content=content, headers=headers
        )

    def _address(self, path: str) -> httpx.URL:
        """The neighbour's own address of `path`, exactly as it came.

        With our token a path must lead nowhere else than its first words say.
        """
        if not _PLAIN_PATH.fullmatch(path) or _DOTS & set(unquote(path).split("/")):
            raise NotFound("There is nothing at this address.")
        prefix = self._base_url.raw_path.rstrip(b"/")
        return self._base_url.copy_with(raw_path=prefix + path.encode("ascii"))

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with self._breaker.guard():
                yield
        except BreakerOpen as error:
            raise self._unavailable("paused after repeated failures") from error

    @asynccontextmanager
    async def _reaching(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise self._unavailable(f"no answer within {seconds:g} s") from error
        except httpx.TransportError as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    def _read(self, path: str, response: httpx.Response, answer: type[Answer]) -> Answer:
        if response.status_code in (401, 403):
            log.error(
                "neighbour refuses the internal token: give all services the same one",
                neighbour=self.name,
                path=path,
                status=response.status_code,
            )
            raise self._unavailable("refuses the internal token")
        if not response.is_success:
            said = response.text[:_SHOWN_CHARACTERS]
            raise NeighbourMisunderstood(
                f"{self.name} answered {response.status_code} to {path}: {said}"
            )
        try:
            return Envelope[answer].model_validate_json(response.content).data  # type: ignore[valid-type]
        except ValidationError as error:
            raise NeighbourMisunderstood(
                f"{self.name} answered {path} with something unreadable: {error}"
            ) from error

    def _unavailable(self, detail: str) -> NeighbourUnavailable:
        return NeighbourUnavailable(f"{self.name} is not available: {detail}")
