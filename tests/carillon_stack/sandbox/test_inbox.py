"""The inbox page, as a browser gets it."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from carillon_stack.sandbox.inbox import ago

from .conftest import TWILIO_SID, TWILIO_TOKEN, Sandbox

EVIL = "<script>alert(1)</script>\"'"


def mail(sandbox: Sandbox, subject: str, html: str | None = None) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@b.test", "x@y.test", subject
    message.set_content(subject)
    if html is not None:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", sandbox.smtp_port, timeout=10) as client:
        client.send_message(message)


def page(sandbox: Sandbox, path: str) -> str:
    response = sandbox.http.get(path)
    response.raise_for_status()
    assert response.headers["content-security-policy"].startswith("default-src 'none'")
    return response.text


def test_an_empty_inbox_says_so_and_refreshes_itself(sandbox: Sandbox) -> None:
    shown = page(sandbox, "/")
    assert "Nothing has arrived yet" in shown
    assert '<meta http-equiv="refresh"' in shown


def test_titles_and_bodies_are_escaped_everywhere(sandbox: Sandbox) -> None:
    mail(sandbox, EVIL, html=f"<b>{EVIL}</b>")
    (message,) = sandbox.get("/messages")
    for path in ("/", f"/inbox/{message['id']}"):
        shown = page(sandbox, path)
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_html_is_shown_in_a_sandboxed_frame(sandbox: Sandbox) -> None:
    mail(sandbox, "Hello", html="<h1>Big</h1>")
    shown = page(sandbox, f"/inbox/{sandbox.get('/messages')[0]['id']}")
    assert 'srcdoc="&lt;h1&gt;Big&lt;/h1&gt;' in shown
    assert 'sandbox="allow-popups' in shown
    assert "allow-scripts" not in shown
    assert "allow-same-origin" not in shown


def test_the_list_is_filtered_by_channel(sandbox: Sandbox) -> None:
    mail(sandbox, "A letter")
    url = f"/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    form = {"To": "+14155552671", "From": "+15005550006", "Body": "A text"}
    sandbox.http.post(url, data=form, auth=(TWILIO_SID, TWILIO_TOKEN)).raise_for_status()
    assert "A letter" in page(sandbox, "/")
    assert "A letter" not in page(sandbox, "/?channel=sms")
    (text,) = sandbox.get("/messages", channel="sms")
    assert "A text" in page(sandbox, f"/inbox/{text['id']}")


def test_a_message_that_is_gone_is_a_kind_404(sandbox: Sandbox) -> None:
    response = sandbox.http.get("/inbox/unknown")
    assert response.status_code == 404
    assert "no longer here" in response.text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (7300, "2 h ago"), (200_000, "2 d ago")],
)
def test_ages_are_told_in_the_largest_unit(seconds: int, words: str) -> None:
    now = datetime(2026, 1, 10, tzinfo=UTC)
    assert ago((now - timedelta(seconds=seconds)).isoformat(), now) == words
