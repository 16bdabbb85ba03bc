import os
import stat
from pathlib import Path

from carillon_stack.home import REPOSITORY, Home


def test_the_home_is_in_the_repository_unless_moved(tmp_path: Path):
    assert Home.from_environment({}).path == REPOSITORY / ".carillon"
    assert Home.from_environment({"CARILLON_HOME": str(tmp_path)}).path == tmp_path


def test_a_secret_is_made_once_and_readable_by_its_owner_only(tmp_path: Path):
    home = Home(tmp_path)

    secret = home.secret("token")

    assert Home(tmp_path).secret("token") == secret
    assert len(secret) >= 32
    assert stat.S_IMODE((tmp_path / "secrets" / "token").stat().st_mode) == 0o600


def test_a_socket_stays_bindable_however_deep_the_home_lies(tmp_path: Path):
    deep = Home(tmp_path / ("d" * 60) / ("e" * 60))

    path = deep.socket("supervisor.sock")

    assert len(os.fsencode(path)) < 100
    assert path == deep.socket("supervisor.sock")
    path.parent.rmdir()


def test_two_homes_have_two_marks(tmp_path: Path):
    assert Home(tmp_path / "a").mark != Home(tmp_path / "b").mark
