import pytest
import torch

import minigpt as mg
from minigpt.train import TrainConfig

CONFIG = TrainConfig(steps=12, batch_size=4, learning_rate=0.01, device="cpu")


def all_finite(model):
    return all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_a_step_that_is_not_finite_is_skipped_and_three_in_a_row_end_the_run(make_model, data):
    class Broken(torch.nn.Module):
        """The model, with logits of NaN at the calls that are named."""

        def __init__(self, model, bad):
            super().__init__()
            self.model, self.bad, self.calls, self.config = model, bad, 0, model.config

        def forward(self, ids):
            self.calls += 1
            return self.model(ids) * (float("nan") if self.calls in self.bad else 1.0)

    once = Broken(make_model(), {2})
    with pytest.warns(UserWarning, match="step 1: loss nan.*not finite, the update is skipped"):
        assert len(mg.train(once, data, CONFIG, progress=False)) == 12
    assert all_finite(once)

    ever = Broken(make_model(), {4, 5, 6})
    with (
        pytest.warns(UserWarning, match="not finite"),
        pytest.raises(FloatingPointError, match=r"step 5.*3 steps in a row.*Lower the learning rate \(now 0.01\)"),
    ):
        mg.train(ever, data, CONFIG, progress=False)
    assert all_finite(ever)
