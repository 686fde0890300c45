"""The load-balancing loss in training: minigpt/training/losses.py with a model of experts."""

from functools import partial

import pytest
import torch

import minigpt as mg
from minigpt.model.experts import MixtureOfExperts
from minigpt.training import LossModule, RunState, TrainConfig, accumulate_gradients, split_loss
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.execution.precision import Precision
from minigpt.training.step import train_step

EXPERTS = {"n_experts": 4, "n_active_experts": 2, "mlp": "swiglu", "init_std": 0.3}
SETTINGS = {"steps": 4, "batch_size": 8, "micro_batch_size": 4, "device": "cpu", "eval_every": 2}


def oracle(model, ids):
    """The sum over the layers of what transformers computes from the scores of each router."""
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    record, n, k = mg.look(model, ids), model.config.n_experts, model.config.n_active_experts
    scores = [record[f"blocks.{layer}.mlp.hook_router"] for layer in range(model.config.n_layers)]
    return sum(load_balancing_loss_func((each.flatten(0, 1),), n, k) for each in scores)


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("at", [False, True], ids=["everywhere", "at some positions"])
@pytest.mark.parametrize("name", ["logits", "chunked"])
def test_the_training_loss_has_it_once_a_target_and_the_validation_loss_has_none(make_model, data, name, at):
    model = make_model(**EXPERTS)
    ids, targets = data.batch(0, 4)
    targets[:, 5:9] = -100
    asked = targets != -100
    given = (ids, targets[asked], asked) if at else (ids, targets)
    plain, loss = LossModule(model, name, 0.1), LossModule(model, name, 0.1, balance=0.3)
    expected = plain(*given) + 0.3 * asked.sum() * oracle(model, ids)
    torch.testing.assert_close(loss(*given), expected)
    assert loss.balance_now.item() == pytest.approx(oracle(model, ids).item() / model.config.n_layers)
    assert torch.equal(loss.eval()(*given), plain.eval()(*given))
    assert split_loss(LossModule(model, name, balance=9.0), data) == split_loss(LossModule(model, name), data)


def test_each_micro_batch_counts_by_its_targets(make_model, data):
    model, (ids, targets) = make_model(**EXPERTS), data.batch(0, 6)
    targets[0, 1:] = -100
    plain = accumulate_gradients(LossModule(model), ids, targets, 4)
    loss = accumulate_gradients(LossModule(model, balance=0.5), ids, targets, 4)
    counts = [(targets[rows] != -100).sum() for rows in (slice(0, 4), slice(4, 6))]
    parts = [oracle(model, ids[:4]), oracle(model, ids[4:])]
    expected = sum(n * part for n, part in zip(counts, parts, strict=True)) / sum(counts)
    assert loss - plain == pytest.approx(0.5 * expected.item(), rel=1e-4)


def test_its_gradient_is_that_of_the_formula_and_reaches_the_routers(make_model, data):
    ids, targets = data.batch(0, 4)
    expected, actual = make_model(**EXPERTS), make_model(**EXPERTS)
    scores = []
    for block in expected.blocks:
        block.mlp.router.register_forward_hook(lambda *seen: scores.append(seen[-1].flatten(0, 1)))
    total = mg.next_token_loss(expected(ids), targets)
    for each in scores:
        used = (each >= each.topk(2).values[:, 1:]).double().mean(0)
        total = total + 0.5 * 4 * (used * each.softmax(-1).mean(0)).sum()
    total.backward()
    accumulate_gradients(LossModule(actual, balance=0.5), ids, targets, 4)
    for name, gradient in gradients(expected).items():
        torch.testing.assert_close(actual.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-6, msg=name)
    assert all(block.mlp.scores is None and not block.mlp.keeps_scores for block in actual.blocks)


def test_recomputed_blocks_have_the_same_gradients(make_model, data):
    ids, targets = data.batch(0, 4)
    found = []
    for recomputed in (False, True):
        model = make_model(**EXPERTS)
        with run_blocks(model, recomputed=recomputed):
            accumulate_gradients(LossModule(model, balance=0.5), ids, targets, 2)
        found.append(gradients(model))
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


