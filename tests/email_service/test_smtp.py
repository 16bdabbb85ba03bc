"""What becomes of an email when the server behaves badly, step by step."""

import asyncio

import pytest

from email_service.content import EmailContent
from email_service.mailbox import Mailbox
from email_service.providers.smtp import SmtpProvider
from email_service.smtp import connections
from shared.errors import (
    ContentRejected,
    OutcomeUnknown,
    ProviderDeclined,
    ProviderMisconfigured,
    ProviderUnavailable,
    RecipientRejected,
)
from tests.email_service.conftest import HANG_UP, SILENCE

SENDER = Mailbox.parse("Carillon <hello@carillon.example>")
EMAIL = EmailContent(SENDER, Mailbox.of("ada@example.com"), "Bells", ".They ring\n.\n..at nine")


@pytest.fixture
async def provider(server, account_at):
    smtp = SmtpProvider(account_at(server.port, timeout=0.4), connections=3)
    await smtp.open()
    yield smtp
    await smtp.close()


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the server is in this very loop
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("event", [HANG_UP, SILENCE, "421 4.3.2 closing"])
async def test_up_to_the_final_dot_nothing_was_handed_over(server, provider, step, event):
    server.script[step] = event
    with pytest.raises(ProviderUnavailable):
        await provider.send(EMAIL, key="k")


@pytest.mark.parametrize("step", ["GREETING", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_an_account_with_another_behind_it_is_not_waited_for_long(server, account_at, step):
    server.script[step] = SILENCE
    smtp = SmtpProvider(account_at(server.port, timeout=60.0, patience=0.3), connections=1)
    with pytest.raises(ProviderUnavailable, match=r"did not take an email within 0\.3 s"):
        async with asyncio.timeout(10):
            await smtp.send(EMAIL, key="k")


async def test_what_was_handed_over_is_waited_for_all_the_same(server, account_at):
    server.script["BODY"] = SILENCE
    smtp = SmtpProvider(account_at(server.port, timeout=0.5, patience=0.3), connections=1)
    with pytest.raises(OutcomeUnknown):
        await smtp.send(EMAIL, key="k")


@pytest.mark.parametrize("event", [HANG_UP, SILENCE, "gibberish"])
async def test_after_the_final_dot_a_missing_reply_leaves_it_unknown(server, provider, event):
    server.script["BODY"] = event
    with pytest.raises(OutcomeUnknown):
        await provider.send(EMAIL, key="k")
    assert len(server.bodies) == 1, "an unknown outcome is never repeated here"


@pytest.mark.parametrize(
    ("step", "reply", "expected"),
    [
        ("BODY", "421 4.3.2 closing", ProviderUnavailable),
        ("BODY", "451 4.3.0 later", ProviderDeclined),
        ("BODY", "554 5.6.0 unreadable", ContentRejected),
        ("RCPT", "550 5.1.1 nobody", RecipientRejected),
        ("RCPT", "gibberish", ProviderUnavailable),
        ("MAIL", "550 5.7.1 not yours", ProviderMisconfigured),
    ],
)
async def test_a_refusal_means_what_it_says_and_the_next_email_goes_out(
    server, provider, step, reply, expected
):
    server.script[step] = reply
    with pytest.raises(expected):
        await provider.send(EMAIL, key="k")
    del server.script[step]
    await provider.send(EMAIL, key="k")


async def test_a_refused_email_leaves_the_connection_fit_for_the_next(server, provider):
    server.script["RCPT"] = "550 5.1.1 nobody"
    with pytest.raises(RecipientRejected):
        await provider.send(EMAIL, key="k")
    server.script.clear()
    await provider.send(EMAIL, key="k")
    assert server.connections == 1
    assert "RSET" in server.heard


async def test_several_commands_go_in_one_round_trip_where_the_server_allows_it(account_at):
    came = []

    async def converse(reader, writer) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"250-here\r\n250 PIPELINING\r\n")
        came.append(await reader.read(4096))
        for reply in (b"250 ok\r\n25", b"0 ok\r\n354 go", b" on\r\n"):
            writer.write(reply)
            await asyncio.sleep(0.01)
        came.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 taken\r\n")
        writer.close()

    listening = await asyncio.start_server(converse, "127.0.0.1", 0)
    account = account_at(listening.sockets[0].getsockname()[1])
    await SmtpProvider(account, connections=1).send(EMAIL, key="k")
    assert [line.split(b" ")[0] for line in came[0].splitlines()] == [b"MAIL", b"RCPT", b"DATA"]
    listening.close()
    await listening.wait_closed()


async def test_a_server_that_waits_for_an_email_that_it_refused_gets_none(server, provider):
    server.script |= {"RCPT": "550 5.1.1 nobody", "DATA": "354 go on"}
    with pytest.raises(RecipientRejected):
        await provider.send(EMAIL, key="k")
    server.script.clear()
    await provider.send(EMAIL, key="k")
    assert len(server.bodies) == 1
    assert server.connections == 1 + server.pipelining


async def test_a_reply_that_is_still_owed_is_nobody_elses(server, provider):
    server.script |= {"RCPT": "550 5.1.1 nobody", "DATA": SILENCE}
    with pytest.raises(RecipientRejected):
        await provider.send(EMAIL, key="k")
    server.script.clear()
    await provider.send(EMAIL, key="k")
    assert len(server.bodies) == 1
    assert server.connections == 1 + server.pipelining


async def test_a_goodbye_that_nobody_asked_for_costs_no_email(server, provider):
    await provider.send(EMAIL, key="1")
    server.say_to_everyone("421 4.4.2 idle for too long")
    await until(lambda: server.open_now == 0)
    await provider.send(EMAIL, key="2")
    assert (server.connections, len(server.bodies)) == (2, 2)


async def test_connections_are_reused_and_bounded(server, provider):
    await asyncio.gather(*(provider.send(EMAIL, key=str(n)) for n in range(20)))
    await provider.send(EMAIL, key="later")
    assert server.connections <= 3
    assert len(server.bodies) == 21


async def test_connections_that_the_server_ended_cost_no_email(server, provider):
    await asyncio.gather(*(provider.send(EMAIL, key=str(n)) for n in range(6)))
    server.hang_up_on_everyone()
    await asyncio.gather(*(provider.send(EMAIL, key=str(n)) for n in range(6)))
    assert len(server.bodies) == 12


async def test_a_goodbye_to_a_used_connection_costs_no_email(server, provider):
    await provider.send(EMAIL, key="1")
    server.once["MAIL"] = "421 4.4.2 idle for too long"
    await provider.send(EMAIL, key="2")
    assert (server.connections, len(server.bodies)) == (2, 2)


async def test_unused_connections_are_closed(server, provider, monkeypatch):
    monkeypatch.setattr(connections, "_TIDY_SECONDS", 0.02)
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.05)
    await provider.close()
    await provider.open()
    await provider.send(EMAIL, key="k")
    await until(lambda: server.open_now == 0)
    assert server.heard[-1] == "QUIT"


