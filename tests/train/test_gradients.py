import pytest
import torch

from minigpt.model import next_token_loss
from minigpt.train import accumulate_gradients
from minigpt.train.gradients import keyed_dropout


@pytest.mark.parametrize("micro_batch", [1, 3, 8, 32])
def test_accumulation_changes_only_the_rounding(make_model, data, micro_batch):
    """Each row ends elsewhere, and some have nothing to predict: a mean of the micro-batches' means would be wrong."""
    inputs, targets = data.batch(0, 32)
    for row, target in enumerate(targets):
        target[(5 * row) % 18 :] = -100
    whole, parts = make_model(), make_model()
    next_token_loss(whole(inputs), targets).backward()
    accumulate_gradients(parts, inputs, targets, micro_batch)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert a.grad.abs().max() > 1e-3
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-6)


def test_dropout_is_a_function_of_seed_and_step_and_the_global_generator_is_left_alone(make_model):
    model = make_model(dropout=0.5)
    before = torch.get_rng_state()
    draws = []
    for seed, step in ((0, 1), (0, 1), (0, 2), (1, 1)):
        with keyed_dropout(model, seed, step):
            draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] and len(set(draws)) == 3
    assert torch.equal(before, torch.get_rng_state())
