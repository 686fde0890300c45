import math

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.text.tokenizers.hugging_face import ImportedTokenizer

TEXT = "ab äb ab äb. " * 9


class Fixed(torch.nn.Module):
    """A unigram model: the same logits everywhere."""

    def __init__(self, logits):
        super().__init__()
        self.logits = torch.nn.Parameter(logits)

    def forward(self, ids):
        return self.logits.expand(*ids.shape, -1)


def test_the_three_units_follow_from_the_probabilities_of_the_tokens():
    tokenizer = mg.CharTokenizer.train(TEXT)
    model = Fixed(torch.randn(tokenizer.vocab_size, dtype=torch.float64))
    data = mg.TokenDataset.from_text(TEXT, tokenizer, 7)
    result = mg.evaluate(model, data, tokenizer)
    p = torch.softmax(model.logits.detach(), -1).tolist()
    nats = -sum(math.log(p[token]) for token in tokenizer.encode(TEXT)[1:])
    assert result.n_tokens == len(TEXT) - 1
    assert result.n_bytes == len(TEXT[1:].encode())
    assert result.nats_per_token == pytest.approx(nats / (len(TEXT) - 1))
    assert result.perplexity == pytest.approx(math.exp(nats / (len(TEXT) - 1)))
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / len(TEXT[1:].encode()))


def test_a_uniform_model_is_as_uncertain_as_its_vocabulary_is_large():
    tokenizer = mg.CharTokenizer.train(TEXT)
    data = mg.TokenDataset.from_text(TEXT, tokenizer, 7)
    result = mg.evaluate(Fixed(torch.zeros(tokenizer.vocab_size)), data, tokenizer)
    assert result.perplexity == pytest.approx(tokenizer.vocab_size, rel=1e-5)
    assert "nats per token" in str(result) and "bits per byte" in str(result)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A folder of 60 files, a name each, and the same as token ids with a border after each."""
    folder = tmp_path_factory.mktemp("names")
    for i in range(60):
        (folder / f"{i:02}.txt").write_bytes(f"Näme{'a' * (i % 3)}{i}\n".encode())
    tokenizer = mg.BPETokenizer.train(mg.read_text(folder), 300)
    prepared = mg.prepare(folder, tokenizer, folder / "out", progress=False)
    ids = np.concatenate([shard.tokens for part in (prepared.train, prepared.validation) for shard in part(1).shards])
    return folder, tokenizer, mg.TokenDataset(ids.astype(np.int64), 16, vocab_size=tokenizer.vocab_size)


def test_the_bytes_are_those_of_the_files_and_a_border_has_none(names):
    folder, tokenizer, data = names
    result = mg.evaluate(Fixed(torch.zeros(tokenizer.vocab_size)), data, tokenizer)
    on_disk = sum(path.stat().st_size for path in folder.glob("*.txt"))
    first = len(tokenizer.token_bytes(int(data.shards[0].tokens[0])))  # nothing precedes it
    assert result.n_bytes == on_disk - first
    assert result.n_borders == 60
    assert result.bits_per_byte == pytest.approx(result.n_tokens * math.log2(tokenizer.vocab_size) / (on_disk - first))


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_what_the_borders_cost_is_told_apart(names, batch_size):
    _, tokenizer, data = names
    logits = torch.randn(tokenizer.vocab_size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    result = mg.evaluate(Fixed(logits), data, tokenizer, batch_size)
    cost = -torch.log_softmax(logits, -1)[tokenizer.special_tokens["<|endoftext|>"]].item()
    assert result.border_nats == pytest.approx(60 * cost)
    assert f"60 of the tokens are document borders, at {cost:.4f} nats each" in str(result)
    assert result.to_object()["nats_per_border"] == pytest.approx(cost)


def test_a_text_without_borders_says_nothing_of_them():
    tokenizer = mg.CharTokenizer.train(TEXT)
    result = mg.evaluate(
        Fixed(torch.zeros(tokenizer.vocab_size)), mg.TokenDataset.from_text(TEXT, tokenizer, 7), tokenizer
    )
    assert (result.n_borders, result.nats_per_border) == (0, None)
    assert "border" not in str(result)


def test_borders_alone_are_refused(names):
    _, tokenizer, _ = names
    end = tokenizer.special_tokens["<|endoftext|>"]
    data = mg.TokenDataset([end] * 9, 4, vocab_size=tokenizer.vocab_size)
    with pytest.raises(ValueError, match="8 tokens of 0 bytes leave nothing to measure; give more text"):
        mg.evaluate(Fixed(torch.zeros(tokenizer.vocab_size)), data, tokenizer)


def test_a_vocabulary_with_unused_ids_can_be_measured_and_can_write():
    """As cl100k_base has some: of 301 ids 257 are tokens, and an untrained model draws any of them."""
    gapped = ImportedTokenizer({bytes([byte]): byte for byte in range(256)}, {"<|endoftext|>": 300})
    config = mg.GPTConfig.preset("nano", vocab_size=gapped.vocab_size, context_length=8, d_model=8, n_layers=1)
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    ids = gapped.encode(TEXT)
    rungs = mg.ladder(ids[:60], ids[60:], gapped, model=model).rungs
    assert rungs["GPT"].n_bytes == len(ids[61:])
    assert rungs["GPT"] == mg.evaluate(model, mg.TokenDataset(ids[60:], 8, vocab_size=301), gapped)
    assert "\ufffd" in mg.generate(model, gapped, "ab", max_new_tokens=40)


@pytest.mark.parametrize("nats", [710.0, 1e300, math.inf])
def test_a_loss_whose_exponential_no_number_holds_has_an_infinite_perplexity(nats):
    result = mg.Evaluation(nats, 1, 1)
    assert result.perplexity == math.inf and "perplexity inf" in str(result)
    assert mg.Evaluation(709.0, 1, 1).perplexity == pytest.approx(math.exp(709))


def test_in_chinese_the_figures_have_chinese_words(in_chinese):
    result = mg.Evaluation(nats=70.0, n_tokens=70, n_bytes=90, n_borders=7, border_nats=14.0)
    assert str(result) == (
        "每词元 1.0000 奈特 · 困惑度 2.72 · 每字节 1.1221 比特（70 个词元，90 字节；其中 7 个词元是文档边界，"
        "每个 2.0000 奈特）"
    )
