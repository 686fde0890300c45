from itertools import chain, pairwise

import pytest

from minigpt.text.shards import chunks
from minigpt.text.shards.chunks import plan_chunks
from minigpt.text.tokenizers.bpe import BPETokenizer

LINES = "First line.\n\n  indented\nnaïve 我们\n \n\nx\r\ny  \nlast line, 1999\n"


def plan(tmp_path, text, fraction=0.1, chunk_bytes=40):
    (tmp_path / "a.txt").write_bytes(text.encode())
    return plan_chunks([tmp_path / "a.txt"], fraction, chunk_bytes)


def test_chunks_follow_each_other_without_gap_or_overlap(tmp_path):
    planned = plan(tmp_path, LINES * 20)
    assert planned[0].start == 0
    assert planned[-1].stop == len((LINES * 20).encode())
    assert all(a.stop == b.start for a, b in pairwise(planned))
    assert len(planned) > 10


@pytest.mark.parametrize("chunk_bytes", [1, 7, 40, 300, 10_000])
@pytest.mark.parametrize("window", [11, 2**16])
def test_the_tokens_of_the_chunks_are_the_tokens_of_the_file(tmp_path, chunk_bytes, window, monkeypatch):
    monkeypatch.setattr(chunks, "_WINDOW", window)
    text = LINES * 20
    tokenizer = BPETokenizer.train(text, 400)
    ids = [tokenizer.encode(chunk.read()) for chunk in plan(tmp_path, text, chunk_bytes=chunk_bytes)]
    assert list(chain(*ids)) == tokenizer.encode(text.replace("\r\n", "\n"))


@pytest.mark.parametrize("window", range(10, 24))
def test_the_first_safe_cut_is_found_whatever_the_window(tmp_path, window, monkeypatch):
    monkeypatch.setattr(chunks, "_WINDOW", window)
    text = "a line of words \n b\n\u3000c\u3000\nd\n\n\U0001f600\r\n\U0001f600 e\nf"
    (tmp_path / "a.txt").write_bytes(text.encode())
    data = text.encode()
    safe = [data.index("😀\r\n".encode()) + 6, data.index(b"e\nf") + 2]
    found = [chunks._safe_cut(tmp_path / "a.txt", start, len(data)) for start in range(len(data))]
    assert set(found) - {None} == set(safe)
    assert found[0] == safe[0]
    assert found[safe[0]] == safe[1]


def test_validation_is_the_last_part_and_starts_at_a_line(tmp_path):
    planned = plan(tmp_path, "0123456789\n" * 100, fraction=0.25, chunk_bytes=10_000)
    assert [chunk.validation for chunk in planned] == [False, True]
    assert planned[1].start % 11 == 0
    assert 750 <= planned[1].start / 11 * 10 <= 760


def test_validation_starts_at_a_character_where_there_are_no_lines(tmp_path):
    planned = plan(tmp_path, "我们在这里" * 10, fraction=0.5, chunk_bytes=10)
    assert "".join(chunk.read() for chunk in planned) == "我们在这里" * 10
    assert [chunk.validation for chunk in planned] == [False, True]


def test_the_share_is_taken_over_all_files(tmp_path):
    paths = [tmp_path / f"{i}.txt" for i in range(10)]
    for path in paths:
        path.write_text("a line\n" * 10)
    planned = plan_chunks(paths, 0.2, 10_000)
    assert [chunk.path for chunk in planned if chunk.validation] == paths[8:]
    assert all(chunk.ends_file for chunk in planned)


def test_only_the_last_chunk_of_a_file_ends_it(tmp_path):
    planned = plan(tmp_path, LINES * 20)
    assert [chunk.ends_file for chunk in planned] == [False] * (len(planned) - 1) + [True]


def test_a_byte_that_is_not_utf8_is_named_by_its_offset_in_the_file(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a good line\n" * 10 + b"caf\xe9\n")
    planned = plan_chunks([tmp_path / "a.txt"], 0.1, 20)
    with pytest.raises(ValueError, match=r"a\.txt is not UTF-8: byte 0xe9 at offset 123"):
        [chunk.read() for chunk in planned]


def test_a_byte_order_mark_is_dropped_from_the_first_chunk_only(tmp_path):
    planned = plan(tmp_path, "\ufeffone line\n\ufefftwo lines\nthree lines\n", chunk_bytes=1)
    assert planned[0].read() == "one line\n"
    assert planned[1].read() == "\ufefftwo lines\n"


def rejoined(planned):
    return [
        b"".join(chunk.path.read_bytes()[chunk.start : chunk.stop] for chunk in planned if chunk.validation == part)
        for part in (False, True)
    ]


@pytest.mark.parametrize("fraction", [i / 40 for i in range(1, 40)])
def test_no_cut_falls_between_cr_and_lf(tmp_path, fraction):
    """Every line is indented, so that no place is safe, and the cut is made at a character."""
    text = "  a line\r\n" * 9
    train, validation = rejoined(plan(tmp_path, text, fraction=fraction))
    assert train + validation == text.encode()
    assert train and validation and not validation.startswith(b"\n")


@pytest.mark.parametrize("fraction", [i / 40 for i in range(1, 40)])
def test_no_cut_falls_into_a_special_token(tmp_path, fraction):
    text = " 我<|endoftext|>" * 4
    (tmp_path / "a.txt").write_bytes(text.encode())
    planned = plan_chunks([tmp_path / "a.txt"], fraction, 1000, ["<|endoftext|>"])
    assert all(chunk.special for chunk in planned)
    train, validation = (part.decode() for part in rejoined(planned))
    assert train + validation == text
    assert train.count("<|endoftext|>") + validation.count("<|endoftext|>") == 4


def test_all_files_but_the_last_are_followed_by_another(tmp_path):
    paths = [tmp_path / f"{i}.txt" for i in range(3)]
    for path in paths:
        path.write_text("a line\nanother line\n")
    planned = plan_chunks(paths, 0.1, 5)
    assert {chunk.path for chunk in planned if chunk.followed} == set(paths[:2])
