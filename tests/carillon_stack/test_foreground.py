"""``up`` in the foreground: signals stop everything in order."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from carillon_stack.home import REPOSITORY, Home
from carillon_stack.supervisor import Supervisor
from tests.carillon_stack.conftest import ENGINES

PROGRAM = """
import carillon_stack.stack as stack
from carillon_stack.commands import life
from tests.carillon_stack.conftest import standins
stack.SERVICES = stack.Stack.__init__.__kwdefaults__["services"] = standins("{mark}")
life.app()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(tmp_path: Path, how: signal.Signals):
    environment = {name: os.environ[name] for name in ENGINES}
    program = PROGRAM.format(mark=tmp_path.name.replace("-", "_") + str(os.getpid()))
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program, "up"],
        cwd=REPOSITORY,
        env={**environment, "CARILLON_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout
        said = []
        for line in up.stdout:
            said.append(line)
            if "Ctrl-C stops everything" in line:
                assert Supervisor(Home(tmp_path)).alive()
                up.send_signal(how)
    assert up.returncode == 0, said
    assert said[-1] == "Stopped.\n"
    assert not Supervisor(Home(tmp_path)).alive()
    assert Supervisor(Home(tmp_path)).leftovers() == []
