import pytest
import torch

from minigpt.train import accumulate_gradients
from minigpt.train.gradients import keyed_dropout


@pytest.mark.parametrize("micro_batch", [1, 2, 4])
def test_accumulation_changes_only_the_rounding(make_model, data, micro_batch):
    inputs, targets = data.batch(0, 8)
    targets[1, 3:], targets[4, :] = -100, -100  # ragged padding: a mean of means would weigh it wrongly
    whole, parts = make_model(), make_model()
    expected = accumulate_gradients(whole, inputs, targets, 8)
    assert accumulate_gradients(parts, inputs, targets, micro_batch) == pytest.approx(expected, rel=1e-6)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-6)


def test_dropout_is_a_function_of_seed_and_step_and_the_global_generator_is_left_alone(make_model):
    model = make_model(dropout=0.5)
    before = torch.get_rng_state()
    draws = []
    for seed, step in ((0, 1), (0, 1), (0, 2), (1, 1)):
        with keyed_dropout(model, seed, step):
            draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] and len(set(draws)) == 3
    assert torch.equal(before, torch.get_rng_state())
