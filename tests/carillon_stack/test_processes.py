import os
import subprocess
import sys
from pathlib import Path

from carillon_stack import launch, processes
from carillon_stack.deadline import wait_until

ENDLESS = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {ENDLESS}"


def started(folder: Path, code: str, *, grace: int = 10) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == "ready\n"
    about = {"stage": 300, "stop_signal": "TERM", "grace": grace}
    launch.note(folder / f"p{process.pid}.json", about, process.pid)
    return process


def test_a_noted_process_is_found_and_ended(tmp_path: Path):
    process = started(tmp_path, ENDLESS)

    (found,) = processes.living(tmp_path.glob("*.json"))
    processes.end([found])

    assert found.pid == process.pid
    assert process.wait(5) != 0
    assert processes.living(tmp_path.glob("*.json")) == []


def test_a_process_that_ignores_politeness_is_killed(tmp_path: Path):
    process = started(tmp_path, STUBBORN, grace=0)

    processes.end(processes.living(tmp_path.glob("*.json")))

    assert process.wait(5) == -9


def test_a_stranger_who_got_the_same_process_id_is_left_alone(tmp_path: Path):
    process = started(tmp_path, ENDLESS)
    record = next(tmp_path.glob("*.json"))
    ticks = launch.started_ticks(process.pid)
    record.write_text(record.read_text().replace(f'"ticks": {ticks}', '"ticks": 1'))

    assert processes.living([record]) == []

    process.kill()
    process.wait(5)


def test_a_record_that_was_only_half_written_is_no_process(tmp_path: Path):
    record = tmp_path / "half.json"
    record.write_text('{"pid": ')

    assert processes.read(record) is None


def test_a_dead_process_is_not_living_even_before_it_is_reaped(tmp_path: Path):
    process = started(tmp_path, ENDLESS)
    os.kill(process.pid, 9)

    assert wait_until(lambda: not processes.living(tmp_path.glob("*.json")), seconds=5)

    process.wait(5)
