"""Properties of every template and every value."""

import re

from hypothesis import given
from hypothesis import strategies as st

from shared.rendering import RenderFailed, RenderingError, compile_template

ANY_TEXT = st.text(alphabet=st.characters(), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
WORDS = r"""
    {{ }} {% %} {# #} x y.z x[0] x['a'] | upper lower join sort list tojson format ~ + - * ** % //
    ( ) [ ] { } , : . 'a' "b" 1 2.5 0x9 for in if else elif endif endfor set endset macro endmacro
    call endcall filter endfilter namespace range loop.index is defined not and or true none
    default('d') center(9) replace('a','b') < > & =
"""
PIECES = st.sampled_from([*re.findall(r"\S+", WORDS), "\n", "\x00", "\ud800"])
TEMPLATES = st.lists(PIECES, max_size=30).map(" ".join) | ANY_TEXT

HTML = compile_template({"body_html": "<p>{{ x }}{{ x ~ x }}{{ [x]|join('') }}</p>"})
SUBJECT = compile_template({"subject": "A {{ x }}"})


@given(ANY_TEXT)
def test_no_variable_writes_markup(value):
    """Invariant: in HTML, a variable's `<` is never raw."""
    inside = HTML.render({"x": value})["body_html"][3:-4]
    assert not {"<", ">", '"', "'"} & set(inside)


@given(ANY_TEXT, ANY_TEXT)
def test_text_is_filled_in_as_it_is(before, value):
    before = before.replace("{", "").replace("\r", "")
    filled = compile_template({"body_text": before + "{{ x }}!"}).render({"x": value})
    assert filled == {"body_text": before + value + "!"}


@given(ANY_TEXT)
def test_a_header_is_one_line(value):
    """Invariant: a header holds no control character."""
    try:
        subject = SUBJECT.render({"x": value})["subject"]
    except RenderFailed:
        assert not value.isprintable()
    else:
        assert subject == "A " + value
        assert subject.splitlines() == [subject]
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in subject)


@given(TEMPLATES, JSON, st.sampled_from(["subject", "body_text", "body_html", "data.k"]))
def test_any_template_is_filled_or_refused(text, value, field):
    """Invariant: a template makes a text or one of the declared errors, whatever it says."""
    try:
        filled = compile_template({field: text}).render({"x": value, "y": {"z": value}})
    except RenderingError:
        return
    assert isinstance(filled[field], str)
