"""What was acknowledged stays, whatever happens to the process."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import smtplib
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from carillon_stack.sandbox.messages import Message
from carillon_stack.sandbox.store import MessageStore

from .conftest import REPOSITORY, TWILIO_SID, TWILIO_TOKEN, Sandbox, wait_until


def mail(n: int) -> bytes:
    return f"Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\nHello".encode()


def test_a_killed_sandbox_has_lost_nothing_it_acknowledged(own_sandbox: Sandbox) -> None:
    """Invariant: no mail answered with 250 is missing after kill -9."""
    acknowledged = []
    with smtplib.SMTP("127.0.0.1", own_sandbox.smtp_port, timeout=10) as client:
        for n in range(200):
            client.sendmail("a@b.test", [f"{n}@x.test"], mail(n))
            acknowledged.append(f"<{n}@x>")
        own_sandbox.end(signal.SIGKILL)
        client.close()
    own_sandbox.start()
    shown = own_sandbox.get("/messages", limit=20000)
    assert [message["message_id"] for message in reversed(shown)] == acknowledged
    assert own_sandbox.get("/stats")["distinct_message_ids"] == len(acknowledged)


def test_cleared_messages_stay_away(own_sandbox: Sandbox) -> None:
    with smtplib.SMTP("127.0.0.1", own_sandbox.smtp_port, timeout=10) as client:
        client.sendmail("a@b.test", ["x@x.test"], mail(1))
        assert own_sandbox.http.delete("/messages").status_code == 204
        client.sendmail("a@b.test", ["x@x.test"], mail(2))
    own_sandbox.end(signal.SIGKILL)
    own_sandbox.start()
    assert [message["subject"] for message in own_sandbox.get("/messages")] == ["2"]


def test_a_second_sandbox_on_one_folder_says_what_is_wrong(own_sandbox: Sandbox) -> None:
    environment = {
        **os.environ,
        "SANDBOX_PORT": "0",
        "SANDBOX_SMTP_PORT": "0",
        "SANDBOX_DATA": str(own_sandbox.folder / "data"),
        "SANDBOX_FCM_CREDENTIALS": str(own_sandbox.credentials),
        "SANDBOX_TWILIO_SID": "AC1",
        "SANDBOX_TWILIO_TOKEN": "x",
    }
    command = [sys.executable, "-m", "carillon_stack.sandbox"]
    second = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "in use by another sandbox" in second.stderr


def test_it_serves_on_an_inherited_socket_and_ends_on_sigterm(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        fd = listening.fileno()
        sandbox = Sandbox(
            tmp_path, {"LISTEN_FD": str(fd)}, port=listening.getsockname()[1], inherited=(fd,)
        )
        sandbox.start()
    assert sandbox.get("/livez")["status"] == "ok"
    sandbox.close()


def test_a_request_left_hanging_at_the_end_is_cut_not_answered(own_sandbox: Sandbox) -> None:
    own_sandbox.faults({"channel": "sms", "kind": "timeout"})
    url = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    form = {"To": "+14155552671", "From": "+15005550006", "Body": "Hi"}
    login = (TWILIO_SID, TWILIO_TOKEN)
    with ThreadPoolExecutor(1) as caller:
        hanging = caller.submit(own_sandbox.http.post, url, data=form, auth=login)
        with httpx.Client(base_url=own_sandbox.url) as other:
            wait_until(lambda: bool(other.get("/stats").json()["rejected"]["sms"]))
        own_sandbox.end()
        with pytest.raises(httpx.TransportError):
            hanging.result(timeout=10)


async def test_a_line_cut_short_is_removed_and_the_next_one_is_whole(tmp_path: Path) -> None:
    store = MessageStore(tmp_path)
    store.open()
    await store.keep(Message("sms", "+1", {"from": "+2", "text": "kept"}))
    await store.close()
    file = tmp_path / "messages.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b"\0\0noise\n" + whole[:-20])
    again = MessageStore(tmp_path)
    again.open()
    await again.keep(Message("sms", "+1", {"from": "+2", "text": "next"}))
    assert [message.content["text"] for message in again.newest()] == ["next", "kept"]
    await again.close()


async def test_memory_keeps_the_newest_and_counts_all(tmp_path: Path) -> None:
    store = MessageStore(tmp_path, newest=10)
    store.open()
    messages = [Message("email", "x@y", {"n": n}, mark=f"<{n % 50}>") for n in range(100)]
    await asyncio.gather(*(store.keep(message) for message in messages))
    assert [message.content["n"] for message in store.newest()] == list(range(99, 89, -1))
    assert store.stats()["email"] == 100
    assert store.stats()["distinct_message_ids"] == 50
    await store.close()


async def test_clearing_amid_arrivals_leaves_a_readable_store(tmp_path: Path) -> None:
    store = MessageStore(tmp_path)
    store.open()

    async def arrive(n: int) -> None:
        await store.keep(Message("sms", f"+{n}", {"text": "x" * n}))

    await asyncio.gather(*(arrive(n) for n in range(200)), store.clear(), *map(arrive, range(50)))
    shown = store.newest()
    assert len(shown) == store.stats()["sms"]
    await store.close()
    again = MessageStore(tmp_path)
    again.open()
    assert [m.id for m in again.newest()] == [m.id for m in shown]
    await again.close()


async def test_a_full_disk_is_an_error_and_leaves_no_half_line(tmp_path: Path) -> None:
    store = MessageStore(tmp_path)
    store.open()
    await store.keep(Message("sms", "+1", {"text": "kept"}))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            await store.keep(Message("sms", "+1", {"text": "x" * 10_000}))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    await store.keep(Message("sms", "+1", {"text": "again"}))
    assert [message.content["text"] for message in store.newest()] == ["again", "kept"]
    await store.close()
