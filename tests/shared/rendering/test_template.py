"""What authors and senders notice of templates."""

import pytest

from shared.rendering import (
    ContentTooLarge,
    FieldKind,
    MissingVariable,
    RenderFailed,
    TemplateSyntaxProblem,
    compile_template,
    kind_of,
)


def fill(text, field="body_text", **variables):
    return compile_template({field: text}).render(variables)[field]


def test_every_field_is_filled():
    template = compile_template(
        {
            "title": "Hi {{ name }}",
            "body_text": "{% for i in items %}{{ loop.index }}:{{ i }}{{ ', ' if not loop.last }}"
            "{% endfor %} of {{ items|length }}",
            "action_url": "https://example.com/?n={{ name|urlencode }}",
            "data.kind": "news",
        }
    )
    assert template.render({"name": "A B", "items": ["x", "y"]}) == {
        "title": "Hi A B",
        "body_text": "1:x, 2:y of 2",
        "action_url": "https://example.com/?n=A%20B",
        "data.kind": "news",
    }
    assert template.used_variables == {"name", "items"}
    assert template.header_variables == {"name"}


def test_only_html_is_escaped():
    template = compile_template(dict.fromkeys(("subject", "body_text", "body_html"), "{{ x }}"))
    assert template.render({"x": "<&"}) == {
        "subject": "<&",
        "body_text": "<&",
        "body_html": "&lt;&amp;",
    }


def test_macros_captured_blocks_and_mappings_work():
    text = (
        "{% macro button(url) %}<a href='{{ url }}'>{{ caller() }}</a>{% endmacro %}"
        "{% set label %}{{ order.items|map(attribute='n')|join('+') }}{% endset %}"
        "{% call button('/o') %}{{ label }} {{ '{:,.2f}'.format(total) }}{% endcall %}"
    )
    order = {"items": [{"n": 1}, {"n": "<2>"}]}
    filled = fill(text, "body_html", order=order, total=1234.5)
    assert filled == "<a href='/o'>1+&lt;2&gt; 1,234.50</a>"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{{ x }}", "x"),
        ("{% if x %}{% endif %}", "x"),
        ("{% for i in x %}{% endfor %}", "x"),
        ("{{ x ~ 'a' }}", "x"),
        ("{{ x.y.z }}", "x"),
        ("{{ given.y }}", "y"),
        ("{{ x|upper }}", "x"),
        ("{{ [x] }}", "x"),
        ("{{ x == 1 }}", "x"),
        ("{{ x() }}", "x"),
    ],
)
def test_a_missing_variable_is_named(text, name):
    with pytest.raises(MissingVariable) as missing:
        fill(text, given={})
    assert missing.value.name == name


def test_a_variable_may_be_optional():
    assert fill("{{ x|default('d') }}{{ x is defined }}{{ y.z|default('e') }}", y={}) == "dFalsee"


@pytest.mark.parametrize("bad", ["\r\nBcc: x", "\n", "\x00", "\x7f", "\x85", "\u2028", "\x1b"])
@pytest.mark.parametrize("field", ["subject", "title", "action_url", "image_url"])
def test_a_single_line_takes_no_control_character(field, bad):
    with pytest.raises(RenderFailed, match="control character"):
        fill("Hi {{ name }}", field, name=f"x{bad}")
    with pytest.raises(RenderFailed, match="control character"):
        fill(f"Hi{bad}.", field)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n{% if %}", 2),
        ("{{ 1", 1),
        ("\n\n{{ x|nothing }}", 3),
        ("{% include 'x' %}", 1),
        ("{% extends 'x' %}", 1),
        ("{% block x %}{% endblock %}", 1),
        ("\n{% autoescape false %}{% endautoescape %}", 2),
        ("{{ x is nonsense }}", 1),
        ("{% for a in b recursive %}{% endfor %}", 1),
        ("{{ x|attr('y') }}", 1),
        ("a" * 65_537, 1),
        ("{{ " + "(" * 30_000, 1),
        ("{{ 1" + "+1" * 20_000 + " }}", 1),
        ("{{ " + "9" * 10_000 + " }}", 1),
        ("{% for a in b %}" * 25 + "{% endfor %}" * 25, 1),
    ],
)
def test_what_is_no_template_is_refused_with_its_line(text, line):
    with pytest.raises(TemplateSyntaxProblem) as problem:
        compile_template({"subject": "fine", "body_text": text})
    assert (problem.value.field, problem.value.line) == ("body_text", line)
    assert problem.value.reason


def test_a_failure_quotes_no_value():
    with pytest.raises(RenderFailed) as failed:
        fill("{{ {code: 1}|xmlattr }}", code="my secret")
    assert "secret" not in str(failed.value)


def test_a_field_holds_at_most_half_a_mebibyte():
    assert len(fill("{{ x }}", x="a" * 524_288)) == 524_288
    with pytest.raises(ContentTooLarge) as large:
        fill("{{ x }}b", x="a" * 524_288)
    assert (large.value.field, large.value.limit) == ("body_text", 524_288)


def test_fields_have_kinds():
    assert kind_of("data.any") is FieldKind.TEXT
    assert kind_of("body_html") is FieldKind.HTML
    with pytest.raises(ValueError, match="no template field"):
        kind_of("footer")