@pytest.mark.parametrize(("name", "value"), [("MOST_EMAILS", 1), ("LONGEST_LIFE_SECONDS", 0.0)])
async def test_old_connections_are_replaced(server, provider, monkeypatch, name, value):
    monkeypatch.setattr(connections, name, value)
    await provider.send(EMAIL, key="1")
    await provider.send(EMAIL, key="2")
    assert server.connections == 2


async def test_lines_that_begin_with_a_dot_arrive_whole(server, provider):
    await provider.send(EMAIL, key="k")
    [body] = server.bodies
    assert body.endswith(b"\r\n\r\n..They ring\r\n..\r\n...at nine\r\n.\r\n")


async def test_a_server_that_stops_reading_has_not_got_the_email(account_at):
    given_up = asyncio.Event()

    async def stop_reading_at_data(reader, writer) -> None:
        writer.write(b"220 ready\r\n")
        for reply in (b"250 ok", b"250 ok", b"250 ok", b"354 go on"):
            await reader.readline()
            writer.write(reply + b"\r\n")
        writer.transport.pause_reading()
        await given_up.wait()
        writer.transport.abort()

    stalled = await asyncio.start_server(stop_reading_at_data, "127.0.0.1", 0, limit=1024)
    account = account_at(stalled.sockets[0].getsockname()[1], timeout=0.4)
    smtp = SmtpProvider(account, connections=1)
    huge = EmailContent(SENDER, EMAIL.recipient, "Bells", "They ring.\n" * 1_500_000)
    with pytest.raises(ProviderUnavailable, match="stopped reading"):
        await smtp.send(huge, key="k")
    stalled.close()
    given_up.set()
    await stalled.wait_closed()


async def test_an_address_beyond_ascii_needs_smtputf8(provider):
    email = EmailContent(SENDER, Mailbox.of("jürgen@example.com"), "Bells", "They ring.")
    with pytest.raises(RecipientRejected, match="ASCII"):
        await provider.send(email, key="k")


async def test_a_cancelled_send_leaves_no_half_spoken_connection(server, provider):
    server.script["RCPT"] = SILENCE
    sending = asyncio.create_task(provider.send(EMAIL, key="k"))
    await until(lambda: any(line.startswith("RCPT") for line in server.heard))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    server.script.clear()
    await provider.send(EMAIL, key="k")
    assert server.connections == 2
