"""A private RabbitMQ: own node name, cookie, distribution port and name server (epmd)."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from carillon_stack.engines.engine import bare_environment, find_binary
from carillon_stack.home import Home, write_private
from carillon_stack.ports import Ports
from carillon_stack.programs import Program, Stage

# The write-ahead log stays in memory until it is full: 512 MiB by default.
# Console log: supervisord keeps and rotates it.
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{port}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management_port}
collect_statistics_interval = 15000
raft.wal_max_size_bytes = 67108864
disk_free_limit.absolute = 200MB
log.file = false
log.console = true
log.console.level = info
log.console.use_colors = off
"""

# Two schedulers that sleep instead of spinning while they wait.
ERLANG = (
    "+S 2:2 +SDio 4 +sbwt none +sbwtdcpu none +sbwtdio none "
    "-kernel inet_dist_use_interface {127,0,0,1}"
)


def server() -> Path | None:
    """Return RabbitMQ's own start script; the one on the PATH may insist on another user."""
    scripts = Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server")
    return max(scripts, default=None) or find_binary(
        "rabbitmq-server", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin"
    )


def name_server() -> Path | None:
    """Return Erlang's epmd."""
    return find_binary(
        "epmd",
        "/usr/lib/erlang/erts-*/bin",
        "/opt/homebrew/opt/erlang/lib/erlang/erts-*/bin",
        "/usr/local/opt/erlang/lib/erlang/erts-*/bin",
    )


class RabbitMQ:
    """RabbitMQ with its management UI on loopback, user guest, password guest."""

    name = "rabbitmq"

    def __init__(self, home: Home, ports: Ports, script: Path, epmd: Path) -> None:
        self._script, self._epmd = script, epmd
        self._home = home
        self._folder = home.folder("rabbitmq")
        self._port = ports.give("rabbitmq")
        self._distribution_port = ports.give("rabbitmq distribution")
        self._epmd_port = ports.give("epmd")
        self._management_port = ports.give("rabbitmq management", 15672)
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        self.management_url = f"http://127.0.0.1:{self._management_port}"

    def prepare(self) -> None:
        configuration = CONFIGURATION.format(port=self._port, management_port=self._management_port)
        (self._folder / "rabbitmq.conf").write_text(configuration)
        (self._folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self._folder / "rabbitmq-env.conf").write_text("")
        cookie = self._folder / ".erlang.cookie"
        if not cookie.exists():
            write_private(cookie, secrets.token_hex(16))

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            **bare_environment(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"carillon-{self._home.mark}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
            # Makes the start script become the server instead of watching over it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def programs(self) -> Sequence[Program]:
        environment = self._environment()
        name_service = Program(
            name="epmd",
            command=(str(self._epmd), "-port", str(self._epmd_port), "-address", "127.0.0.1"),
            environment=environment,
            directory=self._folder,
            stage=Stage.ENGINES,
            grace=5,
        )
        broker = Program(
            name="rabbitmq",
            command=(str(self._script),),
            environment=environment,
            directory=self._folder,
            stage=Stage.ENGINES,
            after_port=self._epmd_port,
            grace=60,
        )
        return [name_service, broker]

    async def ping(self) -> None:
        await ping(self.url)


async def ping(url: str) -> None:
    """Ask a broker for its greeting: it listens only once it has started."""
    address = urlsplit(url)
    secure = address.scheme == "amqps"
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(
            address.hostname, address.port or (5671 if secure else 5672), ssl=secure or None
        )
        try:
            writer.write(b"AMQP\x00\x00\x09\x01")
            frame = await reader.readexactly(11)
            if frame[7:11] != b"\x00\x0a\x00\x0a":
                raise ConnectionError(
                    f"{address.hostname} does not answer like an AMQP 0-9-1 broker"
                )
        finally:
            writer.close()
