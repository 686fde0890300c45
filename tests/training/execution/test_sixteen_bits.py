import shutil
from copy import deepcopy
from threading import Lock

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.model import LayerNorm, RMSNorm, next_token_loss
from minigpt.model.convolution import ShortConvolution
from minigpt.training import RunState, TrainConfig, accumulate_gradients, load_checkpoint
from minigpt.training.execution.sixteen_bits import SixteenBitLoss
from minigpt.training.losses import LossModule

ODD = {"n_layers": 2, "tied_head": False, "position": "rope-half", "norm": "rms", "qk_norm": True, "mlp": "relu2"}


def gradients(model, loss, data, micro_batch=6):
    model.zero_grad()
    value = accumulate_gradients(loss, *data.batch(0, 6), micro_batch)
    return value, {name: p.grad.clone() for name, p in model.named_parameters()}


def by_hand(model, data):
    """The same with weights that are rounded in place: the blocks, the final norm and the head."""
    copy = mg.GPT(model.config)
    copy.load_state_dict(model.state_dict())
    head = nn.Linear(copy.config.d_model, copy.config.vocab_size, bias=False)
    head.weight = nn.Parameter(copy.head.weight.detach().clone())
    for part in (copy.blocks, copy.norm, head):
        part.bfloat16()
    inputs, targets = data.batch(0, 6)
    context = copy.position.context(inputs.shape[1], inputs.device)
    x = copy.position.add_to(copy.token_embedding(inputs), context).bfloat16()
    for block in copy.blocks:
        x = block(x, context)
    loss = next_token_loss(head(copy.norm(x)), targets)
    loss.backward()
    found = {name: p.grad.float() for name, p in copy.named_parameters() if p.grad is not None}
    if model.has_tied_head:
        found["token_embedding.weight"] = found["token_embedding.weight"] + head.weight.grad.float()
    else:
        found["head.weight"] = head.weight.grad.float()
    return loss.item(), found


@pytest.mark.parametrize("parts", [{}, ODD, {"position": "sinusoidal", "norm_placement": "post", "bias": False}])
def test_loss_and_gradient_are_those_of_weights_rounded_by_hand(make_model, data, parts):
    model = make_model(**parts)
    loss, found = gradients(model, SixteenBitLoss(LossModule(model)), data)
    expected_loss, expected = by_hand(model, data)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        assert gradient.dtype == torch.float32
        torch.testing.assert_close(gradient, expected[name], rtol=2e-2, atol=2e-4, msg=lambda m, n=name: f"{n}: {m}")


def test_the_gradient_of_micro_batches_is_summed_in_float32(make_model, data):
    model = make_model(**ODD)
    loss, (inputs, targets) = SixteenBitLoss(LossModule(model)), data.batch(0, 6)
    _, found = gradients(model, loss, data, micro_batch=1)
    exact = {name: torch.zeros_like(p, dtype=torch.float64) for name, p in model.named_parameters()}
    for row in range(6):
        model.zero_grad()
        (loss(inputs[row : row + 1], targets[row : row + 1]) / targets.numel()).backward()
        for name, p in model.named_parameters():
            exact[name] += p.grad
    for name, gradient in found.items():
        torch.testing.assert_close(gradient.double(), exact[name], rtol=1e-6, atol=1e-9)  # in bfloat16: 4e-3


def test_the_copy_follows_the_weights_and_keeps_no_gradient(make_model, data):
    model = make_model()
    loss = SixteenBitLoss(LossModule(model))
    before, _ = gradients(model, loss, data)
    with torch.no_grad():
        model.blocks[0].mlp.expand.weight.mul_(3)
    after, _ = gradients(model, loss, data)
    assert abs(after - before) > 1e-4
    assert all(copy.grad is None and copy.dtype == torch.bfloat16 for copy in loss.copies)
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_frozen_weights_get_no_gradient(make_model, data):
    model = make_model()
    model.blocks[0].attention.requires_grad_(False)
    accumulate_gradients(SixteenBitLoss(LossModule(model)), *data.batch(0, 6), 6)
    assert {name for name, p in model.named_parameters() if p.grad is None} == {
        f"blocks.0.attention.{name}" for name, _ in model.blocks[0].attention.named_parameters()
    }


