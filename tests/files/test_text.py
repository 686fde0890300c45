import pytest

from minigpt.files.text import utf_8


@pytest.mark.parametrize("text", ["", "é 猫 😀", "a\0b"])
def test_a_text_becomes_its_bytes(text):
    assert utf_8(text, "card").decode() == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ab\udcffc", r"card has '\\udcff' at place 2, which is no character that UTF-8 has; replace it"),
        ("\ud83d", r"card has '\\ud83d' at place 0"),
        (b"abc", "card is a bytes; give a text"),
        (5, "card is a int; give a text"),
    ],
)
def test_what_is_no_text_is_named(text, says):
    with pytest.raises(ValueError, match=says):
        utf_8(text, "card")
