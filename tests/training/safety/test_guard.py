import pytest
import torch

import minigpt as mg
from minigpt.training import TrainConfig
from minigpt.training.safety.guard import Verdict

CONFIG = TrainConfig(steps=12, batch_size=4, learning_rate=0.01, device="cpu")


class Steps:
    """Data that remembers which step was asked for last."""

    def __init__(self, data):
        self.data, self.step = data, 0

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, *arguments, **options):
        self.step = step
        return self.data.batch(step, *arguments, **options)


def all_finite(model):
    return all(torch.isfinite(parameter).all() for parameter in model.parameters())


def broken(model, data, steps):
    """The model, with an output of NaN in one of its layers at the steps that are named."""

    def break_it(module, inputs, output):
        return output * float("nan") if data.step in steps else output

    model.blocks[0].mlp.register_forward_hook(break_it)
    return model


def test_a_step_that_is_not_finite_is_skipped_and_the_first_layer_is_named(make_model, data):
    steps = Steps(data)
    model = broken(make_model(), steps, {1})
    message = (
        r"step 1: loss nan.*not finite, the update is skipped; first in the forward pass: the output of blocks.0.mlp"
    )
    with pytest.warns(UserWarning, match=message):
        history = mg.train(model, steps, CONFIG, progress=False)
    assert [row["step"] for row in history.rows if "skipped" in row] == [1]
    assert all_finite(model)


def test_three_steps_in_a_row_end_the_run(make_model, data):
    steps = Steps(data)
    model = broken(make_model(), steps, {0, 1, 3, 4, 5})
    message = r"step 5.*3 steps in a row.*Lower the learning rate \(now 0.01\).*the output of blocks.0.mlp"
    with pytest.warns(UserWarning, match="not finite"), pytest.raises(FloatingPointError, match=message):
        mg.train(model, steps, CONFIG, progress=False)
    assert all_finite(model)


def test_of_several_verdicts_the_highest_counts():
    assert max(Verdict.UPDATE, Verdict.SPIKE, Verdict.NOT_FINITE, Verdict.OVERFLOW) is Verdict.NOT_FINITE


def test_of_a_copy_in_16_bits_the_layer_that_overflows_is_named(make_model, data):
    model = make_model(n_layers=2)
    with torch.no_grad():
        model.blocks[1].mlp.expand.weight.fill_(3e38)
    config = TrainConfig(steps=1, batch_size=4, learning_rate=0.01, device="cpu", precision="bf16-weights")
    with pytest.warns(UserWarning, match=r"first in the forward pass: the output of blocks\.1\.mlp\.expand"):
        mg.train(model, data, config, progress=False)
