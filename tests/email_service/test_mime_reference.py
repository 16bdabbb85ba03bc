"""What is written by hand is read the same as what the standard library writes."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from email_service.content import EmailContent
from email_service.mailbox import Mailbox
from email_service.mime import assemble, message_id

# Python 3.11's own folding loses blanks beside an encoded word, and takes "=?" for one: what
# people write is words with one blank between them.
_WORD = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters="=?"),
    min_size=1,
    max_size=12,
)
_WORDS = st.lists(_WORD, min_size=1, max_size=30).map(" ".join)
_ASCII_WORDS = st.from_regex(
    re.compile(r"[A-Za-z0-9,.!:;-]{1,12}( [A-Za-z0-9,.!-]{1,12}){0,30}"), fullmatch=True
)
_NAME = st.lists(st.from_regex(r"\A[A-Za-zéüß鐘ъ'.,]{1,12}\Z"), max_size=4).map(" ".join)
_LOCAL = st.from_regex(r"\A[A-Za-z0-9+_-]{1,30}(\.[a-z0-9]{1,9})?\Z")
_LOCAL_BEYOND_ASCII = st.from_regex(r"\A[a-zéü鐘]{1,20}\Z")
_DOMAIN = st.sampled_from(["example.com", "bücher.example", "鐘.example", "a-b.c.example"])
_BODY = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(
        st.sampled_from([*".=\t \n\r aé鐘😀", "\r\n", "\n.\n", "From ", "=\n", "x" * 997])
    ).map("".join),
)


@st.composite
def mailboxes(draw, local=_LOCAL):
    return Mailbox.of(f"{draw(local)}@{draw(_DOMAIN)}", draw(_NAME))


@st.composite
def emails(draw, local=_LOCAL):
    return EmailContent(
        sender=draw(mailboxes()),
        recipient=draw(mailboxes(local)),
        subject=draw(st.one_of(_WORDS, _ASCII_WORDS)),
        text=draw(_BODY),
        html=draw(st.none() | _BODY),
        headers={"Auto-Submitted": "auto-generated"},
    )


dates = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def reference(content: EmailContent, mark: str, date: datetime) -> bytes:
    """The same email by the standard library."""
    beyond_ascii = content.recipient.needs_utf8 or content.sender.needs_utf8
    message = EmailMessage(policy=SMTPUTF8 if beyond_ascii else SMTP)
    for name, owner in (("From", content.sender), ("To", content.recipient)):
        message[name] = Address(owner.name, owner.local, owner.domain)
    message["Subject"] = content.subject
    message["Date"] = format_datetime(date)
    message["Message-ID"] = mark
    for name, value in content.headers.items():
        message[name] = value
    message.set_content(content.text)
    if content.html is not None:
        message.add_alternative(content.html, subtype="html")
    return message.as_bytes()


def _lines(body: str) -> str:
    """The standard library ends every body with a line end."""
    return body.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def _utf8(text: str) -> str:
    """The parser leaves UTF-8 in a header as it came, byte by byte."""
    return text.encode("utf-8", "surrogateescape").decode()


def _name(display_name: str) -> str:
    """Python 3.11 loses the blank where it folds a name; `test_mime` tells of ours."""
    return _utf8(display_name).replace(" ", "")


def reading(source: bytes, policy) -> dict[str, object]:
    """All that a mail reader gets out of it."""
    message = message_from_bytes(source, policy=policy)
    leaves = list(message.iter_parts()) if message.is_multipart() else [message]
    assert not message.defects
    assert not any(leaf.defects for leaf in leaves)
    return {
        "names": sorted({*message.keys()} - {"Content-Type", "Content-Transfer-Encoding"}),
        "people": [
            [(_name(one.display_name), _utf8(one.addr_spec)) for one in message[name].addresses]
            for name in ("From", "To")
        ],
        "texts": [
            # With SMTPUTF8 Python 3.11 may fold a subject before its first word.
            _utf8(str(message[name])).strip()
            for name in ("Subject", "Message-ID", "Auto-Submitted")
        ],
        "date": message["Date"].datetime,
        "type": message.get_content_type(),
        "parts": [
            (leaf.get_content_type(), leaf.get_content_charset(), leaf.get_content_disposition())
            for leaf in leaves
        ],
        "bodies": [_lines(leaf.get_payload(decode=True).decode()) for leaf in leaves],
    }


def _is_read_as_the_reference(email: EmailContent, date: datetime, policy) -> None:
    mark = message_id(email, "0190.1")
    ours, theirs = assemble(email, mark, date), reference(email, mark, date)
    assert reading(ours, policy) == reading(theirs, policy)


@given(email=emails(), date=dates)
def test_invariant_an_email_reads_as_the_standard_librarys(email, date):
    """Invariant: headers, structure and bodies are those of `email.message`."""
    _is_read_as_the_reference(email, date, SMTP)


@given(email=emails(_LOCAL_BEYOND_ASCII), date=dates)
def test_so_does_one_to_an_address_beyond_ascii(email, date):
    _is_read_as_the_reference(email, date, SMTPUTF8)
