"""(a) The physical limit: ready-made messages through aiosmtplib, nothing else.

`python -m benchmarks.peers.bare_smtp COUNT CONNECTIONS`
"""

import asyncio
import os
import sys
from collections.abc import Iterator
from email.policy import SMTP as SMTP_POLICY

import aiosmtplib
import uvloop

from benchmarks import letters
from benchmarks.peers.composing import compose

FROM = "hello@carillon.example"


def ready_made() -> bytes:
    """What a worker of the suite would send, as bytes, to RECIPIENT."""
    message = compose("RECIPIENT", letters.VARIABLES)
    message["Date"] = "Wed, 25 Nov 2026 12:00:00 +0000"
    message["Message-ID"] = "<0192f0c1-2b3c-7d4e-8f5a-6b7c8d9e0f1a.1@carillon.example>"
    message["Auto-Submitted"] = "auto-generated"
    return message.as_bytes(policy=SMTP_POLICY)


async def send_all(count: int, connections: int) -> None:
    source = ready_made()
    recipients = [letters.address(number) for number in range(count)]
    messages = [(r, source.replace(b"RECIPIENT", r.encode())) for r in recipients]
    rest = iter(messages)

    async def work(client: aiosmtplib.SMTP, rest: Iterator[tuple[str, bytes]]) -> None:
        for recipient, message in rest:
            await client.sendmail(FROM, [recipient], message)

    port = int(os.environ["SINK_PORT"])
    clients = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.connect() for client in clients))
    await asyncio.gather(*(work(client, rest) for client in clients))
    # It is ended from outside, once its CPU time has been read.
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(send_all(int(sys.argv[1]), int(sys.argv[2])))
