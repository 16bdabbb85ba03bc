"""end_to_end: from the moment a request is due to the moment the mail server has the email.

The first is on our clock, the second is the time of the file that smtp-sink wrote, which is up to
4 ms early; `sent_at`, what the worker noted when it had the server's reply, is on the late side.
Requests leave at a fixed rate, whether or not the last was answered; nobody's profile is cached.
"""

import math

from benchmarks import targets
from benchmarks.ground import Ground
from benchmarks.journal import Journal
from benchmarks.letters import address
from benchmarks.load.paced import PacedLoad, Turn
from benchmarks.results import Sample, percentiles
from benchmarks.size import Size

_WARM_UP = 50
_LATE_SECONDS = 1.0
_EMPTY_WITHIN_SECONDS = 2.0
_CLOSE, _STEP = 1.10, 1.05
_UNSENT = "status <> 'sent'"


async def measure(ground: Ground, size: Size, journal: Journal) -> None:
    """Latencies at fixed rates, then the highest rate that is held, round by round."""
    held = 0.0
    for number in range(1, size.rounds + 1):
        for rate in size.rates:
            journal.add(await _latencies(ground, rate, size.seconds * 2, number))
        search = _Search(ground, journal, size)
        held = await search.around(held) if held else await search.anywhere()
        figures = {"emails_per_second": held, **search.spent}
        void = None if held else "no rate was held"
        journal.add(Sample("end_to_end", targets.HELD, targets.OURS, number, figures, void))


async def _latencies(ground: Ground, rate: int, seconds: float, number: int) -> Sample:
    count = int(rate * seconds)
    people = await ground.make_people(count + _WARM_UP)
    await ground.empty()
    await ground.sink.stop()
    await ground.sink.start(keeping=True)
    try:
        await PacedLoad(ground.url, ground.sends(people[count:])).send(_WARM_UP, rate)
        await ground.sink.until(_WARM_UP, seconds=30)
        before = await ground.cpu.read()
        turns = await PacedLoad(ground.url, ground.sends(people[:count])).send(count, rate)
        await ground.sink.until(_WARM_UP + count, seconds=30)
        spent = before.until(await ground.cpu.read())
        await ground.engines.until_none("notifications", _UNSENT, seconds=30)
        taken = ground.sink.moments()
    finally:
        await ground.sink.stop()
        await ground.sink.start()
    sent_at = await _sent_at(ground)
    arrived = [n for n in range(count) if address(n) in taken and people[n] in sent_at]
    void = None if len(arrived) == count else f"{len(arrived)} of {count} emails arrived"
    figures: dict[str, float] = {}
    if arrived:
        by_sink = [(taken[address(n)] - turns[n].due) * 1000 for n in arrived]
        by_worker = [(sent_at[people[n]] - turns[n].due) * 1000 for n in arrived]
        for label, values in (("", by_sink), ("sent_at_", by_worker)):
            for share, value in zip((50, 95, 99), percentiles(values, 50, 95, 99), strict=True):
                figures[f"{label}p{share}_ms"] = value
        figures |= spent.per(len(arrived))
    return Sample("end_to_end", f"{rate}/s", targets.OURS, number, figures, void)


async def _sent_at(ground: Ground) -> dict[int, float]:
    """When each user's notification was sent, by the worker's clock, in seconds of Unix time."""
    rows = await ground.engines.database.fetch(
        "SELECT user_id, extract(epoch FROM sent_at)::float8 AS at FROM notifications "
        "WHERE sent_at IS NOT NULL"
    )
    return {row["user_id"]: row["at"] for row in rows}


class _Search:
    """Looks for the highest rate that is held: short probes first, then the whole time."""

    def __init__(self, ground: Ground, journal: Journal, size: Size) -> None:
        self._ground = ground
        self._journal = journal
        self._size = size
        self.spent: dict[str, float] = {}

    async def anywhere(self) -> float:
        """From nothing known; 0 when no rate was held that was tried."""
        rate = float(self._size.first_rate)
        low, high = 0.0, math.inf
        for _ in range(self._size.probes):
            if high / max(low, 0.01) < _CLOSE:
                break
            if await self._holds(rate, self._size.probe_seconds):
                low = rate
            else:
                high = rate
            rate = _next(low, high)
        return await self.around(low) if low else 0.0

    async def around(self, rate: float) -> float:
        """Up from this rate while it is held, else down until one is."""
        seconds = self._size.held_seconds
        if await self._holds(rate, seconds):
            for _ in range(self._size.held_steps):
                if not await self._holds(rate * _STEP, seconds):
                    break
                rate *= _STEP
            return rate
        for _ in range(3 * self._size.held_steps):
            rate /= _STEP
            if await self._holds(rate, seconds):
                return rate
        return 0.0

    async def _holds(self, rate: float, seconds: float) -> bool:
        """Whether all is accepted in time, and sent and recorded a moment after the last."""
        ground, count = self._ground, int(rate * seconds)
        people = await ground.make_people(self._size.people)
        await ground.empty()
        came = ground.sink.received
        before = await ground.cpu.read()
        turns = await PacedLoad(ground.url, ground.sends(people)).send(count, rate)
        problem = _behind(turns)
        if problem is None:
            empty = await ground.engines.until_none(
                "notifications", _UNSENT, seconds=_EMPTY_WITHIN_SECONDS
            )
            if empty is None:
                left = await ground.engines.count("notifications", _UNSENT)
                problem = f"{left} were not sent {_EMPTY_WITHIN_SECONDS:g} s after the last"
            elif ground.sink.received - came != count:
                problem = f"{ground.sink.received - came} emails came"
        spent = before.until(await ground.cpu.read())
        verdict = problem or "held"
        self._journal.say(f"end_to_end {rate:,.0f}/s for {seconds:g} s: {verdict}")
        if problem is None:
            self.spent = spent.per(count)
        else:
            await ground.engines.until_none("notifications", _UNSENT, seconds=120)
        return problem is None


def _next(low: float, high: float) -> float:
    """What to try between a rate that is held and one that is not; either may be unknown."""
    if math.isinf(high):
        return low * 1.5
    return math.sqrt(low * high) if low else high / 2


def _behind(turns: list[Turn]) -> str | None:
    if refused := sum(not turn.accepted for turn in turns):
        return f"{refused} of {len(turns)} were not accepted"
    late = max(turn.answered for turn in turns) - turns[-1].due
    if late > _LATE_SECONDS:
        return f"the last was answered {late:.1f} s late"
    return None
