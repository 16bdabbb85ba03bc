"""Calls to the gateway: envelopes in, typed data or CarillonError out."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError
from pydantic_core import to_json

from carillon_client.errors import (
    UNWRITABLE_REQUEST,
    CarillonError,
    refusal,
    silence,
    unreadable,
)
from carillon_client.repeating import repeating
from shared.schemas.envelope import Envelope

Answer = TypeVar("Answer")
Params = Mapping[str, str | int | bool | None]

_PAGE_SIZE = 100


class Transport:
    """One gateway, one key, a pool of connections.

    `timeout` in seconds for each step of a call. Raises ValueError for an address or a key that
    can be none.
    """

    def __init__(
        self, base_url: str, api_key: str | None, *, timeout: float, attempts: int
    ) -> None:
        address = _address(base_url)
        self._attempts = attempts
        self._http = httpx.Client(
            base_url=address,
            headers=_headers(api_key),
            timeout=timeout,
            # A proxy in the environment does not lead to this machine.
            trust_env=not _is_loopback(address.host),
        )

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        answer: type[Answer],
        *,
        body: Mapping[str, Any] | None = None,
        params: Params | None = None,
        idempotency_key: str | None = None,
    ) -> Envelope[Answer]:
        """Asks and reads the answer; raises CarillonError."""
        request = self._request(method, path, body, params, idempotency_key)
        harmless = method == "GET" or idempotency_key is not None
        response: httpx.Response = repeating(self._attempts, harmless=harmless)(self._send, request)
        try:
            return Envelope[answer].model_validate_json(response.content)  # type: ignore[valid-type]
        except ValidationError as error:
            raise unreadable(response) from error

    def pages(
        self, path: str, item: type[Answer], *, limit: int | None, params: Params | None = None
    ) -> Iterator[Answer]:
        """The items of a list, fetched page by page as they are taken; at most `limit`."""
        left, cursor = limit, None
        while left is None or left > 0:
            size = _PAGE_SIZE if left is None else min(left, _PAGE_SIZE)
            here = {**(params or {}), "limit": size, "cursor": cursor}
            page = self.call("GET", path, list[item], params=here)  # type: ignore[valid-type]
            yield from page.data
            cursor = page.meta.next_cursor if page.meta else None
            if cursor is None:
                return
            left = None if left is None else left - len(page.data)

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        params: Params | None,
        idempotency_key: str | None,
    ) -> httpx.Request:
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            return self._http.build_request(
                method,
                path,
                content=None if body is None else to_json(body),
                params=given,
                headers=headers,
            )
        except (ValueError, httpx.InvalidURL) as error:
            message = f"This cannot be sent: {error}"
            raise CarillonError(UNWRITABLE_REQUEST, None, message) from error

    def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            response = self._http.send(request)
        except httpx.TransportError as error:
            raise silence(error, request) from error
        if not response.is_success:
            raise refusal(response)
        return response


def _address(base_url: str) -> httpx.URL:
    try:
        address = httpx.URL(base_url.rstrip("/"))
    except httpx.InvalidURL as error:
        raise ValueError(f"{base_url!r} is not an address: {error}") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise ValueError(f"{base_url!r} is not an address such as http://127.0.0.1:8000")
    return address


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"User-Agent": "carillon-client"}
    if api_key:
        if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise ValueError("The API key holds characters that no key has.")
        headers["Authorization"] = f"Bearer {api_key}"
    return headers


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
