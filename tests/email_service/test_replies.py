import pytest
from hypothesis import given
from hypothesis import strategies as st

from email_service.smtp.replies import CONNECT, DATA, LOGIN, RECIPIENT, SENDER, refusal
from shared.errors import (
    ContentRejected,
    ProviderDeclined,
    ProviderError,
    ProviderMisconfigured,
    ProviderThrottled,
    ProviderUnavailable,
    RecipientRejected,
)


@pytest.mark.parametrize(
    ("step", "code", "text", "expected"),
    [
        (CONNECT, 554, "No service for you", ProviderUnavailable),
        (CONNECT, 421, "Too busy", ProviderUnavailable),
        (LOGIN, 535, "5.7.8 Wrong password", ProviderMisconfigured),
        (LOGIN, 454, "4.7.0 Try later", ProviderUnavailable),
        (SENDER, 530, "5.7.0 Log in first", ProviderMisconfigured),
        (SENDER, 553, "5.7.1 Not your address", ProviderMisconfigured),
        (SENDER, 552, "5.3.4 Too big", ContentRejected),
        (SENDER, 451, "4.3.0 Later", ProviderDeclined),
        (RECIPIENT, 421, "4.3.2 Closing", ProviderUnavailable),
        (DATA, 454, "Throttling failure: Maximum sending rate exceeded.", ProviderUnavailable),
        (DATA, 550, "5.4.5 Daily user sending limit exceeded.", ProviderUnavailable),
        (RECIPIENT, 450, "4.2.0 Greylisted", ProviderDeclined),
        (RECIPIENT, 450, "4.7.1 Too many", ProviderThrottled),
        (RECIPIENT, 451, "4.7.1 Too many", ProviderThrottled),
        (RECIPIENT, 550, "5.1.1 Nobody here", RecipientRejected),
        (RECIPIENT, 550, "5.7.1 Not from you", RecipientRejected),
        (RECIPIENT, 550, "no enhanced status", RecipientRejected),
        (DATA, 550, "5.1.1 Nobody here after all", RecipientRejected),
        (DATA, 550, "5.7.1 Spam", ContentRejected),
        (DATA, 554, "5.6.0 Unreadable", ContentRejected),
        (DATA, 452, "4.3.1 Disk full", ProviderDeclined),
        (DATA, 250, "out of step", ProviderUnavailable),
    ],
)
def test_a_reply_means(step, code, text, expected):
    assert type(refusal(step, code, text)) is expected


def test_a_misconfiguration_names_the_variable():
    assert "SMTP_PASSWORD" in str(refusal(LOGIN, 535, "no"))
    assert "SMTP_FROM" in str(refusal(SENDER, 550, "no"))
    second = str(refusal(LOGIN, 535, "no", "SMTP_FALLBACK"))
    assert "SMTP_FALLBACK_USER and SMTP_FALLBACK_PASSWORD" in second


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("4.7.1 Greylisted, try again in 300 seconds", 300),
        ("4.7.1 Greylisting in action, please come back in 00:04:59", 299),
        ("4.2.0 Greylisted for 5 minutes", 300),
        ("4.7.1 Too many, try again after 1 min.", 60),
        ("4.7.1 wait 2h", 7200),
        ("4.7.1 Try again in 7 s", 7),
        ("4.2.0 Greylisted, see http://example.com/after/5", None),
        ("4.2.2 Over quota for 30 days", None),
        ("4.7.1 Sent 100 in 5 messages", None),
    ],
)
def test_a_wait_that_is_asked_for_in_prose_is_read(text, seconds):
    assert refusal(RECIPIENT, 450, text).retry_after == seconds


def test_a_refusal_for_good_asks_for_no_wait():
    assert refusal(RECIPIENT, 550, "5.7.1 Blocked for 5 minutes").retry_after is None


@given(st.sampled_from([CONNECT, LOGIN, SENDER, RECIPIENT, DATA]), st.integers(-1, 999), st.text())
def test_every_reply_means_something(step, code, text):
    failure = refusal(step, code, text)
    assert isinstance(failure, ProviderError)
    assert str(failure).isprintable() or not text.isprintable()
