from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.generation.streaming import cut_at_stop, text_pieces


def literal_cut(text, stop):
    """Read one character at a time until the text ends with a stop string; the longest such is cut off."""
    for end in range(1, len(text) + 1):
        if matches := [s for s in stop if text[:end].endswith(s)]:
            return text[: end - max(map(len, matches))]
    return text


@settings(deadline=None)
@given(st.lists(st.binary(max_size=3)))
def test_pieces_join_to_the_decoded_bytes(tokens):
    joined = "".join(text_pieces(range(len(tokens)), tokens.__getitem__))
    assert joined == b"".join(tokens).decode(errors="replace")


@settings(deadline=None)
@given(st.text())
def test_valid_text_never_shows_a_broken_character_mid_stream(text):
    tokens = [bytes([b]) for b in text.encode()]
    pieces = list(text_pieces(range(len(tokens)), tokens.__getitem__))
    assert pieces == list(text)


def test_a_character_left_unfinished_by_the_last_token_becomes_the_replacement_character():
    assert list(text_pieces([0], lambda _: "é".encode()[:1])) == ["\ufffd"]


@settings(deadline=None)
@given(
    st.lists(st.text("ab", max_size=4)),
    st.lists(st.text("abc", min_size=1, max_size=4), max_size=3),
)
def test_the_cut_does_not_depend_on_the_pieces_that_the_text_came_in(pieces, stop):
    assert "".join(cut_at_stop(pieces, stop)) == literal_cut("".join(pieces), stop)


def test_a_possible_start_of_a_stop_string_is_held_back_until_it_is_decided():
    assert list(cut_at_stop(["one E", "N", "ough END", " two"], ["END"])) == ["one ", "ENough "]


def test_a_held_back_start_is_released_at_the_end():
    assert list(cut_at_stop(["one E"], ["END"])) == ["one ", "E"]


def test_nothing_is_read_after_the_stop_string():
    pieces = iter(["a", ".", "b"])
    assert list(cut_at_stop(pieces, ["."])) == ["a"]
    assert next(pieces) == "b"
