import pytest
import torch

from minigpt.model import next_token_loss
from minigpt.training import LossModule
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.safety.non_finite import first_non_finite

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def model(make_model):
    return make_model(n_layers=3, dropout=0.1).train()


def report(model, data, loss=next_token_loss):
    inputs, targets = data.batch(0, 4)
    return first_non_finite(model, lambda: loss(model(inputs), targets).backward())


@pytest.mark.parametrize("name", ["blocks.1.attention.project_out", "blocks.2.mlp", "norm", "token_embedding"])
def test_the_module_that_put_out_the_first_nan_is_named(model, data, name):
    model.get_submodule(name).register_forward_hook(lambda module, inputs, output: output * NAN)
    assert report(model, data) == f"in the forward pass: the output of {name}"


def test_what_goes_wrong_between_modules_is_told_by_what_enters_the_next(model, data):
    attention = model.blocks[1].attention
    attend = attention.attend
    attention.attend = lambda *arguments: attend(*arguments) / 0
    assert report(model, data) == "in the forward pass: what enters blocks.1.attention.project_out"


class Overflowing(torch.autograd.Function):
    """The identity, whose gradient is infinite."""

    @staticmethod
    def forward(context, x):
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * INF


@pytest.mark.parametrize("name", ["blocks.1.norm_2", "norm"])
def test_the_module_that_passed_back_the_first_infinity_is_named(model, data, name):
    module = model.get_submodule(name)
    forward = module.forward
    module.forward = lambda x: forward(Overflowing.apply(x))
    assert report(model, data) == f"in the backward pass: what {name} passes back"


def test_a_loss_that_goes_wrong_shows_in_the_gradient_of_the_logits(model, data):
    words = report(model, data, lambda logits, targets: next_token_loss(Overflowing.apply(logits), targets))
    assert words == "in the backward pass: the gradient of the output of the model"


def of_the_loss(model, data, name="logits"):
    inputs, targets = data.batch(0, 4)
    loss = LossModule(model, name)
    return first_non_finite(loss, lambda: loss(inputs, targets).backward())


@pytest.mark.parametrize("name", ["logits", "chunked"])
def test_from_its_loss_a_model_is_watched_under_the_same_names(model, data, name):
    assert of_the_loss(model, data, name).startswith("nowhere")
    hook = model.blocks[1].register_forward_hook(lambda module, inputs, output: output * NAN)
    assert of_the_loss(model, data, name) == "in the forward pass: the output of blocks.1"
    hook.remove()
    with torch.no_grad():
        model.norm.gain[0] = NAN
    assert of_the_loss(model, data, name) == "the weights before the step: norm.gain"


def test_a_loss_that_is_not_finite_is_named(model, data, monkeypatch):
    monkeypatch.setattr("minigpt.training.losses.next_token_loss", lambda logits, *_, **__: logits.sum() * INF)
    assert of_the_loss(model, data) == "in the forward pass: the output of the loss"
    model.register_forward_hook(lambda module, inputs, output: output * NAN)
    assert of_the_loss(model, data) == "in the forward pass: the output of the model"


def test_a_weight_that_is_broken_before_the_step_is_named(model, data):
    with torch.no_grad():
        model.blocks[0].mlp.expand.weight[0, 0] = NAN
    assert report(model, data) == "the weights before the step: blocks.0.mlp.expand.weight"


def test_a_batch_that_is_finite_again_is_said_to_be_so(model, data):
    assert report(model, data).startswith("nowhere when the batch was computed again")


def test_nothing_is_left_on_the_model_and_recomputed_blocks_are_seen_into(model, data):
    hook = model.blocks[1].mlp.register_forward_hook(lambda module, inputs, output: output * NAN)
    with run_blocks(model, recomputed=True):
        assert report(model, data) == "in the forward pass: the output of blocks.1.mlp"
    hook.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert not any(parameter._backward_hooks for parameter in model.parameters())
