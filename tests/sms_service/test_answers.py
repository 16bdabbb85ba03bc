import httpx
import pytest

from shared.errors import (
    ContentRejected,
    ProviderDeclined,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RecipientRejected,
)
from sms_service.twilio.answers import failure


def answer(status: int, code: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "said"}, headers=headers)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (answer(400, 21211), RecipientRejected),
        (answer(400, 21610), RecipientRejected),
        (answer(400, 21614), RecipientRejected),
        (answer(400, 30006), RecipientRejected),
        (answer(400, 30007), ContentRejected),
        (answer(401, 20003), ProviderMisconfigured),
        (answer(403, 99999), ProviderMisconfigured),
        (answer(400, 21606), ProviderMisconfigured),
        (answer(429, 14107), ProviderThrottled),
        (answer(429, 20429), ProviderUnavailable),
        (answer(400, 99999), ProviderDeclined),
        (answer(503, 20503), ProviderUnavailable),
        (httpx.Response(502, html="<h1>Bad Gateway</h1>"), ProviderUnavailable),
        (httpx.Response(400, json=[]), ProviderDeclined),
    ],
)
def test_an_answer_means(response, expected):
    assert type(failure(response)) is expected


def test_a_throttle_carries_the_wait():
    wait = {"retry-after": "3"}
    for response in (
        answer(429, 14107, **wait),
        answer(429, 20429, **wait),
        answer(503, 0, **wait),
    ):
        assert failure(response).retry_after == 3
    assert failure(answer(429, 14107)).retry_after is None
