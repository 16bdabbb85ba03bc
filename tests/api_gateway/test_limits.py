"""Rate limits: a hundred a minute for one user, urgent ones apart."""

import re
from itertools import count

from tests.api_gateway.gateway import request

users = count(5000)


async def test_the_hundred_and_first_is_told_when_to_come_again(client):
    user = next(users)
    left = []
    for _ in range(100):
        answer = await client.post("/notifications/send", json=request(user_id=user))
        assert answer.status_code == 202
        left.append(answer.json()["data"]["remaining_requests"])
    assert left == list(range(99, -1, -1))
    answer = await client.post("/notifications/send", json=request(user_id=user))
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "rate_limited"
    assert answer.headers["RateLimit-Policy"] == '"default";q=100;w=60'
    remaining, seconds = re.fullmatch(
        r'"default";r=(\d+);t=(\d+)', answer.headers["RateLimit"]
    ).groups()
    assert remaining == "0"
    assert int(seconds) <= int(answer.headers["Retry-After"]) <= 60

    critical = request(user_id=user, priority="critical")
    answer = await client.post("/notifications/send", json=critical)
    assert (answer.status_code, answer.json()["data"]["remaining_requests"]) == (202, 99)
    other = request(user_id=next(users))
    assert (await client.post("/notifications/send", json=other)).status_code == 202


async def test_what_is_refused_or_repeated_costs_nothing(client):
    user = next(users)
    wrong = request(user_id=user, template_id="nobody")
    assert (await client.post("/notifications/send", json=wrong)).status_code == 422
    key = {"Idempotency-Key": f"limit-{user}"}
    for _ in range(5):
        await client.post("/notifications/send", json=request(user_id=user), headers=key)
    answer = await client.post("/notifications/send", json=request(user_id=user))
    assert answer.json()["data"]["remaining_requests"] == 98


async def test_the_limit_is_a_setting(start):
    gateway = await start(RATE_LIMIT_PER_USER="2", RATE_LIMIT_WINDOW="3600")
    async with gateway.client() as client:
        answers = [await client.post("/notifications/send", json=request()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"default";q=2;w=3600'
    assert 3500 < int(answers[2].headers["Retry-After"]) <= 3600
