"""minigpt/bench/tokenization.py: what is encoded, counted and shown. Times themselves are not asserted."""

import json
from collections import Counter

import pytest

from minigpt.bench import TokenizerBench, TokenizerRow, measure_tokenizers, tokenization
from minigpt.text.tokenizers.bpe import BPETokenizer

ROWS = [
    TokenizerRow("train", "minigpt", 2e6, 5.0, 0.5),
    TokenizerRow("train", "tokenizers", skipped="skipped: not here"),
    TokenizerRow("encode", "minigpt", 3e7, 0.3),
]


def test_the_text_is_made_up_alike_each_time_of_words_with_the_frequencies_of_a_language():
    text = tokenization.made_up_text(200_000)
    assert text.isascii() and len(text) == pytest.approx(200_000, rel=0.01)
    assert text == tokenization.made_up_text(200_000) != tokenization.made_up_text(200_000, seed=1)
    counts = [n for _, n in Counter(text.replace(".", "").lower().split()).most_common()]
    assert len(counts) > 5000
    assert 5 < counts[0] / counts[20] < 10  # (20 + 3.7) / 3.7 = 6.4 by Mandelbrot's law


def test_all_encoders_give_the_same_ids():
    pytest.importorskip("tokenizers", reason="a peer is tokenizers")
    ours = BPETokenizer.train(tokenization.made_up_text(20_000), 400)
    text = tokenization.made_up_text(3_000, seed=5)
    ids = [make(ours, text)() for make in tokenization.ENCODERS.values()]
    assert len(ids) == 3 and ids[0] == ids[1] == ids[2] and max(ids[0]) < 400


def test_ratios_are_to_the_peers_of_each_part(monkeypatch):
    monkeypatch.setattr(tokenization, "TRAINERS", {"minigpt": BPETokenizer.train, "tokenizers": lambda *_: None})
    monkeypatch.setattr(tokenization, "_measured_once", lambda run: run() or (lambda: 2.0))
    encoders = {name: lambda *_, name=name: lambda: name for name in ("minigpt", "tiktoken")}
    monkeypatch.setattr(tokenization, "ENCODERS", encoders)
    monkeypatch.setattr(tokenization, "stopwatch", lambda run: lambda: {"minigpt": 0.5, "tiktoken": 0.25}[run()])
    monkeypatch.setattr(tokenization, "usable_cores", lambda: 2)
    monkeypatch.setattr(tokenization, "BYTES_OF_WORKER", 10_000)
    prepared = []
    monkeypatch.setattr(tokenization, "_prepare", lambda *given: prepared.append(given) or 1.0)
    measured = measure_tokenizers(3, 5_000, 300)
    size = measured.n_bytes
    assert [given[1::2] for given in prepared] == [(4, 2)] * 3  # four copies for two processes
    assert measured.rows == [
        TokenizerRow("train", "minigpt", size / 2, 2.0, 1.0),
        TokenizerRow("train", "tokenizers", size / 2, 2.0, 1.0),
        TokenizerRow("encode", "minigpt", size / 0.5, 0.5, 0.5),
        TokenizerRow("encode", "tiktoken", size / 0.25, 0.25, 1.0),
        TokenizerRow("prepare", "minigpt", 4 * size, 1.0, 0.5),  # of the 8 texts of two tiktokens
    ]


def test_it_is_measured_here(monkeypatch):
    monkeypatch.setattr(tokenization, "BYTES_OF_WORKER", 10_000)
    measured = measure_tokenizers(1, 20_000, 300)
    assert {row.what for row in measured.rows} == {"train", "encode", "prepare"}
    assert all(row.skipped or row.bytes_per_second > 0 for row in measured.rows)


def test_the_table_the_json_and_the_picture_have_the_figures():
    measured = TokenizerBench("a CPU", 10**7, 8192, 5, ROWS)
    lines = str(measured).splitlines()
    assert lines[1] == "10.0 MB of made-up text, 8,192 tokens; medians of 5 rounds in turn, training once"
    assert lines[3].split() == ["train", "minigpt", "2.0", "5.00", "0.50"]
    assert lines[4].endswith("skipped: not here") and lines[5].split() == ["encode", "minigpt", "30.0", "0.30"]
    assert json.loads(json.dumps(measured.to_json()))["rows"][0] == ROWS[0]._asdict()
    (bars,) = measured.plot().axes[0].containers
    assert [bar.get_height() for bar in bars] == [2.0, 30.0]


def test_in_chinese_only_names_are_english(in_chinese):
    told = in_chinese(str(TokenizerBench("a CPU", 10**7, 8192, 5, ROWS)))
    assert told <= {"train", "encode", "prepare", "minigpt", "tokenizers", "tiktoken", "skipped", "here"}
