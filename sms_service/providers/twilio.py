"""Twilio's Messages API.

Source: https://www.twilio.com/docs/messaging/api/message-resource
"""

from shared.delivery.provider import Receipt
from shared.errors import OutcomeUnknown, ProviderUnavailable
from shared.http.provider_client import ProviderClient
from sms_service.content import SmsContent
from sms_service.twilio.answers import NO_RECIPIENT, code, failure, fields


class TwilioProvider:
    """One Twilio account; `sender` is a number in E.164 or a Messaging Service (MG…)."""

    name = "twilio"

    def __init__(
        self, account: str, token: str, *, sender: str, api_url: str, timeout: float = 15.0
    ) -> None:
        self._path = f"/2010-04-01/Accounts/{account}/Messages.json"
        kind = "MessagingServiceSid" if sender.startswith("MG") else "From"
        self._sender = {kind: sender}
        self._api = ProviderClient(api_url, timeout=timeout, login=(account, token))

    async def open(self) -> None:
        await self._api.open()

    async def close(self) -> None:
        await self._api.close()

    async def probe(self) -> None:
        """Asks for a message to nobody: once we are let in, Twilio misses the recipient."""
        try:
            response = await self._api.post(self._path, form=self._sender)
        except OutcomeUnknown as error:
            raise ProviderUnavailable(str(error)) from error
        if code(response) != NO_RECIPIENT:
            raise failure(response)

    async def send(self, content: SmsContent, *, key: str) -> Receipt:  # noqa: ARG002 - no mark
        form = {**self._sender, "To": content.recipient, "Body": content.text}
        response = await self._api.post(self._path, form=form)
        if not response.is_success:
            raise failure(response)
        return Receipt(self.name, fields(response).get("sid"))
