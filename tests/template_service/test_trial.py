"""Faults of texts and of variables are told by field."""

import pytest

from shared.errors import Unprocessable
from template_service.jail import Jail
from template_service.trial import Trial

HELLO = {"body_text": "Hello {{ name }}"}


@pytest.fixture
async def impatient():
    """A trial that gives nobody time."""
    trial = Trial(Jail(timeout=0))
    yield trial
    await trial.close()


async def test_a_text_that_takes_too_long_is_refused(impatient):
    with pytest.raises(Unprocessable) as refused:
        await impatient.check(HELLO)
    [field] = refused.value.fields
    assert field.path == "body_text"
    assert "too much time" in field.problem


async def test_variables_that_take_too_long_are_refused(impatient):
    with pytest.raises(Unprocessable) as refused:
        await impatient.render(HELLO, {"name": "Jo"})
    [field] = refused.value.fields
    assert field.path == "variables"
    assert "too much time" in field.problem
