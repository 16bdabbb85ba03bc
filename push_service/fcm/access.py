"""Access tokens for Google's APIs: fetched with a signed assertion, renewed ahead of their end.

Source: https://developers.google.com/identity/protocols/oauth2/service-account
"""

import asyncio
import time
from typing import Any

import httpx
from google.auth import crypt, jwt

from push_service.fcm.account import ServiceAccount
from shared.errors import OutcomeUnknown, ProviderMisconfigured, ProviderUnavailable
from shared.http.provider_client import ProviderClient

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS = 3600
_RENEW_AHEAD_SECONDS = 300.0


class AccessTokens:
    """The account's current token; many may ask at once, one fetches."""

    def __init__(self, account: ServiceAccount, *, timeout: float) -> None:
        self._account = account
        self._signer = crypt.RSASigner.from_string(  # type: ignore[no-untyped-call]
            account.private_key.get_secret_value(), account.private_key_id
        )
        self._endpoint = ProviderClient(account.token_uri, timeout=timeout)
        self._fetching = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0

    async def open(self) -> None:
        await self._endpoint.open()

    async def close(self) -> None:
        await self._endpoint.close()

    async def current(self, *, instead_of: str | None = None) -> str:
        """A token that still holds, and is another one than `instead_of`.

        Raises ProviderUnavailable, or ProviderMisconfigured when Google refuses the account.
        """
        if self._holds(instead_of):
            return self._token
        async with self._fetching:
            if not self._holds(instead_of):
                await self._fetch()
            return self._token

    async def renew(self) -> None:
        """Fetches a token whether or not the current one holds."""
        async with self._fetching:
            await self._fetch()

    def _holds(self, instead_of: str | None) -> bool:
        return self._token != (instead_of or "") and time.monotonic() < self._renew_at

    async def _fetch(self) -> None:
        assertion = await asyncio.to_thread(self._assertion)
        try:
            answer = await self._endpoint.post(
                "", form={"grant_type": _GRANT_TYPE, "assertion": assertion}
            )
        except OutcomeUnknown as error:  # a token more or less: nothing was sent
            raise ProviderUnavailable(str(error)) from error
        if answer.status_code == 429 or answer.is_server_error:
            raise ProviderUnavailable(f"no access token: Google answered {answer.status_code}")
        granted = _object(answer)
        if not answer.is_success or "access_token" not in granted:
            said = granted.get("error_description") or granted.get("error") or answer.status_code
            raise ProviderMisconfigured(
                f"Google refuses the service account, check FCM_CREDENTIALS_FILE: {said}"
            )
        lifetime = float(granted.get("expires_in", _ASSERTION_SECONDS))
        self._token = str(granted["access_token"])
        self._renew_at = time.monotonic() + max(lifetime / 2, lifetime - _RENEW_AHEAD_SECONDS)

    def _assertion(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "aud": self._account.token_uri,
            "scope": SCOPE,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
        }
        return bytes(jwt.encode(self._signer, claims)).decode()  # type: ignore[no-untyped-call]


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        read = answer.json()
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
