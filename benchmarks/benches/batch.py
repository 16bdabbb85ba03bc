"""batch: notifications a second in `POST /notifications/batch`, beside one a request."""

import json

from benchmarks import letters, targets
from benchmarks.benches.accept import SECONDS_TO_EMPTY_THE_OUTBOX
from benchmarks.ground import EMAIL, Ground
from benchmarks.journal import Journal
from benchmarks.load.wrk import Requests
from benchmarks.results import Sample
from benchmarks.rounds import in_turn
from benchmarks.size import Size
from benchmarks.skipping import BenchSkipped

PATH = "/notifications/batch"
_A_BATCH = 1_000
_SINGLE_CONNECTIONS, _BATCH_CONNECTIONS = 64, 4


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """Both, round by round, as many notifications each; raises BenchSkipped without the route."""
    if PATH not in (await ground.api.get("/openapi.json")).json()["paths"]:
        raise BenchSkipped(f"this version has no POST {PATH}")
    people = await ground.make_people(max(size.people, _A_BATCH))
    contenders = {
        targets.SINGLY: (ground.sends(people), _SINGLE_CONNECTIONS, size.batches * _A_BATCH),
        targets.BATCHES: (_batches(people, ground.facts.api_key), _BATCH_CONNECTIONS, size.batches),
    }
    await ground.stop(EMAIL)
    for number in range(1, size.rounds + 1):
        for case in in_turn(list(contenders), number):
            journal.add(await _measure(ground, case, *contenders[case], number))
    await ground.empty()
    await ground.start(EMAIL)


def _batches(people: list[int], api_key: str) -> Requests:
    """Bodies of a thousand each, over all people."""
    bodies = [
        {"notifications": [letters.request(user) for user in people[first : first + _A_BATCH]]}
        for first in range(0, len(people) - _A_BATCH + 1, _A_BATCH)
    ]
    return Requests.posts(
        PATH, (json.dumps(body, separators=(",", ":")) for body in bodies), api_key
    )


async def _measure(
    ground: Ground, case: str, requests: Requests, connections: int, count: int, number: int
) -> Sample:
    """What was accepted is what is in the table, whatever an answer says."""
    await ground.empty()
    before = await ground.cpu.read()
    fired = await ground.wrk.fire(ground.url, requests, connections=connections, stop_after=count)
    emptied = await ground.engines.until_none("outbox", seconds=SECONDS_TO_EMPTY_THE_OUTBOX)
    spent = before.until(await ground.cpu.read())
    accepted = await ground.engines.count("notifications")
    figures = {
        "notifications_per_second": accepted / fired.seconds,
        "p50_ms": fired.p50_ms,
        "p99_ms": fired.p99_ms,
        "empty_after_s": emptied or 0.0,
        **spent.per(accepted),
    }
    void = None
    if fired.failed:
        void = f"{fired.failed} of {fired.requests} requests failed"
    elif emptied is None:
        void = f"the outbox was not empty {SECONDS_TO_EMPTY_THE_OUTBOX} s after the end"
    return Sample("batch", case, targets.OURS, number, figures, void)
