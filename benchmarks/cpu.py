"""CPU time of each part of the system under test, and of whatever else ran meanwhile."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from carillon_stack import figures
from carillon_stack.supervisor import Supervisor

GATEWAY, PEER = "gateway", "peer"

_GROUPS = {
    "postgres": "postgres",
    "rabbitmq": "rabbitmq",
    "epmd": "rabbitmq",
    "redis": "redis",
    "email_service": "email worker",
    "push_service": "elsewhere",
    "sms_service": "elsewhere",
    "user_service": "user service",
    "template_service": "template service",
    "sandbox": "elsewhere",
}
"""The group of each supervised program. One that is not named is the gateway's: itself, or a
publisher or relay beside it."""


@dataclass(frozen=True)
class Spent:
    """Seconds of CPU in some span: by group, and as percent of a core what others took."""

    groups: Mapping[str, float]
    others_percent: float
    passed: float

    @property
    def busy_share(self) -> float:
        """What the system under test took of a core."""
        return sum(self.groups.values()) / self.passed

    def per(self, count: int) -> dict[str, float]:
        """Microseconds for each of `count`, by group, under the names of figures."""
        if not count:
            return {}
        return {
            f"cpu_us_{group.replace(' ', '_')}": seconds / count * 1e6
            for group, seconds in self.groups.items()
            if seconds > 0
        } | {"other_load_percent": self.others_percent}


@dataclass(frozen=True)
class Reading:
    """The counters at one moment."""

    at: float
    groups: Mapping[str, float]
    ours: float
    busy: float

    def until(self, later: "Reading") -> Spent:
        passed = max(1e-6, later.at - self.at)
        spent = {
            name: max(0.0, seconds - self.groups.get(name, 0.0))
            for name, seconds in later.groups.items()
        }
        others = (later.busy - self.busy) - (later.ours - self.ours)
        return Spent(spent, round(100 * max(0.0, others) / passed, 1), passed)


class Cpu:
    """Reads the processes of a stack, and of peers that are watched."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._watched: dict[str, int] = {}

    def watch(self, group: str, pid: int) -> None:
        self._watched[group] = pid

    def forget(self, group: str) -> None:
        self._watched.pop(group, None)

    async def read(self) -> Reading:
        """In a thread: whoever looks at clocks meanwhile shall not wait for it."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Reading:
        states = self._supervisor.states()
        roots = [(_GROUPS.get(s.program, GATEWAY), s.pid) for s in states if s.pid]
        roots += list(self._watched.items())
        alone = {pid for _, pid in roots}
        groups: dict[str, float] = {}
        for name, pid in roots:
            spent = figures.cpu_seconds(figures.family(pid, alone))
            groups[name] = groups.get(name, 0.0) + spent
        # Everything of this run descends from this process: also load, sink and supervisord.
        ours = figures.cpu_seconds(figures.family(os.getpid(), ()))
        return Reading(time.monotonic(), groups, ours, _busy())


def _busy() -> float:
    """Seconds that all cores together have worked since the machine started, or were withheld."""
    times = psutil.cpu_times()
    rest = ("irq", "softirq", "steal")
    return float(sum(times[:3]) + sum(getattr(times, name, 0.0) for name in rest))
