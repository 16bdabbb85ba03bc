"""Texts of a template, as clients write them and as they are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.schemas.templates import Sources, conventional_language
from shared.schemas.text import language_chain
from shared.schemas.vocabulary import Channel
from template_service.fields import flattened, merged, problems, shaped

line = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=1, max_size=20)
header = st.none() | line
texts = st.builds(
    Sources,
    subject=header,
    title=header,
    body_text=header,
    body_html=header,
    data=st.none() | st.dictionaries(line, line, min_size=1, max_size=3),
    image_url=header,
    action_url=header,
)


@given(texts)
def test_kept_and_shown_again_texts_are_the_same(sources):
    assert shaped(flattened(sources)) == sources.model_dump()


@given(texts, texts)
def test_a_change_of_everything_leaves_nothing(before, after):
    assert merged(flattened(before), after) == flattened(after)


@given(texts)
def test_a_change_of_nothing_changes_nothing(sources):
    assert merged(flattened(sources), Sources()) == flattened(sources)


@pytest.mark.parametrize("channel", Channel)
@given(sources=texts)
def test_every_foreign_and_every_missing_field_is_named(channel, sources):
    named = {problem.path for problem in problems(channel, flattened(sources))}
    required = {"email": {"subject", "body_text"}, "push": {"title", "body_text"}}
    given_fields = {name for name, value in sources.model_dump().items() if value is not None}
    missing = required.get(channel, {"body_text"}) - given_fields
    assert missing <= named
    assert ("data" in named) == (channel is not Channel.PUSH and "data" in given_fields)


@pytest.mark.parametrize(
    ("given_tag", "conventional"),
    [("EN", "en"), ("pt-br", "pt-BR"), ("ZH-HANT-tw", "zh-Hant-TW"), ("es-419", "es-419")],
)
def test_equal_language_tags_become_equal_texts(given_tag, conventional):
    assert conventional_language(given_tag) == conventional
    assert conventional_language(conventional) == conventional
    assert conventional.lower() in language_chain(given_tag)
