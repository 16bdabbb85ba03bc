"""Firebase Cloud Messaging, HTTP v1.

Source: https://firebase.google.com/docs/cloud-messaging/send/v1-api
"""

from typing import Any

import httpx

from push_service.content import PushContent
from push_service.fcm.access import AccessTokens
from push_service.fcm.account import ServiceAccount
from push_service.fcm.answers import failure
from push_service.fcm.message import message
from shared.delivery.provider import Receipt
from shared.errors import OutcomeUnknown
from shared.http.provider_client import ProviderClient


class FcmProvider:
    """One Firebase project. `timeout` in seconds: FCM asks for 10 at least."""

    name = "fcm"

    def __init__(
        self, account: ServiceAccount, *, project: str, api_url: str, timeout: float = 15.0
    ) -> None:
        self._path = f"/v1/projects/{project}/messages:send"
        self._api = ProviderClient(api_url, timeout=timeout, http2=True)
        self._tokens = AccessTokens(account, timeout=timeout)

    async def open(self) -> None:
        await self._tokens.open()
        await self._api.open()

    async def close(self) -> None:
        await self._api.close()
        await self._tokens.close()

    async def probe(self) -> None:
        """Fetches an access token anew."""
        await self._tokens.renew()

    async def send(self, content: PushContent, *, key: str) -> Receipt:
        body = {"message": message(content, key)}
        token = await self._tokens.current()
        response = await self._post(body, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            response = await self._post(body, await self._tokens.current(instead_of=token))
        if not response.is_success:
            raise failure(response)
        return Receipt(self.name, _message_name(response))

    async def _post(self, body: dict[str, Any], token: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return await self._api.post(self._path, json=body, headers=headers)


def _message_name(response: httpx.Response) -> str:
    try:
        return str(response.json()["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise OutcomeUnknown("FCM answered with a success that cannot be read") from error
