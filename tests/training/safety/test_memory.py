import pytest
import torch

from minigpt.training import RunState, TrainConfig
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.gradients import batch_gradient
from minigpt.training.safety.memory import PeakBytes, step_memory


def start(model, data, **changes):
    config = TrainConfig(steps=3, batch_size=8, device="cpu", **changes)
    return RunState(model.train(), config, data)


def test_only_what_is_alive_counts_and_the_peak_is_remembered():
    weight = torch.zeros(100)
    with PeakBytes() as made:
        a = torch.zeros(1000)
        a += 1  # in place
        b = a[:500]  # a view
        assert made.peak == 4000
        c = weight * 2
        assert made.peak == 4400
        del a, b
        d = torch.zeros(900)
        assert made.peak == 4400
        e = torch.zeros(10, dtype=torch.float64)
        assert made.peak == 4400
        f = torch.zeros(100)
        assert made.peak == 4480
    del c, d, e, f


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("recomputed", [False, True])
def test_the_prediction_is_within_a_fifth_of_the_peak_of_a_step(make_model, data, precision, recomputed):
    run = start(make_model(n_layers=4), data, precision=precision, activation_checkpointing=recomputed)
    needs = step_memory(run)
    with run_blocks(run.model, recomputed=recomputed), PeakBytes() as made:
        batch_gradient(run, 0)
    assert needs.gradients + needs.working(8) == pytest.approx(made.peak, rel=0.2)


def test_weights_gradients_and_moments_are_counted_and_left_as_they_are(make_model, data):
    run = start(make_model(), data)
    before = [parameter.clone() for parameter in run.model.parameters()]
    needs, n = step_memory(run), run.model.n_parameters
    assert (needs.weights, needs.gradients) == (4 * n, 4 * n)
    assert 8 * n <= needs.moments < 8 * n + 100  # and each parameter's count of steps
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_recomputed_blocks_need_less(make_model, data):
    plain, recomputed = (
        step_memory(start(make_model(n_layers=6), data, activation_checkpointing=on)) for on in (False, True)
    )
    assert recomputed.activations < plain.activations / 2
