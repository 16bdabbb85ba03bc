"""Each provider in front of the sandbox, in the same shape."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from email_service.content import EmailContent
from email_service.mailbox import Mailbox
from email_service.providers.smtp import SmtpProvider
from email_service.smtp.account import SmtpAccount
from push_service.content import PushContent
from push_service.fcm.account import ServiceAccount
from push_service.providers.fcm import FcmProvider
from shared.delivery import Provider
from shared.schemas.profile import PushTarget
from sms_service.content import SmsContent
from sms_service.providers.twilio import TwilioProvider
from tests.carillon_stack.sandbox.conftest import (  # noqa: F401 - fixtures
    PROJECT,
    TWILIO_SID,
    TWILIO_TOKEN,
    Sandbox,
    free_port,
    own_sandbox,
    running_sandbox,
    sandbox,
)

SENDER = Mailbox.parse("Carillon <hello@carillon.example>")


@dataclass(frozen=True)
class Subject:
    """A provider under test: how to make one, what it sends, what tells two copies are one."""

    channel: str
    make: Callable[..., Provider[Any]]
    content: Callable[[str], Any]
    recipient: Callable[[], str]
    dead_recipient: str
    mark: Callable[[dict[str, Any]], str | None]
    hands_over_in_one_piece: bool

    @asynccontextmanager
    async def opened(self, box: Sandbox, **changes: Any) -> AsyncIterator[Provider[Any]]:
        provider = self.make(box, **changes)
        await provider.open()
        try:
            yield provider
        finally:
            await provider.close()


def smtp(box: Sandbox, *, timeout: float = 10.0, port: int | None = None) -> SmtpProvider:
    account = SmtpAccount(
        host="127.0.0.1",
        port=port or box.smtp_port,
        own_name="carillon.example",
        tls="none",
        tls_context=None,
        user=None,
        password=SecretStr(""),
        timeout=timeout,
        sender=SENDER,
    )
    return SmtpProvider(account, connections=4)


def fcm(box: Sandbox, *, timeout: float = 10.0, port: int | None = None) -> FcmProvider:
    account = ServiceAccount.from_file(box.credentials)
    url = box.url
    if port is not None:
        url = f"http://127.0.0.1:{port}"
        account = account.model_copy(update={"token_uri": f"{url}/token"})
    return FcmProvider(account, project=PROJECT, api_url=url, timeout=timeout)


def twilio(box: Sandbox, *, timeout: float = 10.0, port: int | None = None) -> TwilioProvider:
    url = box.url if port is None else f"http://127.0.0.1:{port}"
    return TwilioProvider(
        TWILIO_SID, TWILIO_TOKEN, sender="+15005550006", api_url=url, timeout=timeout
    )


def push_content(token: str) -> PushContent:
    return PushContent(
        target=PushTarget(id="phone", value=token),
        title="Good evening",
        body="The bells ring at nine.",
        data={"room": "belfry"},
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        action_url="https://example.com/bells",
    )


SUBJECTS = (
    Subject(
        channel="email",
        make=smtp,
        content=lambda to: EmailContent(SENDER, Mailbox.of(to), "Bells", "They ring at nine."),
        recipient=lambda: f"ada-{uuid4().hex}@example.com",
        dead_recipient="dead-ada@example.com",
        mark=lambda shown: shown["message_id"],
        hands_over_in_one_piece=False,
    ),
    Subject(
        channel="push",
        make=fcm,
        content=push_content,
        recipient=lambda: f"token-{uuid4().hex}",
        dead_recipient="dead-token",
        mark=lambda shown: shown["collapse_key"],
        hands_over_in_one_piece=True,
    ),
    Subject(
        channel="sms",
        make=twilio,
        content=lambda to: SmsContent(to, "The bells ring at nine."),
        recipient=lambda: f"+1415{uuid4().int % 10**7:07d}",
        dead_recipient="+15005550004",
        mark=lambda _shown: None,
        hands_over_in_one_piece=True,
    ),
)


@pytest.fixture(params=SUBJECTS, ids=lambda subject: subject.channel)
def subject(request) -> Subject:
    return request.param


@pytest.fixture
def opened(subject, sandbox) -> Callable[..., AbstractAsyncContextManager[Provider[Any]]]:  # noqa: F811
    """Makes a provider that talks to the sandbox."""
    return lambda **changes: subject.opened(sandbox, **changes)


@pytest.fixture
def closed_port() -> int:
    return free_port()
