"""A service in the smallest form: answers /readyz with its pid on the socket it was handed."""

import asyncio
import json
import os
import signal
import socket


async def serve() -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    listener = socket.socket(fileno=int(os.environ["LISTEN_FD"]))
    server = await asyncio.start_server(answer, sock=listener)
    print("listening", flush=True)
    await stopping.wait()
    server.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    shown = {"pid": os.getpid(), "environment": dict(os.environ)}
    body = json.dumps(shown).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
    writer.write(body)
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    asyncio.run(serve())
