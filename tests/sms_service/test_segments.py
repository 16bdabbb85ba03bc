import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_service.segments import segments


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("🔔" * 35, 1),
        ("🔔" * 36, 2),
        ("ж" * 66 + "🔔" + "ж" * 66, 3),
        ("Grüße, Ñandú!", 1),
    ],
)
def test_a_text_is_counted_as_phone_networks_do(text, count):
    assert segments(text) == count


@given(st.text(max_size=400))
def test_one_character_more_never_makes_a_text_cheaper(text):
    assert segments(text) <= segments(text + "a") <= segments(text) + 1