def test_a_run_is_resumed_exactly_and_its_checkpoints_are_float32(make_model, data, tmp_path):
    settings = {"steps": 6, "batch_size": 4, "learning_rate": 0.01, "device": "cpu", "precision": "bf16-weights"}
    config, parts = TrainConfig(checkpoint_every=3, **settings), {**ODD, "dropout": 0.2}
    expected = mg.train(make_model(**parts), data, config, progress=False)
    mg.train(make_model(**parts), data, config, out=tmp_path, progress=False)
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000006")
    resumed = mg.train(make_model(**parts), data, config, out=tmp_path, resume=True, progress=False)
    assert [row["loss"] for row in resumed.rows] == [row["loss"] for row in expected.rows]
    assert {tensor.dtype for tensor in load_checkpoint(tmp_path / "checkpoints").model.values()} == {torch.float32}


def test_what_is_not_a_gpt_is_refused(data):
    class Bigram(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(40, 40)

        def forward(self, ids):
            return self.table(ids)

    with pytest.raises(ValueError, match=r"'bf16-weights' is for a GPT in one process, got a Bigram; use .*'bf16'"):
        RunState(Bigram(), TrainConfig(device="cpu", precision="bf16-weights"), data)


def test_the_balance_of_experts_is_recorded(make_model, data):
    model = make_model(n_experts=3, n_active_experts=1)
    loss = LossModule(model, balance=0.01)
    SixteenBitLoss(loss)(*data.batch(0, 4)).backward()
    assert loss.balance_now is not None and 1 / 2 < loss.balance_now.item() < 3


@pytest.mark.parametrize("part", [LayerNorm(64), RMSNorm(64), ShortConvolution(3, 64), nn.Linear(64, 64)], ids=repr)
def test_what_is_summed_over_many_positions_is_summed_in_float32(part):
    """In bfloat16 such a sum stops growing once it is 256 times as large as what is added to it."""
    x, h = torch.randn(8, 512, 64), 1 + torch.randn(8, 512, 64)

    def found(dtype):
        copy = deepcopy(part).to(dtype)
        copy(x.bfloat16().to(dtype)).backward(h.bfloat16().to(dtype))
        return {name: p.grad.double() for name, p in copy.named_parameters()}

    exact, narrow = found(torch.float64), found(torch.bfloat16)
    for name, gradient in exact.items():
        off = (narrow[name] - gradient).abs().max() / gradient.abs().max()
        assert off < 0.004, f"{name} is off by {off:.1%}"


def test_weights_that_blocks_share_get_the_gradient_of_all_of_them(make_model, data):
    model = make_model(n_layers=2)
    model.blocks[1] = model.blocks[0]
    exact = gradients(model, LossModule(model), data)[1]
    _, found = gradients(model, SixteenBitLoss(LossModule(model)), data)
    assert found.keys() == exact.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, exact[name], rtol=0.1, atol=2e-3, msg=lambda m, n=name: f"{n}: {m}")


def with_buffer(model):
    model.blocks[0].mlp = nn.Sequential(model.blocks[0].mlp, nn.GroupNorm(1, 1))
    model.blocks[0].mlp.register_buffer("n_tokens", torch.zeros(()))


HINDRANCES = {
    "hooks on blocks.0.mlp.expand.weight": lambda model: model.blocks[0].mlp.expand.weight.register_hook(lambda g: g),
    "hooks, or a forward of its own, on blocks.1": lambda model: model.blocks[1].register_forward_hook(lambda *_: None),
    "the buffer blocks.0.mlp.n_tokens": with_buffer,
    "a part that can't be copied": lambda model: setattr(model.blocks[0], "lock", Lock()),
}


@pytest.mark.parametrize("hindrance", HINDRANCES)
def test_what_a_copy_would_not_share_is_refused_and_auto_makes_none(make_model, data, hindrance, monkeypatch):
    model = make_model(n_layers=2)
    HINDRANCES[hindrance](model)
    with pytest.raises(ValueError, match=f"in one process, got {hindrance}.*; use precision='bf16'"):
        RunState(model, TrainConfig(device="cpu", precision="bf16-weights"), data)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    run = RunState(model, TrainConfig(device="cpu", precision="auto"), data)
    assert run.precision.name == "bf16" and run.wrapper is run.loss
