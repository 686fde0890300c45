import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.model import next_token_loss
from minigpt.training import accumulate_gradients
from minigpt.training.gradients import asked_positions, keyed_dropout


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


@pytest.mark.parametrize(("columns", "n_asked"), [(1, 64), (4, 64), (7, 64)])
def test_the_head_works_only_where_there_is_something_to_learn(make_model, columns, n_asked):
    model, widths = make_model(), []
    inputs = torch.randint(0, model.config.vocab_size, (9, 16))
    targets = inputs.clone()
    targets[:, columns:] = -100
    model.head.register_forward_hook(lambda module, args, output: widths.append(output.shape[:-1]))
    accumulate_gradients(model, inputs, targets, 9)
    assert widths == [(n_asked,)]
    assert asked_positions(targets)[targets != -100].all()


def test_where_most_positions_count_all_are_asked():
    targets = torch.zeros(2, 9, dtype=torch.int64)
    targets[0, :4] = -100
    assert asked_positions(targets) is None


def test_a_micro_batch_with_nothing_to_learn_adds_nothing(make_model, data):
    inputs, targets = data.batch(0, 4)
    targets[2:] = -100
    alone, together = make_model(), make_model()
    losses = [
        accumulate_gradients(alone, inputs[:2], targets[:2], 2),
        accumulate_gradients(together, inputs, targets, 2),
    ]
    assert losses[0] == losses[1]
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(alone.parameters(), together.parameters(), strict=True))


def test_dropout_is_a_function_of_seed_and_step_and_the_global_generator_is_left_alone(make_model):
    model = make_model(dropout=0.5)
    before = torch.get_rng_state()
    draws = []
    for seed, step in ((0, 1), (0, 1), (0, 2), (1, 1)):
        with keyed_dropout(model, seed, step):
            draws.append(torch.rand(1).item())
    assert draws[0] == draws[1] and len(set(draws)) == 3
    assert torch.equal(before, torch.get_rng_state())


class Detached(nn.Module):
    """Its logits have no gradient; ``how`` says why."""

    def __init__(self, how):
        super().__init__()
        self.how, self.table, self.unused = how, nn.Embedding(5, 5), nn.Linear(2, 2)
        self.table.requires_grad_(how != "frozen")

    def forward(self, ids):
        with torch.set_grad_enabled(self.how != "no_grad"):
            logits = self.table(ids)
        return logits.detach() if self.how == "detach" else logits


@pytest.mark.parametrize("how", ["detach", "no_grad", "frozen", "outside"])
def test_logits_without_a_gradient_are_one_error(how):
    plan = mg.TrainConfig(steps=1, batch_size=1, learning_rate=0.1, device="cpu")
    with (
        torch.set_grad_enabled(how != "outside"),
        pytest.raises(ValueError, match=r"no gradient reaches the model's parameters: its logits are detached, or"),
    ):
        mg.train(Detached(how), [[1, 2, 3]], plan, progress=False)


def test_a_batch_without_a_target_that_counts_is_an_error_that_names_the_step(make_model, data):
    class Silent:
        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, batch_size, **options):
            inputs, targets = data.batch(step, batch_size, **options)
            return inputs, targets if step < 3 else torch.full_like(targets, -100)

    model = make_model()
    plan = mg.TrainConfig(steps=5, batch_size=4, learning_rate=0.01, device="cpu")
    with pytest.raises(
        ValueError, match=r"^step 3: no target of the batch counts: all are -100, so there is nothing to"
    ):
        mg.train(model, Silent(), plan, progress=False)
    inputs, targets = data.batch(0, 4)
    with pytest.raises(ValueError, match=r"^no target of the batch counts"):
        accumulate_gradients(model, inputs, torch.full_like(targets, -100), 2)
