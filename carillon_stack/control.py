"""Start, stop and restart parts of a running stack by name."""

from carillon_stack.deadline import wait_until
from carillon_stack.errors import StackError
from carillon_stack.facts import Facts
from carillon_stack.rolling import ready, roll
from carillon_stack.stack import Say
from carillon_stack.supervisor import Supervisor

ALL = "all"


class Control:
    """The hand on a running stack; raises StackError if none runs."""

    def __init__(self, supervisor: Supervisor, facts: Facts, say: Say) -> None:
        if not supervisor.alive():
            raise StackError("The stack does not run. Start it: ./carillon up --detach")
        self._supervisor = supervisor
        self._facts = facts
        self._say = say

    def start(self, name: str) -> None:
        """Start what is stopped; return when it is ready."""
        for program in self._programs(name):
            self._supervisor.start_program(program)
        for program in self._programs(name):
            self._await(program)

    def stop(self, name: str) -> None:
        """Stop a service, an engine or all; it stays stopped until started by name."""
        for program in reversed(self._programs(name)):
            self._supervisor.stop_programs([program])
            self._say(f"{program} is stopped.")

    def restart(self, name: str) -> None:
        """Restart process by process, each ready before the next goes."""
        for program in self._programs(name):
            roll(self._supervisor, self._facts, program)
            self._say(f"{program} is restarted and ready.")

    def _programs(self, name: str) -> list[str]:
        """Return the programs behind a name, in the order of start."""
        if name == ALL:
            return self._supervisor.programs()
        return list(self._facts.programs_of(name))

    def _await(self, program: str) -> None:
        for process in self._supervisor.states():
            if process.program != program:
                continue
            if not wait_until(lambda: ready(self._supervisor, self._facts, process), seconds=60):  # noqa: B023
                raise StackError(f"{process.name} is not ready 60 s after its start.")
        self._say(f"{program} is ready.")
