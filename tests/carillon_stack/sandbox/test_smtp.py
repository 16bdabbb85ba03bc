"""The SMTP emulator, as `smtplib` meets it."""

from __future__ import annotations

import smtplib
import socket
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from .conftest import Sandbox


def welcome(message_id: str = "<1@carillon.test>") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Carillon <hello@carillon.test>"
    message["To"] = "john@example.com"
    message["Subject"] = "Grüße, John ☃"
    message["Message-ID"] = message_id
    message.set_content("Hello\n.\n..two dots\nund ein ü\n")
    message.add_alternative("<p>Hello</p>", subtype="html")
    return message


def connect(sandbox: Sandbox) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10)


def test_a_mail_sent_over_starttls_with_login_is_shown_as_it_was_written(sandbox: Sandbox) -> None:
    with connect(sandbox) as client:
        client.starttls(context=ssl.create_default_context(cafile=str(sandbox.certificate)))
        client.login("any", "password")
        assert client.send_message(welcome()) == {}
    (shown,) = sandbox.get("/messages", channel="email")
    assert shown["from"] == "Carillon <hello@carillon.test>"
    assert shown["to"] == "john@example.com"
    assert shown["subject"] == "Grüße, John ☃"
    assert shown["text"] == "Hello\n.\n..two dots\nund ein ü\n"
    assert shown["html"] == "<p>Hello</p>\n"
    assert shown["message_id"] == "<1@carillon.test>"
    assert shown["headers"]["MIME-Version"] == "1.0"


def test_the_source_is_kept_byte_for_byte(sandbox: Sandbox) -> None:
    source = b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n\xff\x00 end\r\n"
    with connect(sandbox) as client:
        client.sendmail("a@b.test", ["x@y.test"], source)
    (shown,) = sandbox.get("/messages")
    response = sandbox.http.get(f"/messages/{shown['id']}/source")
    assert response.content == source


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_both_ways_to_log_in(sandbox: Sandbox, mechanism: str) -> None:
    with connect(sandbox) as client:
        client.ehlo()
        client.user, client.password = "user", "password"
        code, _ = client.auth(mechanism.removeprefix("auth_").upper(), getattr(client, mechanism))
        assert code == 235


def test_one_login_is_needed_where_one_is_set(tmp_path: Path) -> None:
    login = {"SANDBOX_SMTP_USER": "carillon", "SANDBOX_SMTP_PASSWORD": "secret"}
    sandbox = Sandbox(tmp_path, login)
    sandbox.start()
    try:
        with connect(sandbox) as client:
            client.ehlo()
            assert client.mail("a@b.test") == (530, b"5.7.0 Log in first")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.login("carillon", "guess")
            assert refused.value.smtp_code == 535
            client.login("carillon", "secret")
            client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
    finally:
        sandbox.close()


def test_an_address_beyond_ascii_needs_smtputf8(sandbox: Sandbox) -> None:
    message = welcome()
    del message["To"]
    message["To"] = "jürgen@example.com"
    with connect(sandbox) as client:
        client.send_message(message)
        client.mail("a@b.test")
        client.command_encoding = "utf-8"
        assert client.docmd("RCPT", "TO:<jürgen@example.com>")[0] == 553
    (shown,) = sandbox.get("/messages", to="jürgen@example.com")
    assert shown["headers"]["To"] == "jürgen@example.com"


def test_several_recipients_are_several_messages(sandbox: Sandbox) -> None:
    with connect(sandbox) as client:
        refused = client.sendmail(
            "a@b.test", ["x@y.test", "dead-z@y.test", "w@y.test"], welcome().as_bytes(policy=SMTP)
        )
    assert refused == {"dead-z@y.test": (550, b"5.1.1 No such mailbox here")}
    assert [shown["to"] for shown in sandbox.get("/messages")] == ["w@y.test", "x@y.test"]
    assert sandbox.get("/stats")["distinct_message_ids"] == 1


def test_pipelined_commands_are_answered_in_order(sandbox: Sandbox) -> None:
    conversation = (
        b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n"
        b"Subject: one\r\n\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<x@y.test>\r\nDATA\r\n.\r\nQUIT\r\n"
    )
    with socket.create_connection(("127.0.0.1", sandbox.smtp_port), timeout=10) as client:
        client.sendall(conversation)
        replies = b"".join(iter(lambda: client.recv(65536), b"")).decode().splitlines()
    codes = [reply[:3] for reply in replies if reply[3] == " "]
    assert codes == ["220", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"]
    assert sandbox.get("/stats")["email"] == 2


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("NONSENSE", 500),
        ("RCPT TO:<x@y.test>", 503),
        ("DATA", 503),
        ("MAIL TO:<x@y.test>", 501),
        ("MAIL FROM:<a@b.test> SIZE=99999999999", 552),
        ("AUTH CRAM-MD5", 504),
        ("AUTH PLAIN !!!", 501),
        ("VRFY x", 252),
        ("NOOP", 250),
    ],
)
def test_commands_that_are_wrong_here_are_refused(
    sandbox: Sandbox, command: str, code: int
) -> None:
    with connect(sandbox) as client:
        client.ehlo()
        assert client.docmd(command)[0] == code


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("reject_permanent", b"5.7.1"),
        ("reject_transient", b"4.3.0"),
        ("throttle", b"4.7.1"),
    ],
)
def test_refusals_speak_about_the_recipient(sandbox: Sandbox, kind: str, reply: bytes) -> None:
    sandbox.faults({"channel": "email", "kind": kind, "first": 1})
    with connect(sandbox) as client:
        with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
        assert refused.value.recipients["x@y.test"][1].startswith(reply)
        client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
    assert sandbox.get("/stats")["rejected"]["email"] == {kind: 1}


def test_an_unavailable_server_says_so_and_hangs_up(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "unavailable"})
    with connect(sandbox) as client, pytest.raises(smtplib.SMTPException) as refused:
        client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
    assert "421" in str(refused.value.args)


def test_a_connection_cut_after_acceptance_has_kept_the_mail(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "disconnect_after_accept", "first": 1})
    client = connect(sandbox)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.sendmail("a@b.test", ["x@y.test"], b"Message-ID: <7@x>\r\n\r\n")
    client.close()
    with connect(sandbox) as again:
        again.sendmail("a@b.test", ["x@y.test"], b"Message-ID: <7@x>\r\n\r\n")
    stats = sandbox.get("/stats")
    assert (stats["email"], stats["distinct_message_ids"]) == (2, 1)


def test_a_connection_cut_before_acceptance_has_kept_nothing(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "disconnect"})
    client = connect(sandbox)
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
    client.close()
    assert sandbox.get("/stats")["email"] == 0


def test_while_down_no_connection_lives(sandbox: Sandbox) -> None:
    with connect(sandbox) as pooled:
        pooled.ehlo()
        sandbox.faults({"channel": "email", "kind": "down"})
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            pooled.noop()
        with pytest.raises((smtplib.SMTPServerDisconnected, OSError)):
            connect(sandbox)
        pooled.close()
    sandbox.faults()
    with connect(sandbox) as client:
        client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")


def test_a_timeout_gives_no_answer(sandbox: Sandbox) -> None:
    sandbox.faults({"channel": "email", "kind": "timeout"})
    client = smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=0.5)
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        client.sendmail("a@b.test", ["x@y.test"], b"Subject: x\r\n\r\n")
    client.close()
    assert sandbox.get("/stats")["email"] == 0
