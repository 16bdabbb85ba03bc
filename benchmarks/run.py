"""One run: the ground, the benches one after the other, everything taken down."""

from collections.abc import Sequence
from dataclasses import asdict
from traceback import format_exception

from benchmarks import machine
from benchmarks.benches import BENCHES
from benchmarks.ground import Ground
from benchmarks.journal import Journal, Say
from benchmarks.results import Run
from benchmarks.size import Size
from benchmarks.skipping import BenchSkipped
from carillon_stack.home import Home


def begin(size: Size, *, quick: bool) -> Run:
    """A run that has measured nothing yet."""
    about = machine.described() | {
        "quick": quick,
        "size": asdict(size),
        "altered_settings": machine.altered_settings(),
        "engines": {},
        "messages": {},
    }
    return Run(about)


async def measure(run: Run, names: Sequence[str], size: Size, home: Home, say: Say) -> None:
    """Runs the named benches; `run` holds what was measured even if one fails."""
    journal = Journal(run, say)
    async with Ground.prepared(home, size, say, whole="idle" in names) as ground:
        run.about["engines"] = await ground.engines.settings()
        for name in names:
            try:
                await BENCHES[name](ground, size, journal)
            except BenchSkipped as skipped:
                journal.skip(name, str(skipped))
            except Exception as error:  # noqa: BLE001 - the other benches may well succeed
                say("".join(format_exception(error)))
                run.failed[name] = repr(error)
                await ground.scale()
