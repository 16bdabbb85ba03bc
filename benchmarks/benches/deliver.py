"""deliver: queued emails, drained by one worker process, beside others that drain theirs.

Speed is what the sink sees: from the first email of a drain to the last. Our worker is started
and warm before, and stands still while its queue is filled; meanwhile the gateway works on what
the worker reports. Ours count only if each notification made one email and is recorded as sent.
"""

import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import psutil

from benchmarks import targets
from benchmarks.cpu import PEER
from benchmarks.ground import EMAIL, Ground
from benchmarks.journal import Journal
from benchmarks.load.sink import Drain
from benchmarks.peer_process import working
from benchmarks.results import Sample
from benchmarks.rounds import in_turn
from benchmarks.size import Size

_FILLING_CONNECTIONS = 32
_RECORDED_WITHIN_SECONDS = 60
_SLOWEST_PER_SECOND = 20
_SENT = "status <> 'sent'"


@dataclass(frozen=True)
class Drained:
    """What a drain showed."""

    drain: Drain
    figures: Mapping[str, float] = field(default_factory=dict)
    void: str | None = None


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """Every contender, round by round."""
    await ground.make_people(size.emails)
    connections = await warm_up(ground, size)
    journal.say(f"deliver    our worker holds {connections} connections; so will the bare client")
    contenders: Mapping[str, Callable[[], Awaitable[Drained]]] = {
        targets.WARM: lambda: ours(ground, size, cold=False),
        targets.COLD: lambda: ours(ground, size, cold=True),
        targets.BARE: lambda: _bare(ground, size.emails, connections),
        targets.CELERY_WORKER: lambda: _celery(ground, size.celery_emails),
        targets.ONE_BY_ONE: lambda: _one_by_one(ground, size.one_by_one_emails),
    }
    for number in range(1, size.rounds + 1):
        for name in in_turn(list(contenders), number):
            await ground.empty()
            journal.add(sample("deliver", targets.EMAILS, name, number, await contenders[name]()))


def sample(bench: str, case: str, subject: str, number: int, drained: Drained) -> Sample:
    figures = {
        "emails_per_second": drained.drain.per_second,
        "emails": drained.drain.mails,
        **drained.figures,
    }
    void = drained.void or (None if drained.drain.seconds else "too few emails to tell")
    return Sample(bench, case, subject, number, figures, void)


async def warm_up(ground: Ground, size: Size) -> int:
    """Has the worker send some emails; how many connections it holds then."""
    people = await ground.make_people(size.warm_people)
    came = ground.sink.received
    await ground.wrk.fire(
        ground.url,
        ground.sends(people),
        connections=_FILLING_CONNECTIONS,
        stop_after=len(people),
    )
    queued = await ground.engines.count("notifications")
    await ground.sink.until(came + queued, seconds=_patience(queued))
    return sum(
        connection.raddr[1:] == (ground.sink.port,)
        for pid in ground.pids(EMAIL)
        for connection in psutil.Process(pid).net_connections("tcp")
    )


async def ours(ground: Ground, size: Size, *, cold: bool) -> Drained:
    """Our worker. `cold`: one email to each of many users, of whom Redis knows nothing."""
    people = await ground.make_people(size.emails if cold else size.warm_people)
    async with ground.frozen(EMAIL):
        await ground.wrk.fire(
            ground.url,
            ground.sends(people),
            connections=_FILLING_CONNECTIONS,
            stop_after=size.emails,
        )
        await ground.engines.until_none("outbox", seconds=_RECORDED_WITHIN_SECONDS)
        if cold:
            await ground.engines.cache.flushdb()
        else:
            await ground.touch_people(len(people))
        queued = await ground.engines.count("notifications")
        came = ground.sink.received
        before = await ground.cpu.read()
    await ground.sink.until(came + queued, seconds=_patience(queued))
    ended = time.monotonic()
    recorded = await ground.engines.until_none(
        "notifications", _SENT, seconds=_RECORDED_WITHIN_SECONDS
    )
    spent = before.until(await ground.cpu.read())
    figures = {**spent.per(queued), "recorded_after_s": time.monotonic() - ended}
    return Drained(
        ground.sink.drained(came),
        figures,
        _complaint(queued, ground.sink.received - came, is_recorded=recorded is not None),
    )


def _complaint(queued: int, mails: int, *, is_recorded: bool) -> str | None:
    if mails != queued:
        return f"{queued} notifications made {mails} emails"
    if not is_recorded:
        return f"not all were recorded as sent within {_RECORDED_WITHIN_SECONDS} s"
    return None


async def _bare(ground: Ground, emails: int, connections: int) -> Drained:
    module = ("-m", "benchmarks.peers.bare_smtp", str(emails), str(max(1, connections)))
    return await _drained_by(ground, module, emails)


async def _celery(ground: Ground, emails: int) -> Drained:
    await _finished(ground, ("-m", "benchmarks.peers.celery_fill", str(emails)))
    worker = ("-m", "celery", "-A", "benchmarks.peers.celery_app", "worker")
    options = (f"--concurrency={os.cpu_count()}", "--loglevel=WARNING")
    return await _drained_by(ground, (*worker, *options), emails)


async def _one_by_one(ground: Ground, emails: int) -> Drained:
    module = ("-m", "benchmarks.peers.one_by_one")
    await _finished(ground, (*module, str(emails)))
    return await _drained_by(ground, module, emails)


async def _finished(ground: Ground, arguments: tuple[str, ...]) -> None:
    async with working(arguments, ground.peer_environment(), ground.home.logs) as peer:
        await peer.ended()


async def _drained_by(ground: Ground, arguments: tuple[str, ...], emails: int) -> Drained:
    """What a peer does from its first email on; its start does not count."""
    came = ground.sink.received
    async with working(arguments, ground.peer_environment(), ground.home.logs) as peer:
        ground.cpu.watch(PEER, peer.pid)
        await ground.sink.until(came + 1, seconds=60)
        before = await ground.cpu.read()
        mails = ground.sink.received - came
        await ground.sink.until(came + emails, seconds=_patience(emails))
        arrived = ground.sink.received - came
        spent = before.until(await ground.cpu.read())
        ground.cpu.forget(PEER)
    void = None if arrived == emails else f"{arrived} of {emails} emails came"
    return Drained(ground.sink.drained(came), spent.per(arrived - mails), void)


def _patience(emails: int) -> float:
    return 60 + emails / _SLOWEST_PER_SECOND
