"""scale: what a full table costs, and what a second process brings.

The rows are copies of a real one: each has its own id, user and moment, and every user a hundred.
"""

from collections.abc import Sequence

from benchmarks import targets
from benchmarks.benches import deliver
from benchmarks.ground import EMAIL, GATEWAY, Ground
from benchmarks.journal import Journal
from benchmarks.load.wrk import Requests
from benchmarks.results import Sample
from benchmarks.rounds import in_turn
from benchmarks.size import Size

_ROWS_PER_USER = 100
_CONNECTIONS = 64
_PAGES = 200

_FILL = """
INSERT INTO notifications
SELECT copy.* FROM (SELECT n FROM notifications AS n ORDER BY id LIMIT 1) AS found(original),
    generate_series($1::bigint, $2::bigint) AS number,
    LATERAL (SELECT $3::bigint - number AS milliseconds, md5(number::text) AS noise) AS own,
    LATERAL jsonb_populate_record(original, jsonb_build_object(
        'id', lpad(to_hex(milliseconds), 12, '0') || '7' || substr(noise, 1, 3)
            || '8' || substr(noise, 4, 15),
        'user_id', 1 + number / $4,
        'created_at', to_timestamp(milliseconds / 1000.0)
    )) AS copy
"""
"""Rows of the numbers $1 to $2, a millisecond apart, back from $3 (UUIDv7: time first)."""


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """First the table as it grows, then one process beside two: as many as the last had stay."""
    for number in range(1, size.rounds + 1):
        await _growing(ground, size, journal, number)
    await _processes(ground, size, journal)


async def _growing(ground: Ground, size: Size, journal: Journal, number: int) -> None:
    people = await ground.make_people(size.people)
    await ground.empty()
    await _one_real(ground, people[:1])
    await ground.stop(EMAIL)
    for count in size.rows:
        await _fill(ground, count)
        pages = _pages(count // _ROWS_PER_USER, ground.facts.api_key)
        for subject, requests in (
            (targets.LIST_PAGE, pages),
            (targets.ACCEPT, ground.sends(people)),
        ):
            case = targets.rows(count)
            journal.add(await _cost(ground, case, subject, requests, size.seconds, number))
    await ground.empty()
    await ground.start(EMAIL)


async def _one_real(ground: Ground, people: Sequence[int]) -> None:
    """The row that all others are copies of: a notification that was sent."""
    await ground.wrk.fire(ground.url, ground.sends(people), connections=1, stop_after=1)
    await ground.engines.until_none("notifications", "status <> 'sent'", seconds=30)


async def _fill(ground: Ground, count: int) -> None:
    database = ground.engines.database
    there = await ground.engines.count("notifications")
    oldest = await database.fetchval("SELECT min(created_at) FROM notifications")
    await database.execute(
        _FILL, 1, count - there, int(oldest.timestamp() * 1000), _ROWS_PER_USER, timeout=600
    )
    await database.execute("VACUUM ANALYZE notifications", timeout=600)
    await database.execute("CHECKPOINT", timeout=600)


def _pages(users: int, api_key: str) -> Requests:
    """Mostly what one user was sent, sometimes the newest of a status, or of all."""
    asked = [f"/notifications?user_id={1 + number * users // _PAGES}" for number in range(_PAGES)]
    asked[::10] = ["/notifications?status=sent"] * len(asked[::10])
    asked[5::10] = ["/notifications"] * len(asked[5::10])
    return Requests.gets(asked, api_key)


async def _cost(
    ground: Ground, case: str, subject: str, requests: Requests, seconds: float, number: int
) -> Sample:
    before = await ground.cpu.read()
    fired = await ground.wrk.fire(ground.url, requests, connections=_CONNECTIONS, seconds=seconds)
    await ground.engines.until_none("outbox", seconds=10)
    spent = before.until(await ground.cpu.read())
    figures = {
        "ms_per_request": fired.seconds * 1000 / max(1, fired.requests),
        "requests_per_second": fired.requests_per_second,
        "p99_ms": fired.p99_ms,
        **spent.per(fired.requests),
    }
    void = f"{fired.failed} of {fired.requests} requests failed" if fired.failed else None
    return Sample("scale", case, subject, number, figures, void)


async def _processes(ground: Ground, size: Size, journal: Journal) -> None:
    people = await ground.make_people(size.people)
    for number in range(1, size.rounds + 1):
        for processes in in_turn(size.processes, number):
            await ground.scale(**{GATEWAY: processes, EMAIL: processes})
            await deliver.warm_up(ground, size)
            await ground.empty()
            name = f"{processes} process{'es' * (processes > 1)} each"
            drained = await deliver.ours(ground, size, cold=False)
            journal.add(deliver.sample("scale", "deliver, warm", name, number, drained))
            await ground.stop(EMAIL)
            await ground.empty()
            case = f"accept, {targets.connections(_CONNECTIONS)}"
            requests = ground.sends(people)
            journal.add(await _cost(ground, case, name, requests, size.seconds, number))
            await ground.empty()
            await ground.start(EMAIL)
