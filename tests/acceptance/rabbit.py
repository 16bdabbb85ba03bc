"""RabbitMQ of a stack, as its operator knows it."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika
import httpx

from tests.acceptance.stack import Stack, until


def depth(stack: Stack, queue: str) -> int:
    """Messages that wait in a queue, those in a consumer's hands left out."""

    async def ask() -> int:
        async with await aio_pika.connect(stack.info["engines"]["rabbitmq"]["url"]) as connection:
            channel = await connection.channel()
            declared = await channel.declare_queue(queue, passive=True)
            return int(declared.declaration_result.message_count or 0)

    return asyncio.run(ask())


def kill(stack: Stack) -> None:
    """Ends it with SIGKILL; returns when supervisord has started it again."""
    [pid] = stack.pids("rabbitmq")
    os.kill(pid, signal.SIGKILL)
    until(lambda: stack.pids("rabbitmq") not in ([], [pid]), seconds=30, what="another RabbitMQ")


@contextmanager
def out_of_memory(stack: Stack) -> Iterator[None]:
    """It believes so, and reads from nobody who publishes."""
    _control(stack, "0.00001")
    try:
        until(lambda: not _is_well(stack), seconds=30, what="RabbitMQ's alarm")
        yield
    finally:
        _control(stack, "0.4")


def _is_well(stack: Stack) -> bool:
    url = f"{stack.info['engines']['rabbitmq']['management_url']}/api/health/checks/local-alarms"
    return httpx.get(url, auth=("guest", "guest"), timeout=20).is_success


def _control(stack: Stack, watermark: str) -> None:
    specification = json.loads((stack.home / "run" / "rabbitmq.specification").read_text())
    environment = specification["environment"]
    script = Path(specification["command"][0]).with_name("rabbitmqctl")
    node = environment["RABBITMQ_NODENAME"]
    subprocess.run(
        [str(script), "-n", node, "set_vm_memory_high_watermark", watermark],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
