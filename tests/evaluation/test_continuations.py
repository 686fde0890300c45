"""Continuations of one prompt, scored with a cache and without."""

import pytest
import torch

import minigpt as mg
from minigpt.evaluation.continuations import continuation_log_probs
from minigpt.generation import Decoder

SHAPE = {"vocab_size": 31, "context_length": 40, "d_model": 24, "n_heads": 4, "n_layers": 2, "position": "rope-half"}
PROMPT = [5, 3, 8, 1, 30, 7, 2, 2, 9]
RAGGED = [[1], [4, 4, 4, 9], [0, 0], [30, 2, 17, 3, 3, 21, 6], [4]]
PARTS = {
    "plain": {},
    "shared heads and a window": {"n_kv_heads": 2, "window": 5},
    "learned positions": {"position": "learned", "convolution": 3},
}


def drawn(**parts):
    """A model whose logits differ from token to token."""
    model = mg.GPT(mg.GPTConfig(**{**SHAPE, **parts}), generator=torch.Generator().manual_seed(0)).eval()
    with torch.no_grad():
        model.token_embedding.weight.mul_(20)
    return model


def one_by_one(model, prompt, continuation):
    """The definition: each token's probability after all tokens before it, in a pass of its own."""
    found = []
    for t, token in enumerate(continuation):
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *continuation[:t]]]))[0, -1].double()
        found.append(float(logits[token] - logits.logsumexp(0)))
    return torch.tensor(found, dtype=torch.float64)


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("batch_size", [2, 32])
def test_the_log_probabilities_are_those_of_whole_passes(parts, batch_size):
    model = drawn(**PARTS[parts])
    for cached in (True, False):
        found = continuation_log_probs(Decoder(model, cached=cached), PROMPT, RAGGED, batch_size=batch_size)
        for each, continuation in zip(found, RAGGED, strict=True):
            torch.testing.assert_close(each, one_by_one(model, PROMPT, continuation), atol=1e-5, rtol=0)


def test_logits_that_are_one_token_off_are_noticed(monkeypatch):
    model, after_last = drawn(), Decoder.after_last
    late = lambda self, rows, n, padding=(): after_last(self, rows, n, padding).roll(1, dims=1)  # noqa: E731
    monkeypatch.setattr(Decoder, "after_last", late)
    found = continuation_log_probs(Decoder(model), PROMPT, RAGGED)
    assert (found[3] - one_by_one(model, PROMPT, RAGGED[3])).abs().max() > 0.1


def test_the_prompt_is_read_once_and_a_common_beginning_only_once(monkeypatch):
    model, seen = drawn(), []
    features = model.features
    monkeypatch.setattr(model, "features", lambda ids, *more: (seen.append(ids.shape), features(ids, *more))[1])
    decoder = Decoder(model)
    continuation_log_probs(decoder, PROMPT, RAGGED)
    assert seen == [(1, len(PROMPT)), (5, 6)]
    seen.clear()
    continuation_log_probs(decoder, [*PROMPT[:6], 11, 12], RAGGED)
    assert seen == [(1, 2), (5, 6)]


def test_the_whole_context_can_be_scored_and_no_more():
    model, prompt = drawn(), [1] * 36
    (found,) = continuation_log_probs(Decoder(model), prompt, [[2, 3, 4, 5, 6]])
    torch.testing.assert_close(found, one_by_one(model, prompt, [2, 3, 4, 5, 6]), atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="has 42 tokens; at most 41 can be scored"):
        continuation_log_probs(Decoder(model), prompt, [[1], [2] * 6])


@pytest.mark.parametrize(("prompt", "continuations"), [([], [[1]]), ([1], [[1], []])])
def test_what_has_no_token_is_refused(prompt, continuations):
    with pytest.raises(ValueError, match="has no token"):
        continuation_log_probs(Decoder(drawn()), prompt, continuations)


def test_no_continuation_has_no_score():
    assert continuation_log_probs(Decoder(drawn()), PROMPT, []) == []
