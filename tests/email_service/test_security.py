"""TLS and login, against the sandbox's mail server with a login of its own."""

import ssl

import pytest
from pydantic import SecretStr

from email_service.content import EmailContent
from email_service.mailbox import Mailbox
from email_service.providers.smtp import SmtpProvider
from shared.errors import ProviderMisconfigured, ProviderUnavailable
from tests.email_service.conftest import free_port

EMAIL = EmailContent(
    Mailbox.parse("Carillon <hello@carillon.example>"),
    Mailbox.of("jürgen@bücher.example"),
    "Glocken läuten",
    "Um neun.",
)


@pytest.fixture
def guarded(own_sandbox):
    own_sandbox.end()
    own_sandbox.settings |= {"SANDBOX_SMTP_USER": "ada", "SANDBOX_SMTP_PASSWORD": "pa ss"}
    own_sandbox.smtp_port = free_port()
    own_sandbox.start()
    return own_sandbox


async def send(account) -> None:
    provider = SmtpProvider(account, connections=1)
    await provider.open()
    try:
        await provider.probe()
        await provider.send(EMAIL, key="k")
    finally:
        await provider.close()


async def test_starttls_and_login(guarded, account_at):
    trusted = ssl.create_default_context(cafile=guarded.certificate)
    login = {"user": "ada", "password": SecretStr("pa ss")}
    secure = {"tls": "starttls", "tls_context": trusted}
    await send(account_at(guarded.smtp_port, **secure, **login))
    [received] = guarded.get("/messages", channel="email")
    assert received["subject"] == "Glocken läuten"
    assert received["to"] == "jürgen@xn--bcher-kva.example"

    with pytest.raises(ProviderMisconfigured, match="SMTP_PASSWORD"):
        await send(account_at(guarded.smtp_port, **secure, user="ada", password=SecretStr("no")))
    with pytest.raises(ProviderMisconfigured, match="Log in"):
        await send(account_at(guarded.smtp_port, **secure))
    doubting = {"tls": "starttls", "tls_context": ssl.create_default_context()}
    with pytest.raises(ProviderUnavailable, match="certificate"):
        await send(account_at(guarded.smtp_port, **doubting, **login))


async def test_a_server_without_what_is_asked_is_a_misconfiguration(server, account_at):
    context = ssl.create_default_context()
    with pytest.raises(ProviderMisconfigured, match="SMTP_TLS"):
        await send(account_at(server.port, tls="starttls", tls_context=context))
