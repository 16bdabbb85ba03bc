"""A private PostgreSQL with its durability settings at their safe defaults."""

import asyncio
import os
import pwd
import secrets
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit

import asyncpg
import psutil

from carillon_stack.engines.engine import bare_environment, find_binary
from carillon_stack.errors import StackError
from carillon_stack.home import Home
from carillon_stack.ports import Ports
from carillon_stack.programs import Program, Stage

# Data goes here when root's home, which an unprivileged user cannot enter, holds the stack.
OUTSIDE = Path("/var/lib/carillon")

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "jit": "off",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "log_destination": "stderr",
    "logging_collector": "off",
}


def binaries() -> Path | None:
    """Return the folder with the newest `initdb` and `postgres`."""
    folders = (
        "/usr/lib/postgresql/*/bin",
        "/usr/pgsql-*/bin",
        "/opt/homebrew/opt/postgresql@*/bin",
        "/usr/local/opt/postgresql@*/bin",
    )
    initdb = find_binary("initdb", *folders)
    return initdb.resolve().parent if initdb else None


class Postgres:
    """PostgreSQL on a free port of loopback; root runs it as an unprivileged user."""

    name = "postgres"

    def __init__(self, home: Home, ports: Ports, binaries: Path) -> None:
        self._binaries = binaries
        self._port = ports.give("postgres")
        self._password = home.secret("postgres_password")
        self._user = unprivileged_user() if os.geteuid() == 0 else None
        self.data = data_folder(home, self._user)
        self.url = f"postgresql://carillon:{quote(self._password)}@127.0.0.1:{self._port}/postgres"

    def prepare(self) -> None:
        if (self.data / "PG_VERSION").exists():
            forget_stale_lock(self.data)
            return
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.data, account.pw_uid, account.pw_gid)
        for leftover in self.data.iterdir():
            raise StackError(
                f"{self.data} is no PostgreSQL folder but holds {leftover.name}: move it away"
            )
        with tempfile.NamedTemporaryFile("w", prefix="carillon-") as password_file:
            password_file.write(self._password)
            password_file.flush()
            if self._user:
                os.chown(password_file.name, pwd.getpwnam(self._user).pw_uid, -1)
            self._initialise(Path(password_file.name))

    def _initialise(self, password_file: Path) -> None:
        command = [
            *(str(self._binaries / "initdb"), "--pgdata", str(self.data), "--username=carillon"),
            *("--auth=scram-sha-256", f"--pwfile={password_file}"),
            *("--encoding=UTF8", "--locale=C"),
        ]
        result = subprocess.run(
            command,
            user=self._user,
            extra_groups=[] if self._user else None,
            cwd="/",
            env=bare_environment(self.data),
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode != 0:
            raise StackError(f"initdb could not make {self.data}:\n{result.stderr.strip()}")

    def programs(self) -> Sequence[Program]:
        settings = {**SETTINGS, "port": str(self._port)}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        return [
            Program(
                name="postgres",
                command=(str(self._binaries / "postgres"), "-D", str(self.data), *options),
                environment=bare_environment(self.data),
                directory=self.data,
                stage=Stage.ENGINES,
                user=self._user,
                # INT disconnects clients and shuts down cleanly; TERM would wait for them.
                stop_signal="INT",
                grace=60,
            )
        ]

    async def ping(self) -> None:
        await ping(self.url)


def unprivileged_user() -> str:
    """Return the account that runs PostgreSQL for root."""
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise StackError("PostgreSQL refuses to run as root: run ./carillon as another user.")


def data_folder(home: Home, user: str | None) -> Path:
    """Return the data folder: in the home, or in /var/lib if the user cannot reach the home."""
    inside = home.folder("postgres")
    if user is None or all(folder.stat().st_mode & 0o001 for folder in inside.parents):
        return inside / "data"
    folder = outside(home) / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "data"


def outside(home: Home) -> Path:
    """Return this home's folder in /var/lib; it may not exist.

    A home that was removed by hand and made anew at the same place has another one: the old
    data has the old password.
    """
    return OUTSIDE / home.secret("outside", lambda: secrets.token_hex(8))


def forget_stale_lock(data: Path) -> None:
    """Remove a lock file whose process id, after a reboot, belongs to something else.

    PostgreSQL would take that process for a running server and refuse to start.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    try:
        holder = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        ours = "postgres" in holder.name() or "postmaster" in holder.name()
    except (psutil.Error, ValueError):
        return
    if not ours:
        lock.unlink()


async def ping(url: str) -> None:
    """Ask a server whether it has recovered and serves."""
    connection = await asyncpg.connect(url, timeout=3)
    await connection.close()


async def create_database(server_url: str, name: str) -> str:
    """Create a database unless it exists; return its URL."""
    async with asyncio.timeout(30):
        connection = await asyncpg.connect(server_url)
        try:
            await connection.execute(f'CREATE DATABASE "{name}"')
        except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            pass
        finally:
            await connection.close()
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()
