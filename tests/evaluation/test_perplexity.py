import math

import pytest
import torch

import minigpt as mg

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


@pytest.mark.parametrize("nats", [710.0, 1e300, math.inf])
def test_a_loss_whose_exponential_no_number_holds_has_an_infinite_perplexity(nats):
    result = mg.Evaluation(nats, 1, 1)
    assert result.perplexity == math.inf and "perplexity inf" in str(result)
    assert mg.Evaluation(709.0, 1, 1).perplexity == pytest.approx(math.exp(709))
