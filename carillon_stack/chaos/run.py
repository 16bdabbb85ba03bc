"""A run from beginning to end: load and faults, settling, the account."""

import asyncio
import time
from collections.abc import Callable, Sequence

import httpx

from carillon_client import Carillon
from carillon_stack.chaos import latencies
from carillon_stack.chaos.comparison import Comparison
from carillon_stack.chaos.durability import durability
from carillon_stack.chaos.inbox import read_inbox
from carillon_stack.chaos.injector import Injector
from carillon_stack.chaos.load import Load
from carillon_stack.chaos.orders import Orders, make_ground, users_for
from carillon_stack.chaos.queues import left_in_queues
from carillon_stack.chaos.recovery import recoveries
from carillon_stack.chaos.report import Report, Wanted
from carillon_stack.chaos.schedule import SANDBOX, Fault
from carillon_stack.chaos.settling import settle
from carillon_stack.deadline import wait_until
from carillon_stack.facts import Facts
from carillon_stack.stack import Stack

SETTLE_SECONDS = 240.0
"""The longest that the system has to settle: a notification waits for up to a minute at a time."""
_WELL_SECONDS = 60.0

Say = Callable[[str], None]


class Run:
    """One run against a stack that is up and that nobody else uses."""

    def __init__(self, stack: Stack, facts: Facts, wanted: Wanted, say: Say) -> None:
        self._stack, self._facts, self._wanted, self._say = stack, facts, wanted, say
        self._injector = Injector(stack.supervisor, facts, clock=self._now, say=say)
        self._began = 0.0

    def play(self, schedule: Sequence[Fault]) -> Report:
        """Break what the schedule says under load; return what that has shown."""
        with Carillon(self._facts.services["api_gateway"], self._facts.api_key) as carillon:
            users = users_for(self._wanted.rate)
            orders = Orders(self._wanted.seed, make_ground(carillon, users))
            self._say(f"{users} users; {len(schedule)} faults in {self._wanted.seconds:g} s:")
            load = self._load(orders)
            self._began, started = time.monotonic(), time.time()
            try:
                asyncio.run(self._under_load(load, schedule))
            finally:
                self._injector.release()
            return self._report(carillon, load, started)

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _load(self, orders: Orders) -> Load:
        return Load(
            self._facts.services["api_gateway"],
            self._facts.api_key,
            orders,
            rate=self._wanted.rate,
            seconds=self._wanted.seconds,
            clock=self._now,
        )

    async def _under_load(self, load: Load, schedule: Sequence[Fault]) -> None:
        both = [asyncio.create_task(work) for work in (load.run(), self._injector.run(schedule))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        for task in both:
            if not task.cancelled():
                task.result()

    def _report(self, carillon: Carillon, load: Load, started: float) -> Report:
        self._say("All is mended; waiting until nothing moves any more …")
        unwell = self._unwell()
        ended = self._now()
        settled = settle(carillon, self._facts.sandbox_url, seconds=SETTLE_SECONDS, clock=self._now)
        left = left_in_queues(self._facts.engines["rabbitmq"].management_url or "")
        inbox = read_inbox(self._stack.home.folder(SANDBOX))
        statuses = {str(one.request_id): one for one in carillon.notifications()}
        letters = {str(one.request_id): one.reason for one in carillon.dead_letters.list()}
        occurrences = self._injector.occurrences
        comparison = Comparison(
            inbox, statuses, letters, occurrences, started=started, look=carillon.notification
        )
        outside = latencies.outside_outages(load.sent, occurrences)
        return Report(
            wanted=self._wanted,
            occurrences=occurrences,
            recoveries=recoveries(occurrences, load.sent, inbox, started=started),
            account=comparison.account(load.sent),
            accept=latencies.measure(load.sent),
            accept_outside_outages=latencies.measure(outside),
            settled_after=None if settled is None else round(settled - ended, 1),
            engines=asyncio.run(durability(self._facts)),
            unwell=unwell,
            left_in_queues=left,
        )

    def _unwell(self) -> list[str]:
        """Return who does not say that all is well, after some patience."""
        waiting = dict(self._facts.services)

        def all_well() -> bool:
            for name, url in list(waiting.items()):
                if _is_well(url):
                    del waiting[name]
            return not waiting

        wait_until(all_well, seconds=_WELL_SECONDS, every=0.5)
        return sorted(waiting)


def _is_well(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/health", timeout=5, trust_env=False)
        return bool(answer.json()["status"] == "ok")
    except (httpx.HTTPError, ValueError):
        return False
