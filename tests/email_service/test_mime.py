"""Whatever is written, a mail reader reads the same."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_service import headers
from email_service.content import EmailContent
from email_service.mailbox import Mailbox
from email_service.mime import assemble, message_id

SENDER = Mailbox.parse("Carillon <hello@carillon.example>")
ADA = Mailbox.of("ada@example.com")
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)

body_text = st.text(st.characters(exclude_categories=["Cs"]))
line_text_characters = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])
line_text = st.text(line_text_characters)


def content(**changes) -> EmailContent:
    usual = {"sender": SENDER, "recipient": ADA, "subject": "Bells", "text": "They ring."}
    return EmailContent(**{**usual, **changes})


def read(email: EmailContent, key: str = "k") -> EmailMessage:
    return message_from_bytes(assemble(email, message_id(email, key), NOW), policy=default)


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def payload(part) -> str:
    return lines(part.get_payload(decode=True).decode())


@given(text=body_text, html=body_text)
def test_both_bodies_come_out_as_they_went_in(text, html):
    text_part, html_part = read(content(text=text, html=html)).iter_parts()
    assert text_part.get_content_type() == "text/plain"
    assert html_part.get_content_type() == "text/html"
    assert payload(text_part) == lines(text)
    assert payload(html_part) == lines(html)


@given(text=body_text)
def test_a_text_alone_needs_no_parts(text):
    message = read(content(text=text))
    assert message.get_content_type() == "text/plain"
    assert payload(message) == lines(text)


@given(text=body_text, subject=line_text)
def test_no_line_is_longer_than_smtp_allows_and_each_ends_in_crlf(text, subject):
    source = assemble(content(text=text, html=text, subject=subject), "k", NOW)
    assert all(len(line) <= 998 for line in source.split(b"\r\n"))
    assert b"\n" not in source.replace(b"\r\n", b"")
    assert b"\r" not in source.replace(b"\r\n", b"")
    assert source.isascii()


@given(subject=line_text)
def test_invariant_a_subject_is_read_as_it_was_written(subject):
    """Invariant: no subject changes, or adds a header."""
    message = read(content(subject=subject))
    assert str(message["Subject"]) == subject or str(message["Subject"]) == subject.strip()
    assert message.keys() == [
        *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version"),
        *("Content-Type", "Content-Transfer-Encoding"),
    ]
    assert not message.defects


@given(name=st.text(line_text_characters, max_size=9))
def test_a_name_is_read_as_it_was_written(name):
    message = read(content(sender=Mailbox.of("hello@carillon.example", name.strip())))
    [address] = message["From"].addresses
    assert address.addr_spec == "hello@carillon.example"
    assert address.display_name.split() == name.split(), "readers make one space of several"


def test_a_long_name_is_read_as_it_was_written():
    name = "Gesellschaft für Glockengießerei und Läutewerke zu Düsseldorf"
    source = assemble(content(sender=Mailbox.of("hello@carillon.example", name)), "k", NOW)
    written = str(make_header(decode_header(message_from_bytes(source)["From"])))
    assert written == f"{name} <hello@carillon.example>"


def test_a_long_header_keeps_its_value_in_one_piece():
    link = f"<https://example.com/{'u' * 300}>"
    email = content(headers={"List-Unsubscribe": link})
    assert f"List-Unsubscribe: {link}\r\n".encode() in assemble(email, "k", NOW)


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "a\r\nBcc: eve@example.com"), ("X-A\r\nBcc", "a"), ("", "a")]
)
def test_a_header_cannot_be_broken_out_of(name, value):
    with pytest.raises(ValueError, match="not a header"):
        headers.structured(name, value)


def test_every_copy_of_a_delivery_has_the_same_message_id():
    first, second = (read(content(), "0190.1") for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == message_id(content(), "0190.1")
    assert first["Message-ID"] == "<0190.1@carillon.example>"
    assert read(content(), "0190.2")["Message-ID"] != first["Message-ID"]
    assert first["Date"].datetime == NOW


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\n ", "\0", "\u2028"])
@pytest.mark.parametrize(
    "changes",
    [
        lambda evil: {"subject": evil},
        lambda evil: {"sender": Mailbox("hello", "carillon.example", evil)},
        lambda evil: {"recipient": Mailbox(evil, "example.com")},
        lambda evil: {"recipient": Mailbox("ada", evil, "Ada")},
        lambda evil: {"headers": {"Auto-Submitted": evil}},
    ],
)
def test_invariant_nothing_breaks_out_of_its_header(changes, end):
    """Invariant: no line end leaves a header, wherever it came in."""
    email = content(**changes(f"a{end}Bcc: eve@example.com"))
    with pytest.raises(ValueError, match=r"not a header|beyond ASCII"):
        assemble(email, "<k@carillon.example>", NOW)


def test_a_value_with_its_own_syntax_is_ascii():
    with pytest.raises(ValueError, match="beyond ASCII"):
        headers.structured("X-A", "é")


@given(subject=line_text, name=st.text(line_text_characters, max_size=80))
def test_header_lines_are_short(subject, name):
    sender = Mailbox.of("hello@carillon.example", name.strip())
    source = assemble(content(sender=sender, subject=subject), "<k@carillon.example>", NOW)
    head = source.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert all(len(line) <= (76 if b"=?" in line else 78) for line in head)


@pytest.mark.parametrize("subject", ["x" * 400, "é" * 200, "ascii words " * 30 + "end", "鐘" * 99])
def test_a_long_subject_is_folded(subject):
    source = assemble(content(subject=subject), "<k@carillon.example>", NOW)
    assert max(map(len, source.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert str(message_from_bytes(source, policy=default)["Subject"]) == subject


def test_a_short_subject_stays_on_its_line():
    assert b"Subject: Hello Ada\r\n" in assemble(content(subject="Hello Ada"), "<k@x>", NOW)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("They ring.\n" * 99, "7bit"),
        ("a" * 998, "7bit"),
        ("a" * 999, "quoted-printable"),
        ("Les cloches sonnent à midi.\n" * 9, "quoted-printable"),
        ("鐘が鳴る。\n" * 9, "base64"),
    ],
)
def test_a_body_is_readable_where_it_can_be(text, encoding):
    assert read(content(text=text))["Content-Transfer-Encoding"] == encoding


def test_a_lone_surrogate_breaks_nothing():
    assert payload(read(content(text="a\ud83db"))) == "a?b"
