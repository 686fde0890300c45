"""Mixtures of experts, with the formula and transformers as oracles."""

import pytest
import torch

import minigpt as mg
from minigpt.cost.parameters import count_parameters
from minigpt.model.experts import MixtureOfExperts, expert_shares, load_balancing_loss, mixture, top_k_gate

SHAPE = {"vocab_size": 7, "context_length": 9, "d_model": 12, "n_heads": 3, "n_layers": 2, "init_std": 0.4}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_gate_is_the_softmax_of_the_highest_scores():
    gate = top_k_gate(torch.tensor([[1.0, 3.0, -2.0, 2.0]]), 2)
    expected = torch.tensor([3.0, 2.0]).softmax(0)
    torch.testing.assert_close(gate, torch.tensor([[0.0, expected[0], 0.0, expected[1]]]))


def test_of_equal_scores_as_many_are_chosen_as_are_asked_for():
    assert (top_k_gate(torch.zeros(5, 7), 3) > 0).sum(-1).eq(3).all()


def test_the_mixture_sums_what_the_experts_return():
    outputs = normal(4, 3, 5)
    weights = normal(4, 3)
    torch.testing.assert_close(mixture(weights, outputs), (weights[..., None] * outputs).sum(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_share_of_an_expert_is_counted_over_all_tokens_and_has_no_gradient(dtype):
    scores = normal(3, 7, 5).to(dtype).requires_grad_()
    shares = expert_shares(scores, 2)
    chosen = [j for row in scores.flatten(0, 1).tolist() for j in sorted(range(5), key=row.__getitem__)[-2:]]
    assert shares.tolist() == pytest.approx([chosen.count(j) / 21 for j in range(5)])
    assert not shares.requires_grad and shares.dtype == torch.promote_types(dtype, torch.float32)


def test_the_load_balancing_loss_is_that_of_transformers():
    from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

    scores = normal(31, 5)
    for k in (1, 2, 5):
        torch.testing.assert_close(load_balancing_loss(scores, k), load_balancing_loss_func((scores,), 5, k))


def test_the_loss_is_k_where_experts_get_as_many_tokens_and_lowers_those_that_get_many():
    even, one = torch.eye(4).repeat(3, 1) * 5, torch.tensor([[5.0, 0, 0, 0]]).repeat(12, 1)
    assert load_balancing_loss(even, 1).item() == pytest.approx(1)
    assert load_balancing_loss(one, 1) > 3
    scores = one.clone().requires_grad_()
    load_balancing_loss(scores, 1).backward()
    assert (scores.grad[:, 0] > 0).all() and (scores.grad[:, 1:] < 0).all()


@pytest.mark.parametrize("mlp", ["swiglu", "gelu-tanh"])
def test_one_expert_is_the_dense_mlp_exactly(mlp):
    dense = mg.GPT(mg.GPTConfig(**SHAPE, mlp=mlp), generator=torch.Generator().manual_seed(1)).eval()
    one = mg.GPT(mg.GPTConfig(**SHAPE, mlp=mlp, n_experts=1, n_active_experts=1)).eval()
    state = {name.replace(".mlp.", ".mlp.experts.0."): value for name, value in dense.state_dict().items()}
    missing = one.load_state_dict(state, strict=False)
    assert missing.missing_keys == [f"blocks.{layer}.mlp.router.weight" for layer in range(2)]
    ids = torch.arange(9)[None] % 7
    assert torch.equal(one(ids), dense(ids))


def test_every_token_goes_through_its_own_experts_alone():
    experts = [torch.nn.Linear(3, 3, bias=False) for _ in range(4)]
    module = MixtureOfExperts(3, experts, 2)
    x = normal(2, 5, 3)
    gates = top_k_gate(module.router(x), 2)
    expected = sum(gates[..., j, None] * experts[j](x) for j in range(4))
    torch.testing.assert_close(module(x), expected)
    module(x[:, :1]).sum().backward()
    used = gates[:, 0].gt(0).any(0)
    assert [expert.weight.grad is not None and bool(expert.weight.grad.any()) for expert in experts] == used.tolist()


def test_a_model_of_experts_counts_and_trains_and_is_looked_into():
    config = mg.GPTConfig(**SHAPE, mlp="swiglu", n_experts=3, bias=False, norm="rms")
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    assert model.n_parameters == config.n_parameters == count_parameters(config).total
    data = mg.TokenDataset(torch.arange(7).repeat(9), 8, vocab_size=7)
    plan = mg.TrainConfig(steps=25, batch_size=4, learning_rate=0.01, device="cpu", optimizer="muon")
    history = mg.train(model, data, plan, progress=False)
    assert history.rows[-1]["loss"] < history.rows[0]["loss"] - 0.5
    record = mg.look(model, torch.arange(9)[None] % 7)
    assert record["blocks.1.mlp.hook_router"].shape == (1, 9, 3)
    assert mg.GPTConfig.from_json(config.to_json()) == config


def test_the_future_does_not_change_the_past():
    model = mg.GPT(mg.GPTConfig(**SHAPE, n_experts=4), generator=torch.Generator().manual_seed(2)).eval()
    a, b = torch.zeros(1, 9, dtype=torch.long), torch.zeros(1, 9, dtype=torch.long)
    b[0, 6:] = 3
    torch.testing.assert_close(model(a)[:, :6], model(b)[:, :6])


def test_more_active_experts_than_there_are_is_refused():
    with pytest.raises(ValueError, match="n_active_experts=4 must be at most n_experts=3"):
        mg.GPTConfig(**SHAPE, n_experts=3, n_active_experts=4)
