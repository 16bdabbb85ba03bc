"""Access tokens: fetched by one for all, renewed when refused, and blamed on the right party."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import SecretStr

from push_service.content import PushContent
from push_service.fcm.access import AccessTokens
from push_service.fcm.account import ServiceAccount
from push_service.providers.fcm import FcmProvider
from shared.errors import ProviderMisconfigured, ProviderUnavailable
from shared.schemas.profile import PushTarget
from tests.carillon_stack.sandbox.conftest import PROJECT, free_port


@pytest.fixture
def account(sandbox) -> ServiceAccount:
    return ServiceAccount.from_file(sandbox.credentials)


@pytest.fixture
async def tokens(account):
    access = AccessTokens(account, timeout=5)
    await access.open()
    yield access
    await access.close()


@pytest.fixture
async def provider(account, sandbox):
    fcm = FcmProvider(account, project=PROJECT, api_url=sandbox.url, timeout=5)
    await fcm.open()
    yield fcm
    await fcm.close()


def content(sandbox) -> PushContent:
    return PushContent(
        target=PushTarget(id="phone", value="token-1"),
        title="Bells",
        body="They ring.",
        data={},
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


async def test_many_ask_and_one_fetches(tokens):
    asked = [asyncio.create_task(tokens.current()) for _ in range(20)]
    assert len(set(await asyncio.gather(*asked))) == 1
    assert await tokens.current() == await asked[0]


async def test_a_refused_token_is_renewed_once_and_the_message_goes_out(provider, sandbox):
    await provider.probe()
    provider._tokens._token = "ya29.1.expired"
    await provider.send(content(sandbox), key="k")
    assert len(sandbox.get("/messages", channel="push")) == 1


async def test_an_account_that_google_does_not_know_is_a_misconfiguration(account, sandbox):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = stranger.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    changed = account.model_copy(update={"private_key": SecretStr(pem)})
    provider = FcmProvider(changed, project=PROJECT, api_url=sandbox.url)
    await provider.open()
    with pytest.raises(ProviderMisconfigured, match="FCM_CREDENTIALS_FILE"):
        await provider.probe()
    with pytest.raises(ProviderMisconfigured):
        await provider.send(content(sandbox), key="k")
    await provider.close()


async def test_another_project_is_a_misconfiguration(account, sandbox):
    provider = FcmProvider(account, project="another", api_url=sandbox.url)
    await provider.open()
    with pytest.raises(ProviderMisconfigured):
        await provider.send(content(sandbox), key="k")
    await provider.close()


async def test_google_away_is_not_the_accounts_fault(account):
    away = account.model_copy(update={"token_uri": f"http://127.0.0.1:{free_port()}/token"})
    access = AccessTokens(away, timeout=2)
    await access.open()
    with pytest.raises(ProviderUnavailable):
        await access.current()
    await access.close()


@pytest.mark.parametrize("text", ["", "[]", '{"private_key": "secret-words"}'])
def test_a_file_that_is_no_account_is_refused_without_quoting_it(tmp_path, text):
    path = tmp_path / "account.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="no service account") as refused:
        ServiceAccount.from_file(path)
    assert "secret-words" not in str(refused.value)
