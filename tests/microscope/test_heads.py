import math

import pytest
import torch

import minigpt as mg
from minigpt.microscope import (
    duplicate_token_score,
    head_scores,
    in_context_gain,
    induction_score,
    previous_token_score,
    repeated_tokens,
    token_losses,
)


def attends_back(length, *distances):
    """Weights ``(1, H, T, T)``: head h attends to the token so far back, or to itself where there is none."""
    pattern = torch.zeros(1, len(distances), length, length)
    for head, back in enumerate(distances):
        for t in range(length):
            pattern[0, head, t, t - back if t >= back else t] = 1
    return pattern


def test_each_score_is_1_for_its_own_head_and_0_for_the_others():
    pattern = attends_back(10, 1, 5, 4, 0)  # the token before, the earlier copy, the one after it, the token itself
    assert previous_token_score(pattern).tolist() == [1, 0, 0, 0]
    assert duplicate_token_score(pattern, 5).tolist() == [0, 1, 0, 0]
    assert induction_score(pattern, 5).tolist() == [0, 0, 1, 0]


def test_the_token_after_the_earlier_copy_counts_and_not_the_one_before_it():
    after, before = attends_back(10, 4), attends_back(10, 6)
    assert induction_score(after, 5).tolist() == [1]
    assert induction_score(before, 5).tolist() == [0]


def test_scores_are_means_over_the_batch():
    pattern = torch.cat([attends_back(6, 1, 0), attends_back(6, 0, 0)])
    assert previous_token_score(pattern).tolist() == [0.5, 0]
    uniform = torch.ones(2, 1, 6, 6).tril() / torch.arange(1, 7)[:, None]
    torch.testing.assert_close(induction_score(uniform, 3), torch.tensor([(1 / 4 + 1 / 5 + 1 / 6) / 3]))


def test_scores_without_a_copy_are_refused():
    pattern = attends_back(6, 1)
    for score in (duplicate_token_score, induction_score):
        with pytest.raises(ValueError, match="a pattern of 6 positions has no token whose earlier one is 6"):
            score(pattern, 6)
    with pytest.raises(ValueError, match="period=1 must be at least 2"):
        induction_score(pattern, 1)
    with pytest.raises(ValueError, match="a pattern of 1 positions"):
        previous_token_score(torch.ones(1, 1, 1))


def test_the_gain_compares_the_same_tokens_and_leaves_out_the_first_of_each_half():
    losses = torch.tensor([math.nan, 5.0, 4.0, 9.0, 1.0, 1.5])
    assert in_context_gain(losses, 3) == (5 - 1 + 4 - 1.5) / 2
    with pytest.raises(ValueError, match="6 losses and period=2; expected T = 2P"):
        in_context_gain(losses, 2)


def test_losses_are_those_of_cross_entropy_per_token(make_model, ids):
    logits = make_model()(ids).detach()
    losses = token_losses(logits, ids)
    expected = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    torch.testing.assert_close(losses[:, 1:].flatten(), expected)
    assert losses[:, 0].isnan().all()


def test_repeated_tokens_differ_within_a_half_and_repeat():
    ids = repeated_tokens(9, 7, 5, generator=torch.Generator().manual_seed(1))
    assert ids.shape == (5, 14)
    assert torch.equal(ids[:, :7], ids[:, 7:])
    assert all(len(set(row)) == 7 and max(row) < 9 for row in ids[:, :7].tolist())
    assert len({tuple(row) for row in ids.tolist()}) == 5
    longer = repeated_tokens(3, 7, 5)
    assert longer.shape == (5, 14) and longer.max() == 2
    assert torch.equal(ids, repeated_tokens(9, 7, 5, generator=torch.Generator().manual_seed(1)))


def test_the_scores_of_a_model_are_those_of_its_patterns(make_model):
    model = make_model()
    scores = head_scores(model, period=5, n_sequences=3, generator=torch.Generator().manual_seed(6))
    ids = repeated_tokens(17, 5, 3, generator=torch.Generator().manual_seed(6))
    record = mg.look(model, ids)
    weights = record["blocks.2.attn.hook_pattern"][:, 3]
    own = {
        name: sum(weights[b, t, t - back] for b in range(3) for t in range(first, 10)) / 3 / (10 - first)
        for name, back, first in (("previous", 1, 1), ("duplicate", 5, 5), ("induction", 4, 5))
    }
    for name, value in own.items():
        torch.testing.assert_close(getattr(scores, name)[2, 3], value)
    assert scores.induction.shape == (3, 4)
    losses = token_losses(record.logits, ids)
    assert scores.gain == pytest.approx(float(losses[:, 1:5].mean() - losses[:, 6:].mean()))
    assert f"L2H3    {own['previous']:>11.3f}" in str(scores)
    assert scores.heads("previous", -1)[0] == divmod(int(scores.previous.argmax()), 4)
    assert len(scores.heads("previous", -1)) == 12


def test_a_period_longer_than_half_the_context_is_refused(make_model):
    with pytest.raises(ValueError, match="period=7 must be 2 to 6, half the context"):
        head_scores(make_model(), period=7)
