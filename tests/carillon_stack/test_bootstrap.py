"""The bootstrap script, in a repository of its own with nothing to install."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from carillon_stack.home import REPOSITORY

PROGRAM = """
import os, sys
print(sys.argv[1:], os.getcwd())
"""


class Clone:
    """A small clone: the real script, a stand-in for what it starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "clone"
        self.home = folder / "home"
        for name in ("carillon_stack", "requirements"):
            (self.folder / name).mkdir(parents=True)
        shutil.copy(REPOSITORY / "carillon", self.folder)
        (self.folder / "carillon_stack" / "__main__.py").write_text(PROGRAM)
        self.require("# nothing")

    @property
    def stamp(self) -> Path:
        return self.home / "venv" / "installed"

    def require(self, text: str) -> None:
        (self.folder / "requirements" / "runtime.txt").write_text(text + "\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        # Whoever runs these tests may have put the real repository on the path.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.Popen(
            [str(self.folder / "carillon"), *arguments],
            env={**environment, "CARILLON_HOME": str(self.home)},
            cwd=self.folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[str, str]:
        """What it printed, and what it said it did."""
        with self.start(*arguments) as process:
            printed, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        return printed, said


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_it_sets_up_once_and_again_when_something_changed(clone: Clone):
    printed, said = clone.run("status", "--json")
    assert printed == f"['status', '--json'] {clone.folder.parent}\n"
    assert "Making a virtual environment" in said
    assert "hashes checked" in said

    _, said_next = clone.run()
    assert said_next == ""

    clone.require("# something else, still nothing")
    _, said_after_change = clone.run()
    assert "Installing requirements/runtime.txt" in said_after_change
    assert "Making" not in said_after_change

    clone.stamp.unlink()
    _, said_after_interruption = clone.run()
    assert "Making a virtual environment" in said_after_interruption


def test_two_at_once_make_one_environment(clone: Clone):
    both = [clone.start("first"), clone.start("second")]
    said = [process.communicate(timeout=120)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sum("Making" in text for text in said) == 1


def test_a_requirement_without_a_hash_is_refused(clone: Clone):
    clone.require("typer")

    with clone.start() as process:
        _, said = process.communicate(timeout=120)

    assert process.returncode != 0
    assert "hash" in said
    assert not clone.stamp.exists()
