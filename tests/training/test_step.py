import copy
import dataclasses
import math

import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig, accumulate_gradients, find_learning_rate, train_step
from minigpt.training.gradients import batch_gradient
from minigpt.training.step import evaluated_step, update

CONFIG = TrainConfig(steps=7, batch_size=4, learning_rate=0.01, warmup_steps=3, ema=0.5, clip_norm=0.3, device="cpu")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture
def run(make_model, data):
    return RunState(make_model().train(), CONFIG, data)


def test_an_update_is_the_gradient_clipped_and_the_optimizers_step(run, make_model, data):
    made = update(run, lambda: batch_gradient(run, 2), rate=0.02)
    twin = make_model()
    inputs, targets = data.batch(2, 4, seed=0)
    loss = mg.next_token_loss(twin(inputs), targets)
    loss.backward()
    norm = mg.clip_by_norm(twin.parameters(), 0.3)
    mg.AdamW(twin.parameters(), lr=0.02, weight_decay=0.0, implementation="formula").step()
    assert made.loss == pytest.approx(loss.item(), rel=1e-6) and made.norm == pytest.approx(norm.item(), rel=1e-5)
    assert made.n_positions == inputs.numel()
    moved = (weights(run.model) - weights(twin)).abs().max()
    assert moved < 0.02 * 0.1 * 2  # the decay of the weights is all that differs
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_an_update_that_is_not_allowed_leaves_the_weights_and_their_average_and_drops_the_gradient(run):
    before, seen = weights(run.model), []
    made = update(run, lambda: batch_gradient(run, 0), 0.02, lambda made: bool(seen.append(made)))
    assert seen == [made] and torch.equal(weights(run.model), before)
    assert run.average.n_updates == 0
    assert all(parameter.grad is None for parameter in run.model.parameters())


def test_the_loop_and_the_search_for_a_rate_make_the_same_updates(make_model, data):
    search = find_learning_rate(make_model(), data, CONFIG, low=0.01, high=0.0100001, steps=4)
    run = RunState(make_model().train(), CONFIG, data)
    losses = [update(run, lambda step=step: batch_gradient(run, step), search.rates[step]).loss for step in range(4)]
    assert losses == search.losses


def test_a_step_of_the_loop_is_the_update_at_the_rate_of_the_schedule(make_model, data):
    loop, own = (RunState(make_model().train(), CONFIG, data) for _ in range(2))
    for step in range(4):
        row = train_step(loop, step)
        made = update(own, lambda step=step: batch_gradient(own, step), CONFIG.rate(step + 1))
        assert (row["loss"], row["gradient_norm"], row["learning_rate"]) == (
            made.loss,
            made.norm,
            CONFIG.rate(step + 1),
        )
    assert torch.equal(weights(loop.model), weights(own.model))
    assert math.isfinite(row["tokens_per_second"])


def test_a_batch_that_is_given_takes_the_place_of_the_datas(run, data):
    inputs, targets = data.batch(5, 4, seed=0)
    made = update(run, lambda: (accumulate_gradients(run.loss, inputs, targets, 2), inputs.numel()), rate=0.0)
    assert made.loss == pytest.approx(mg.next_token_loss(run.model(inputs), targets).item(), rel=1e-6)


def test_an_evaluated_step_knows_the_floor_and_the_passes_over_the_text(make_model, data):
    config = dataclasses.replace(CONFIG, eval_every=2)
    run, held_out = RunState(make_model().train(), config, data), copy.copy(data)
    rows = [evaluated_step(run, step, held_out) for step in range(2)]
    assert "validation_loss" not in rows[0] and "epochs" not in rows[0]
    assert rows[1]["epochs"] == 2 * 4 / data.n_windows and "floor" not in rows[1]
    held_out.floor = 0.5
    assert evaluated_step(run, 3, held_out)["floor"] == 0.5
    assert "validation_loss" not in evaluated_step(run, 3, None)
