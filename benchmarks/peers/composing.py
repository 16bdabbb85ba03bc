"""The email as peers build it: Jinja2 and the standard library, as everybody does."""

from collections.abc import Mapping
from email.message import EmailMessage

from jinja2 import Environment

from benchmarks import letters

_plain, _html = Environment(autoescape=False), Environment(autoescape=True)  # noqa: S701 - plain text
_subject, _text = _plain.from_string(letters.SUBJECT), _plain.from_string(letters.TEXT)
_page = _html.from_string(letters.HTML)


def compose(recipient: str, variables: Mapping[str, object]) -> EmailMessage:
    """Text and HTML, to one person."""
    message = EmailMessage()
    message["From"] = letters.SENDER
    message["To"] = recipient
    message["Subject"] = _subject.render(variables)
    message.set_content(_text.render(variables))
    message.add_alternative(_page.render(variables), subtype="html")
    return message
