"""The hand that breaks things and mends them again, in its own stack only."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from carillon_stack.chaos.schedule import SANDBOX, TROUBLES, Fault, Kind
from carillon_stack.control import Control
from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.rolling import ready
from carillon_stack.supervisor import ProcessState, Supervisor

LONGEST_RETURN_SECONDS = 60.0
_LOOK_EVERY_SECONDS = 0.2


@dataclass(slots=True)
class Occurrence:
    """A fault that happened, in seconds since the load began.

    From `began` to `ended` it was held on; at `back` its target served again.
    """

    fault: Fault
    began: float
    ended: float
    back: float | None = None

    def covers(self, start: float, end: float, *, slack: float = 0.0) -> bool:
        """Tell whether any part of its effect lay between two moments."""
        over = (self.back if self.back is not None else self.ended + LONGEST_RETURN_SECONDS) + slack
        return self.began <= end and start <= over


class Injector:
    """Carries a schedule out; whatever happens, `release` leaves nothing frozen."""

    def __init__(
        self,
        supervisor: Supervisor,
        facts: Facts,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._supervisor, self._facts = supervisor, facts
        self._control = Control(supervisor, facts, lambda _: None)
        self._now, self._say = clock, say
        self._frozen: list[int] = []
        self._returning: set[asyncio.Task[None]] = set()
        self.occurrences: list[Occurrence] = []

    async def run(self, schedule: Sequence[Fault]) -> None:
        """Return when every fault is over and every target is back, or late by a minute."""
        try:
            for fault in schedule:
                if (early := fault.at - self._now()) > 0:
                    await asyncio.sleep(early)
                await self._happen(fault)
            if self._returning:
                await asyncio.wait(self._returning)
        finally:
            self.release()

    async def _happen(self, fault: Fault) -> None:
        began = self._now()
        self._say(f"{began:6.1f} s  {fault.name}" + f" for {fault.seconds} s" * bool(fault.seconds))
        struck: ProcessState | None = None
        match fault.kind:
            case Kind.KILL:
                struck = await asyncio.to_thread(self._kill, fault)
            case Kind.STOP:
                await asyncio.to_thread(self._control.stop, fault.target)
                await asyncio.sleep(max(0.0, fault.seconds - (self._now() - began)))
            case Kind.FREEZE:
                await self._freeze(fault)
            case Kind.PROVIDER:
                await self._trouble(fault)
        occurrence = Occurrence(fault, began, self._now())
        self.occurrences.append(occurrence)
        task = asyncio.create_task(self._until_back(occurrence, struck))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _until_back(self, occurrence: Occurrence, struck: ProcessState | None) -> None:
        """Note when the target serves again; after a stop, start it."""
        fault = occurrence.fault
        if fault.kind is Kind.PROVIDER:
            occurrence.back = occurrence.ended
            return
        try:
            await asyncio.to_thread(self._see_it_back, fault, struck)
        except StackError as failure:
            self._say(f"         {failure}")
            return
        occurrence.back = self._now()
        self._say(f"{occurrence.back:6.1f} s  {fault.target} is back")

    def _see_it_back(self, fault: Fault, struck: ProcessState | None) -> None:
        if fault.kind is Kind.STOP:
            self._control.start(fault.target)
            return

        def serves() -> bool:
            alive = [state for state in self._processes(fault.target) if state.pid]
            replaced = struck is None or any(
                state.name == struck.name and state.pid != struck.pid for state in alive
            )
            return replaced and all(ready(self._supervisor, self._facts, s) for s in alive)

        if not wait_until(serves, seconds=LONGEST_RETURN_SECONDS, every=_LOOK_EVERY_SECONDS):
            raise StackError(f"{fault.target} is not back after {LONGEST_RETURN_SECONDS:.0f} s")

    # -- kinds ----------------------------------------------------------------

    def _kill(self, fault: Fault) -> ProcessState:
        state = self._one_of(fault)
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.pid or 0, signal.SIGKILL)
        return state

    async def _freeze(self, fault: Fault) -> None:
        state = await asyncio.to_thread(self._one_of, fault)
        # The parent first: it makes no more children then.
        with contextlib.suppress(psutil.Error):
            self._stop(state.pid or 0)
            for child in psutil.Process(state.pid).children(recursive=True):
                self._stop(child.pid)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            self.release()

    def _stop(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._frozen.append(pid)

    def release(self) -> None:
        """Have everything that was frozen go on."""
        while self._frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._frozen.pop(), signal.SIGCONT)

    async def _trouble(self, fault: Fault) -> None:
        wanted = {
            "channel": fault.target,
            "kind": fault.trouble,
            "seed": fault.seed,
            **TROUBLES[fault.trouble],
        }
        await asyncio.to_thread(self._tell_sandbox, [wanted])
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            await asyncio.to_thread(self._tell_sandbox, [])

    def _tell_sandbox(self, troubles: list[dict[str, Any]]) -> None:
        """Switch these on and all others off; the sandbox may be on its way back from a fault."""
        url = f"{self._facts.sandbox_url}/faults"

        def told() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.put(url, json=troubles, timeout=5, trust_env=False).is_success
            return False

        if not wait_until(told, seconds=LONGEST_RETURN_SECONDS, every=_LOOK_EVERY_SECONDS):
            raise StackError(f"The sandbox does not take its faults: {url}")

    def _one_of(self, fault: Fault) -> ProcessState:
        """One living process of the target, drawn by the fault's seed."""
        alive: list[ProcessState] = []

        def found() -> bool:
            alive[:] = [state for state in self._processes(fault.target) if state.pid]
            return bool(alive)

        if not wait_until(found, seconds=LONGEST_RETURN_SECONDS, every=_LOOK_EVERY_SECONDS):
            raise StackError(f"{fault.target} does not run: nothing to {fault.kind}")
        return alive[fault.seed % len(alive)]

    def _processes(self, target: str) -> list[ProcessState]:
        known = target == SANDBOX or target in self._facts.services
        programs = (target,) if known else self._facts.programs_of(target)
        return [state for state in self._supervisor.states() if state.program in programs]
