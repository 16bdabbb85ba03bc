"""Real email workers that kill themselves at a step that their message names.

`python -m tests.email_service.mortal FOLDER COUNT` forks that many workers. Each takes one message,
notes in FOLDER that it holds it, waits for the file `go` there, and dies at the step that the
variable `dies_at` of the message names, as a power cut would have it: with SIGKILL. It ends when
all of them are gone. With COUNT 0 it becomes one worker that lives.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from email_service.__main__ import build
from email_service.settings import EmailSettings
from shared.cache import Cache
from shared.config import load
from shared.delivery import licence
from shared.delivery.licence import Licences
from shared.delivery.pipeline import Pipeline
from shared.http import Neighbour
from shared.messaging import Delivery, Publisher
from shared.messaging.topology import STATUS
from shared.service import run

STEPS = (
    "before the licence",
    "after the claim",
    "after the provider's answer",
    "after the claim is settled",
    "after the hand-off",
    "after the status",
)

doom: list[str] = []


def die_at(step: str) -> None:
    if step in doom:
        os.kill(os.getpid(), signal.SIGKILL)


def around(kind: type, method: str, *, before: Any = None, after: Any = None) -> None:
    """Has `before(*arguments)` and `after(*arguments)` called around a method."""
    original: Callable[..., Any] = getattr(kind, method)

    @wraps(original)
    async def wrapped(self: Any, *arguments: Any, **named: Any) -> Any:
        if before:
            before(*arguments)
        answer = await original(self, *arguments, **named)
        if after:
            after(*arguments)
        return answer

    setattr(kind, method, wrapped)


def make_mortal(folder: Path) -> None:
    deliver = Pipeline.deliver

    async def held_until_told(self: Any, message: Any, *rest: Any, **named: Any) -> Any:
        (folder / str(message.id)).touch()
        while not (folder / "go").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.02)
        doom.append(message.variables["dies_at"])
        return await deliver(self, message, *rest, **named)

    def before_publishing(messages: list[Any]) -> None:
        if any(message.exchange == STATUS for message in messages):
            die_at("after the hand-off")

    def after_publishing(messages: list[Any]) -> None:
        # What is dead has no status: the gateway makes it from the dead letter.
        if any(message.exchange != STATUS for message in messages):
            die_at("after the hand-off")

    Pipeline.deliver = held_until_told  # type: ignore[method-assign]
    around(
        Licences,
        "apply",
        before=lambda *_: die_at("before the licence"),
        after=lambda *_: die_at("after the claim"),
    )
    around(
        Licences,
        "settle",
        before=lambda *_: die_at("after the provider's answer"),
        after=lambda *_: die_at("after the claim is settled"),
    )
    around(Publisher, "publish", before=before_publishing, after=after_publishing)
    acknowledge = Delivery.ack

    def ack(self: Any) -> None:
        die_at("after the status")
        acknowledge(self)

    Delivery.ack = ack  # type: ignore[method-assign]


def work() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    os.environ["LISTEN_FD"] = str(listener.fileno())
    settings = load(EmailSettings)
    run(build(settings), settings)


def main(folder: Path, count: int) -> None:
    # A dead worker's claims are free soon, so that the test need not wait; and that the machine is
    # busy is not what the test is about.
    licence.LEASE_SECONDS, licence._RENEW_SECONDS = 1.0, 0.2
    for kind in (Cache, Neighbour):
        kind.__init__.__kwdefaults__["timeout"] = 15.0
    if not count:
        work()
        return
    make_mortal(folder)
    workers = []
    for _ in range(count):
        pid = os.fork()
        if not pid:
            work()
            os._exit(0)
        workers.append(pid)
    for pid in workers:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
