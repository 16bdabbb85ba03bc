"""Logs: one JSON object a line, correlated, without secrets."""

import contextvars
import json
import logging

import pytest
import structlog

from shared.masking import Secrets
from shared.observability import correlation, discretion, logs


@pytest.fixture
def written(capsys):
    """What is written to standard output by a function, line by line."""

    def run(write):
        # Not in the set-up, where standard output is another one.
        logs.configure("bell_service", "INFO")
        write()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield run
    logging.getLogger().handlers = []
    structlog.reset_defaults()


def test_a_line_says_who_when_and_in_which_request(written):
    def write():
        with correlation.correlated("abc"):
            structlog.get_logger().info("rang", bell=3)
        structlog.get_logger().debug("not asked for")

    [line] = written(write)
    assert (line["event"], line["bell"], line["level"]) == ("rang", 3, "info")
    assert (line["service"], line["correlation_id"]) == ("bell_service", "abc")
    assert line["timestamp"].endswith("Z")


def test_libraries_write_the_same_lines(written):
    def write():
        with correlation.correlated("abc"):
            logging.getLogger("library").warning("%s of %d", "two", 3)
        try:
            {}["why"]
        except KeyError:
            logging.getLogger("library").exception("broke")

    warning, error = written(write)
    assert (warning["event"], warning["correlation_id"]) == ("two of 3", "abc")
    assert "KeyError: 'why'" in error["exception"]


SECRETS = [
    "ck_live_abcDEF-123_x",
    "Bearer abc.DEF-123_x",
    "postgresql://carillon:s3cret@127.0.0.1/db",
    "redis://:s3cret@127.0.0.1/0",
    "amqp://guest:s3cret@127.0.0.1:5672/",
]


def test_secrets_are_masked_wherever_they_are(written):
    def write():
        log = structlog.get_logger()
        for secret in SECRETS:
            log.info(secret, detail=secret)
            logging.getLogger("library").warning("met %s", secret)
        log.info("names", smtp_password="s3cret", api_key="abcDEF", Authorization="abcDEF")

    lines = written(write)
    assert len(lines) == 2 * len(SECRETS) + 1
    text = json.dumps(lines)
    for part in ("s3cret", "abcDEF", "abc.DEF"):
        assert part not in text
    assert "carillon:***@127.0.0.1" in text
    assert "ck_live_***" in text


def test_what_is_kept_is_in_no_line(written):
    def write():
        log = structlog.get_logger()
        log.warning("before", detail="ZEBRA-493817")
        discretion.keep(Secrets({"code": "ZEBRA-493817", "name": "Ada Lovelace"}, {"code"}))
        log.warning("zebra-493817", detail="said ZEBRA 493817 to Ada Lovelace", size=3)
        log.warning("others", error=ValueError("ZEBRA-493817"), found=["x", "ZEBRA-493817"])
        logging.getLogger("library").warning("met %s", "ZEBRA-493817")
        try:
            {}["ZEBRA-493817"]
        except KeyError:
            log.exception("broke", id="ZEBRA")

    before, *lines = contextvars.copy_context().run(written, write)
    assert before["detail"] == "ZEBRA-493817"
    assert "493817" not in json.dumps(lines)
    assert (lines[0]["event"], lines[0]["size"]) == ("***", 3)
    assert lines[0]["detail"] == "said *** to Ada Lovelace"
    assert "KeyError: '***'" in lines[3]["exception"]
    assert lines[3]["id"] == "ZEBRA"


def test_a_correlation_id_must_be_safe_in_a_header():
    assert correlation.accepted_or_new("a-B_1.2:3") == "a-B_1.2:3"
    for bad in (None, "", "two words", "a\r\nb", "x" * 129, "ü", "a/b"):
        made = correlation.accepted_or_new(bad)
        assert made != bad
        assert correlation.accepted_or_new(made) == made
    assert correlation.current() is None
