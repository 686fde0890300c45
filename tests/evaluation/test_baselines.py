import gzip
import lzma
import math

import numpy as np
import pytest
import torch

import minigpt as mg

TEXT = "the cat sät on the mat, and the dog sät on the log; and the end came – so the cat ran. " * 12
TOKENIZER = mg.CharTokenizer.train(TEXT)
TRAIN, VALIDATION = (np.array(TOKENIZER.encode(part)) for part in (TEXT[:900], TEXT[900:]))
PREDICTED = TEXT[901:].encode()


@pytest.fixture(scope="module")
def rungs():
    return mg.ladder(TRAIN, VALIDATION, TOKENIZER, floor=0.5).rungs


@pytest.mark.parametrize(("name", "order"), [("unigram", 1), ("bigram", 2), ("3-gram", 3), ("5-gram", 5)])
def test_an_n_gram_rung_is_the_kneser_ney_model_of_that_order(rungs, name, order):
    model = mg.NGram.train(TRAIN, order, TOKENIZER.vocab_size)
    assert rungs[name].perplexity == pytest.approx(model.perplexity(VALIDATION))


def test_the_uniform_rung_is_the_logarithm_of_the_vocabulary(rungs):
    assert rungs["uniform"].nats_per_token == pytest.approx(math.log(TOKENIZER.vocab_size))


@pytest.mark.parametrize(("name", "compress"), [("gzip", gzip.compress), ("xz", lzma.compress)])
def test_a_compressor_is_charged_for_the_bytes_that_the_text_adds(rungs, name, compress):
    added = len(compress(TEXT.encode())) - len(compress(TEXT[:901].encode()))
    assert rungs[name].bits_per_byte == pytest.approx(8 * added / len(PREDICTED))


def test_a_compressor_remembers_the_training_text_and_cannot_pack_what_is_random():
    letters = np.random.default_rng(0).integers(0, 16, 8000)
    tokenizer = mg.CharTokenizer.train("abcdefghijklmnop")
    repeated = mg.ladder(letters, letters, tokenizer).rungs["xz"].bits_per_byte
    unheard = mg.ladder(letters[:4000], letters[4000:], tokenizer).rungs["xz"].bits_per_byte
    assert repeated < 0.1 and 4 <= unheard < 4.5


def test_every_rung_predicts_the_same_tokens_and_bytes(rungs):
    assert {(rung.n_tokens, rung.n_bytes) for rung in rungs.values()} == {(len(VALIDATION) - 1, len(PREDICTED))}


def test_the_model_is_measured_as_evaluate_measures_it():
    config = mg.GPTConfig.preset("nano", vocab_size=TOKENIZER.vocab_size, context_length=8, d_model=8, n_layers=1)
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    data = mg.TokenDataset(VALIDATION, 8, vocab_size=TOKENIZER.vocab_size)
    assert mg.ladder(TRAIN, VALIDATION, TOKENIZER, model=model).rungs["GPT"] == mg.evaluate(model, data, TOKENIZER)


def test_the_floor_is_the_given_entropy(rungs):
    assert rungs["floor"].nats_per_token == pytest.approx(0.5)


def test_the_table_has_a_line_for_each_rung_from_uniform_to_floor(rungs):
    lines = str(mg.Ladder(rungs)).splitlines()
    names = ["uniform", "unigram", "bigram", "3-gram", "5-gram", "gzip", "xz", "floor"]
    assert [line.split()[0] for line in lines[1:-1]] == names
    V, bits = TOKENIZER.vocab_size, math.log2(TOKENIZER.vocab_size) * (len(VALIDATION) - 1)
    assert lines[1].split()[1:] == [f"{math.log(V):.4f}", f"{V:.2f}", f"{bits / len(PREDICTED):.4f}"]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert f"{len(VALIDATION) - 1} tokens ({len(PREDICTED)} bytes)" in lines[-1]


def test_the_plot_has_a_bar_for_each_rung_and_a_line_for_the_floor(rungs):
    pytest.importorskip("matplotlib")
    axes = mg.Ladder(rungs).plot().axes[0]
    bars = [bar.get_width() for bar in axes.patches]
    assert bars == pytest.approx([rung.bits_per_byte for name, rung in rungs.items() if name != "floor"])
    assert axes.lines[0].get_xdata()[0] == pytest.approx(rungs["floor"].bits_per_byte)
    assert not mg.Ladder({name: rungs[name] for name in ("uniform", "xz")}).plot().axes[0].lines


@pytest.mark.parametrize("floor", [-0.1, math.inf, math.nan])
def test_a_floor_that_is_no_entropy_is_refused(floor):
    with pytest.raises(ValueError, match=r"floor=.* must be a finite number of nats per token, at least 0"):
        mg.ladder(TRAIN, VALIDATION, TOKENIZER, floor=floor)


@pytest.mark.parametrize(
    ("train_ids", "validation_ids", "message"),
    [
        ([0, 1, 2], [0, 1], "a text of 3 tokens has no n-gram of order=5"),
        ([0] * 9, [0], "a text of 1 token leaves none to predict"),
        ([0] * 9, [0, 99], "token id 99 at position 1 is outside"),
        ([99] * 9, [0, 1], "token id 99 at position 0 is outside"),
    ],
)
def test_texts_that_cannot_be_compared_are_refused(train_ids, validation_ids, message):
    with pytest.raises(ValueError, match=message):
        mg.ladder(train_ids, validation_ids, TOKENIZER)


@pytest.fixture(scope="module")
def documents():
    """The ladder of forty names with a border after each, the last ten to be predicted; the first token of those."""
    texts = [f"näme{'a' * (i % 3)}{i}" for i in range(40)]
    tokenizer = mg.BPETokenizer.train(" ".join(texts), 280)
    end = tokenizer.special_tokens["<|endoftext|>"]
    learnt, told = ([t for text in part for t in [*tokenizer.encode(text), end]] for part in (texts[:30], texts[30:]))
    return mg.ladder(learnt, told, tokenizer), tokenizer.token_bytes(told[0])


def test_the_bytes_of_a_ladder_are_those_of_the_texts_and_a_border_has_none(documents):
    ladder, first = documents
    n_bytes = sum(len(f"näme{'a' * (i % 3)}{i}".encode()) for i in range(30, 40)) - len(first)
    assert {rung.n_bytes for rung in ladder.rungs.values()} == {n_bytes}
    assert {rung.n_borders for rung in ladder.rungs.values()} == {10}


def test_what_a_border_costs_is_told_for_the_rungs_that_predict_tokens(documents):
    ladder, _ = documents
    costs = {name: rung.nats_per_border for name, rung in ladder.rungs.items()}
    assert costs["uniform"] == pytest.approx(math.log(ladder.rungs["uniform"].perplexity))
    assert costs["gzip"] is costs["xz"] is None
    assert costs["5-gram"] < costs["unigram"]
    lines = str(ladder).splitlines()
    assert lines[1].split()[-1] == f"{costs['uniform']:.4f}" and lines[-2].split()[-1] == "-"
    assert lines[-1].endswith("; 10 of the tokens are document borders")
    assert len({len(line) for line in lines[:-1]}) == 1


def test_a_compressor_reads_a_border_as_one_byte_that_no_text_has(documents):
    ladder, first = documents
    texts = [f"näme{'a' * (i % 3)}{i}".encode() + b"\xff" for i in range(40)]
    known, whole = b"".join(texts[:30]) + first, b"".join(texts)
    added = len(gzip.compress(whole)) - len(gzip.compress(known))
    assert ladder.rungs["gzip"].nats == pytest.approx(8 * added * math.log(2))
