"""The jail holds what a template can do to the process that runs it."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from shared.rendering import MissingVariable, RenderFailed, TemplateSyntaxProblem
from template_service.jail import Checked, Jail

WELCOME = {"subject": "Welcome {{ name }}!", "body_text": "Hello {{ name }}: {{ action_url }}"}


@pytest.fixture
async def jail():
    jail = Jail(processes=2, timeout=10.0)
    yield jail
    await jail.close()


async def test_a_checked_template_tells_its_variables(jail):
    assert await jail.check(WELCOME) == Checked(
        frozenset({"name", "action_url"}), frozenset({"name"})
    )


async def test_a_preview_is_what_a_worker_would_send(jail):
    filled = await jail.render(WELCOME, {"name": "Zoë 😀", "action_url": "https://example.com"})
    assert filled == {
        "subject": "Welcome Zoë 😀!",
        "body_text": "Hello Zoë 😀: https://example.com",
    }


async def test_problems_come_out_as_they_are_inside(jail):
    with pytest.raises(TemplateSyntaxProblem) as syntax:
        await jail.check({"subject": "Hi", "body_text": "line one\n{% if %}"})
    assert (syntax.value.field, syntax.value.line) == ("body_text", 2)
    with pytest.raises(MissingVariable) as missing:
        await jail.render(WELCOME, {"name": "Ada"})
    assert missing.value.name == "action_url"
    with pytest.raises(RenderFailed):
        await jail.check({"body_text": "{% for a in range(99999) %}{% endfor %}" * 9})


async def test_lone_surrogates_and_nul_pass_through_unharmed(jail):
    filled = await jail.render({"body_text": "\0{{ name }}"}, {"name": "\ud800"})
    assert filled == {"body_text": "\0\ud800"}


async def test_a_killed_process_is_replaced(jail):
    await jail.check(WELCOME)
    (process,) = jail._idle
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    assert (await jail.check(WELCOME)).header_variables == {"name"}


async def test_a_process_that_hangs_is_killed_and_the_next_request_served(jail):
    await jail.check(WELCOME)
    (process,) = jail._idle
    os.kill(process.pid, signal.SIGSTOP)
    jail._timeout = 0.2
    with pytest.raises(TemplateSyntaxProblem, match="time or memory"):
        await jail.check(WELCOME)
    jail._timeout = 10.0
    assert (await jail.check(WELCOME)).header_variables == {"name"}


async def test_a_caller_that_gives_up_leaves_no_process_behind(jail):
    await jail.check(WELCOME)
    (process,) = jail._idle
    os.kill(process.pid, signal.SIGSTOP)
    asking = asyncio.create_task(jail.check(WELCOME))
    await asyncio.sleep(0)
    assert not jail._idle
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGKILL


async def test_many_at_once_share_few_processes(jail):
    answers = await asyncio.gather(*(jail.check(WELCOME) for _ in range(40)))
    assert len(answers) == 40
    assert len(jail._idle) <= 2


async def test_an_idle_process_ends_by_itself():
    jail = Jail(timeout=10.0, idle_seconds=0.05)
    await jail.check(WELCOME)
    (process,) = jail._idle
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGKILL
    await jail.close()


async def test_no_setting_of_the_service_goes_inside(jail, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    await jail.check(WELCOME)
    (process,) = jail._idle
    environment = await asyncio.to_thread(_environment_of, process.pid)
    assert "secret" not in environment


async def test_the_event_loop_stays_free(jail):
    await jail.check(WELCOME)
    heavy = {"body_html": "{% if a %}{{ a }}{% endif %}" * 600}
    checking = asyncio.create_task(jail.check(heavy))
    longest, last = 0.0, time.monotonic()
    while not checking.done():
        await asyncio.sleep(0.005)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert (await checking).used_variables == {"a"}
    assert longest < 1.0


def _environment_of(pid):
    try:
        return Path(f"/proc/{pid}/environ").read_text(encoding="utf-8")
    except FileNotFoundError:
        pytest.skip("this system has no /proc")
