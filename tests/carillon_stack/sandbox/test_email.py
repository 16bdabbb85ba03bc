"""Reading emails: the well-made, the odd and the broken."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carillon_stack.sandbox.email import message_id, read_email

PIECES = [
    b"From: ",
    b"Subject: ",
    b"To: ",
    b"Date: ",
    b"Message-ID: ",
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Type: multipart/mixed; boundary=x\r\n",
    b"Content-Type: text/html; charset=utf-7\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Disposition: attachment; filename*0*=",
    b"--x",
    b"=?utf-8?q?",
    b"?=",
    b"<",
]


@given(st.lists(st.one_of(st.binary(max_size=30), st.sampled_from(PIECES))).map(b"".join))
def test_no_email_is_too_broken_to_show(source: bytes) -> None:
    """Invariant: whatever arrived, it is shown, as text that any JSON reader takes."""
    message_id(source)
    json.dumps(read_email(source), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"Message-ID: <1@x>", "<1@x>"),
        (b"Subject: y\r\nmessage-id:<1@x>\r\nTo: z", "<1@x>"),
        (b"Message-ID:\r\n <1@x>", "<1@x>"),
        (b"X-Message-ID: <1@x>", None),
        (b"Subject: y\r\n\r\nMessage-ID: <1@x>", None),
    ],
)
def test_the_message_id_is_found_in_the_head_alone(head: bytes, found: str | None) -> None:
    assert message_id(head + b"\r\n\r\nbody") == found


def test_headers_in_utf8_and_repeated_ones_are_readable() -> None:
    shown = read_email("From: Jürgen <j@ö.de>\r\nReceived: a\r\nReceived: b\r\n\r\nü".encode())
    assert shown["from"] == "Jürgen <j@ö.de>"
    assert shown["headers"]["Received"] == "a\nb"
    assert shown["text"] == "ü"


def test_an_html_only_mail_has_no_text() -> None:
    shown = read_email(b"Content-Type: text/html; charset=nonsense\r\n\r\n<p>Hi</p>")
    assert (shown["text"], shown["html"]) == (None, "<p>Hi</p>")