@pytest.mark.filterwarnings("ignore")  # torch warns of itself while it loads its compiler
def test_compiled_blocks_give_it_at_every_step(make_model, data, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager", fullgraph=True))
    torch._dynamo.reset()  # other tests compile too
    model, expected = make_model(**EXPERTS, n_layers=2), make_model(**EXPERTS, n_layers=2)
    with run_blocks(model, compiled=True):
        for step in range(2):
            ids, targets = data.batch(step, 4)
            losses = [LossModule(each, balance=0.5) for each in (model, expected)]
            values = [accumulate_gradients(loss, ids, targets, 4) for loss in losses]
            assert values[0] == pytest.approx(values[1], rel=1e-5)
            assert losses[0].balance_now.item() == pytest.approx(losses[1].balance_now.item(), rel=1e-5)
    for name, gradient in gradients(expected).items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, rtol=1e-4, atol=1e-6, msg=name)


def test_in_bf16_it_is_near(make_model, data):
    ids, targets = data.batch(0, 4)
    losses = []
    for precision in ("fp32", "bf16"):
        loss = LossModule(make_model(**EXPERTS), balance=2.0)
        accumulate_gradients(loss, ids, targets, 4, Precision(precision, torch.device("cpu")))
        losses.append(loss.balance_now)
    assert losses[1].dtype == torch.float32
    torch.testing.assert_close(losses[1], losses[0], rtol=0.02, atol=0)


def test_without_experts_nothing_changes(make_model, data):
    runs = [mg.train(make_model(), data, TrainConfig(**SETTINGS, balance=w), progress=False) for w in (0.0, 5.0)]
    assert [row["loss"] for row in runs[0].rows] == [row["loss"] for row in runs[1].rows]
    assert not any("balance_loss" in row for run in runs for row in run.rows)


def test_usage_evens_out_with_it_and_not_without(make_model, data):
    largest, balance = {}, {}
    for weight in (0.0, 0.1):
        model = make_model(**EXPERTS | {"n_active_experts": 1})
        with torch.no_grad():
            for block in model.blocks:
                block.norm_2.shift.fill_(0.5)
                block.mlp.router.weight[0] += 0.5  # nearly every token goes through the first expert
        config = TrainConfig(steps=40, batch_size=8, learning_rate=0.02, device="cpu", balance=weight)
        rows = mg.train(model, data, config, progress=False).rows
        record = mg.look(model, data.batch(0, 16)[0])
        scores = torch.stack([record[f"blocks.{i}.mlp.hook_router"] for i in range(model.config.n_layers)])
        shares = torch.nn.functional.one_hot(scores.argmax(-1), 4).double().mean((1, 2))
        largest[weight], balance[weight] = shares.max().item(), [row.get("balance_loss") for row in rows]
    assert largest[0.0] > 0.8 > 0.5 > largest[0.1]
    assert balance[0.1][0] > 2 > 1.3 > balance[0.1][-1]
    assert balance[0.0] == [None] * 40


def test_a_run_saved_before_there_was_such_a_loss_goes_on(make_model, data):
    runs = [RunState(make_model().train(), TrainConfig(**SETTINGS), data) for _ in range(2)]
    train_step(runs[0], 0)
    checkpoint = runs[0].snapshot(1)
    del checkpoint.state["train_config"]["balance"]
    assert runs[1].restore(checkpoint) == 1
    assert train_step(runs[0], 1)["loss"] == train_step(runs[1], 1)["loss"]
    checkpoint.state["train_config"]["balance"] = 0.5
    with pytest.raises(ValueError, match=r"balance was 0.5, now 0.01"):
        runs[1].restore(checkpoint)


def test_the_step_has_no_graph_left(make_model, data):
    run = RunState(make_model(**EXPERTS).train(), TrainConfig(**SETTINGS), data)
    row = train_step(run, 0)
    assert row["balance_loss"] >= 2 and not run.loss.balance_now.requires_grad
    assert all(m.scores is None for m in run.model.modules() if isinstance(m, MixtureOfExperts))
