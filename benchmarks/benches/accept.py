"""accept: `POST /notifications/send` through everything real, beside three that do less.

The workers stand still: nobody's messages are consumed. Ours count only if the outbox is empty
within ten seconds, and all that is in the queue was accepted; what publishing costs until then
is in the CPU of each request.
"""

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks import targets
from benchmarks.cpu import PEER
from benchmarks.ground import EMAIL, Ground
from benchmarks.journal import Journal
from benchmarks.load.wrk import Fired, Requests
from benchmarks.peer_process import serving
from benchmarks.peers.names import CELERY_QUEUE, TEXTBOOK_QUEUE
from benchmarks.results import Sample
from benchmarks.rounds import in_turn
from benchmarks.size import Size

LANE = "email.queue"
SECONDS_TO_EMPTY_THE_OUTBOX = 10
_WARM_UP = 500


@dataclass(frozen=True)
class Contender:
    """Somebody who accepts. `queue` is where that ends, `pid` is a peer's process."""

    name: str
    url: str
    queue: str | None
    pid: int | None = None
    keyed: bool = False


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """Every contender at every number of connections, round by round."""
    requests = ground.sends(await ground.make_people(size.people))
    async with AsyncExitStack() as peers:
        contenders = [
            Contender(targets.OURS, ground.url, LANE),
            Contender(targets.KEYED, ground.url, LANE, keyed=True),
            *[await _peer(ground, peers, *about) for about in _PEERS],
        ]
        await ground.stop(EMAIL)
        for contender in contenders:
            await _warm_up(ground, contender, requests, journal)
        for number in range(1, size.rounds + 1):
            for connections in size.connections:
                for contender in in_turn(contenders, number):
                    sample = await _measure(
                        ground, contender, requests, connections, size.seconds, number
                    )
                    journal.add(sample)
    await ground.empty()
    await ground.start(EMAIL)


_PEERS = (
    (targets.EMPTY, "benchmarks.peers.empty_route", None),
    (targets.TEXTBOOK, "benchmarks.peers.textbook", TEXTBOOK_QUEUE),
    (targets.CELERY, "benchmarks.peers.celery_route", CELERY_QUEUE),
)


async def _peer(
    ground: Ground, peers: AsyncExitStack, name: str, module: str, queue: str | None
) -> Contender:
    environment = ground.peer_environment()
    peer = await peers.enter_async_context(serving(module, environment, ground.home.logs))
    return Contender(name, peer.url, queue, pid=peer.pid)


async def _warm_up(
    ground: Ground, contender: Contender, requests: Requests, journal: Journal
) -> None:
    """Also looks whether what it leaves in its queue would outlive the broker."""
    await ground.wrk.fire(contender.url, requests, connections=4, stop_after=_WARM_UP)
    if contender.queue:
        await ground.engines.until_none("outbox", seconds=SECONDS_TO_EMPTY_THE_OUTBOX)
        kind = (await ground.engines.queues())[contender.queue]["type"]
        persistent = await ground.engines.is_persistent(contender.queue)
        journal.run.about["messages"][contender.name] = {
            "queue": kind,
            "persistent": "yes" if persistent else "no",
        }


async def _measure(
    ground: Ground,
    contender: Contender,
    requests: Requests,
    connections: int,
    seconds: float,
    number: int,
) -> Sample:
    await ground.empty()
    if contender.pid is not None:
        ground.cpu.watch(PEER, contender.pid)
    before = await ground.cpu.read()
    fired = await ground.wrk.fire(
        contender.url,
        requests,
        connections=connections,
        seconds=seconds,
        keyed=contender.keyed,
    )
    ended = time.monotonic()
    void = await _complaint(ground, contender, fired)
    emptied = time.monotonic() - ended
    spent = before.until(await ground.cpu.read())
    ground.cpu.forget(PEER)
    return Sample(
        bench="accept",
        case=targets.connections(connections),
        subject=contender.name,
        round=number,
        figures={
            "requests_per_second": fired.requests_per_second,
            "p50_ms": fired.p50_ms,
            "p99_ms": fired.p99_ms,
            **({"empty_after_s": emptied} if contender.pid is None else {}),
            **spent.per(fired.requests),
        },
        void=void,
    )


async def _complaint(ground: Ground, contender: Contender, fired: Fired) -> str | None:
    """Why what was answered does not count: it failed, or is not where it should be."""
    if fired.failed:
        return f"{fired.failed} of {fired.requests} requests failed"
    if contender.queue is None:
        return None
    within = SECONDS_TO_EMPTY_THE_OUTBOX
    if await ground.engines.until_none("outbox", seconds=within) is None:
        left = await ground.engines.count("outbox")
        return f"{left} rows were in the outbox {within} s after the end"
    queued = await ground.engines.depth(contender.queue)
    if queued < fired.requests:
        return f"the queue holds {queued} messages for {fired.requests} accepted requests"
    return None
