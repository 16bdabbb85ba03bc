import asyncio
import socket
import time

import pytest

from shared.resilience.deadline import answered_within


async def test_who_takes_longer_is_not_waited_for():
    with pytest.raises(TimeoutError):
        async with answered_within(0.01):
            await asyncio.Event().wait()


async def test_who_is_in_time_is_left_alone():
    async with answered_within(0.01):
        answer = 1
    await asyncio.sleep(0.05)
    assert answer == 1


async def test_an_answer_that_came_while_the_process_was_busy_counts():
    """Invariant: our own slowness is not the far side's."""
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    far.send(b"answer")
    far.close()
    async with answered_within(0.01):
        asyncio.get_running_loop().call_soon(time.sleep, 0.1)
        assert await reader.read(100) == b"answer"
    writer.close()


async def test_a_cancelled_block_is_cancelled_and_no_timeout():
    async def wait() -> None:
        async with answered_within(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
