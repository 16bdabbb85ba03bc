"""A worker tells of no secret: not in its reports, nor in what it stores, nor in its logs."""

import logging

import pytest
import structlog

from shared.errors import ContentRejected, ProviderDeclined, ProviderUnavailable
from shared.messaging.addressed import OUTCOME_HEADER, read_notification
from shared.observability import logs
from shared.schemas.vocabulary import Status
from shared.schemas.wire import OutcomeReport
from tests.shared.broker import notification, until
from tests.shared.delivery.neighbours import BELLS
from tests.shared.delivery.worker import Post

CODE = "ZEBRA-493817"
GIVEN = {"name": CODE, "place": "Oslo"}
REFUSED = f"554 5.7.1 refused: Good evening, {CODE}! from Oslo"
TOLD = "554 5.7.1 refused: Good evening, ***! from Oslo"


@pytest.fixture
def secretive(neighbours):
    """The template calls the name a secret."""
    neighbours.contents["bells"] = BELLS.model_copy(update={"sensitive": frozenset({"name"})})
    return neighbours


@pytest.fixture
def said(capsys):
    """What this process logs."""
    yield lambda: capsys.readouterr().out
    logging.getLogger().handlers = []
    structlog.reset_defaults()


async def dead(lane):
    letter = await lane.dead_letter()
    return letter, OutcomeReport.model_validate_json(letter.headers[OUTCOME_HEADER])


@pytest.mark.parametrize("known", [("name",), (), None])
async def test_a_refusal_that_quotes_the_message_is_told_without_it(
    start, lane, secretive, cache, known
):
    await start(post=Post({"*": [ProviderDeclined(REFUSED), ContentRejected(REFUSED)]}))
    await lane.put(notification(variables=GIVEN, sensitive=known))
    retrying = await lane.report()
    assert (retrying.status, retrying.detail) == (Status.RETRYING, TOLD)
    assert retrying.sensitive == ("name",)
    letter, report = await dead(lane)
    assert (report.status, report.detail) == (Status.FAILED, TOLD)
    kept = read_notification(letter.body)
    assert kept.variables == {"name": None, "place": "Oslo"}
    assert kept.sensitive == ("name",)
    for key in await cache.command("KEYS", "*"):
        if await cache.command("TYPE", key) == b"hash":
            assert CODE.encode() not in b"".join(await cache.command("HGETALL", key))


async def test_on_its_way_it_keeps_its_values(start, lane, secretive):
    worker = await start(post=Post({"*": [ProviderDeclined("later"), ProviderUnavailable("no")]}))
    await lane.put(notification(variables=GIVEN, sensitive=None))
    assert (await lane.report()).status is Status.RETRYING
    deferred = await lane.report()
    assert deferred.onward is not None
    assert deferred.onward.variables == GIVEN
    assert deferred.onward.sensitive == ("name",)
    await lane.put(deferred.onward)
    assert (await lane.report()).status is Status.SENT
    assert worker.post.sent == [("ada@example.com", f"Good evening, {CODE}!")]


async def test_whoever_dies_early_has_learned_what_is_a_secret(start, lane, secretive):
    await start()
    await lane.put(notification(user_id=99, variables=GIVEN, sensitive=None))
    letter, report = await dead(lane)
    assert report.sensitive == ("name",)
    assert read_notification(letter.body).variables == {"name": None, "place": "Oslo"}


async def test_what_nobody_could_look_up_is_all_a_secret(start, lane, neighbours):
    await start()
    del neighbours.contents["bells"]
    await lane.put(notification(variables=GIVEN, sensitive=None))
    letter, report = await dead(lane)
    assert report.sensitive is None
    assert read_notification(letter.body).variables == {"name": None, "place": None}


async def test_no_log_line_tells_of_it(start, lane, secretive, said):
    """Invariant: whatever goes wrong in a delivery, its log lines hold no secret."""
    logs.configure("worker", "DEBUG")

    def stumble():
        raise ZeroDivisionError(f"could not write {CODE}")

    post = Post({"*": [ProviderUnavailable(REFUSED), ValueError(CODE)]})
    worker = await start(post=post)
    for _ in range(2):
        await lane.put(notification(variables=GIVEN))
        assert (await lane.report()).status in (Status.DEFERRED, Status.RETRYING)
    worker.channel.before_sending = stumble
    await lane.put(notification(variables=GIVEN))
    assert (await lane.report()).detail == "could not write ***"
    lines = said()
    assert "provider not reached" in lines
    assert "ZeroDivisionError: could not write ***" in lines
    assert "493817" not in lines


async def test_health_quotes_no_message(start, lane, secretive):
    post = Post({"*": [ProviderUnavailable(REFUSED)] * 9})
    worker = await start(post=post, circuit_breaker_recovery_timeout=60)
    for _ in range(3):
        await lane.put(notification(variables=GIVEN))
        await lane.report()

    async def told():
        return (await worker.health()).model_dump_json()

    async def is_paused():
        return "paused" in await told()

    await until(is_paused)
    assert "493817" not in await told()
    assert "***" in await told()


def test_a_message_does_not_show_its_values():
    message = notification(variables=GIVEN)
    report = OutcomeReport.model_validate(
        {
            "event_id": message.id,
            "notification_id": message.id,
            "generation": 1,
            "hop": 1,
            "attempt": 1,
            "status": "deferred",
            "at": message.created_at,
            "onward": message,
        }
    )
    assert "493817" not in f"{message!r}{message}{report!r}{report}"
    wrong = message.model_dump(mode="json") | {"variables": CODE}
    with pytest.raises(ValueError, match="variables") as caught:
        type(message).model_validate(wrong)
    assert "493817" not in str(caught.value)
