"""The devices here compute rightly, so wrong ones are simulated: functions that return wrong numbers in float32."""

import pytest
import torch
from torch.nn import functional as F

from minigpt.model import chunked_loss
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.execution.precision import Precision, resolve_precision
from minigpt.training.processes import self_check
from minigpt.training.processes.device import choose_device
from minigpt.training.processes.self_check import TOLERANCES, fault_of, is_trusted

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _anew():
    """What an earlier test found out about a device is forgotten."""
    fault_of.cache_clear()
    is_trusted.cache_clear()
    yield
    fault_of.cache_clear()
    is_trusted.cache_clear()


class WrongGradient(torch.autograd.Function):
    """The identity, with half of its gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return g / 2


@pytest.fixture
def broken(monkeypatch):
    """Let one function return wrong numbers, except in float64, which is the reference's."""

    def breaks(owner, name, fault):
        right = getattr(owner, name)

        def wrong(*arguments, **options):
            y = right(*arguments, **options)
            return y if y.dtype == torch.float64 else fault(y)

        monkeypatch.setattr(owner, name, wrong)

    return breaks


def late_rows_zero(y):
    """What others met on MPS: all is well up to some size."""
    return torch.cat([y[:, :-1], torch.zeros_like(y[:, -1:])], 1)


FAULTS = {
    "attention": (F, "scaled_dot_product_attention", late_rows_zero),
    "LayerNorm": (F, "layer_norm", lambda y: y * 1.01),
    "RMSNorm": (torch.linalg, "vector_norm", lambda y: y * 1.01),
    "activation": (F, "gelu", late_rows_zero),
    "loss": (F, "cross_entropy", lambda y: y * 1.01),
    "chunked loss": (chunked_loss, "_gradient_in_place", lambda y: y * 1.01),
    "linear maps": (F, "linear", lambda y: torch.where(y > 3, 0, y)),
    "embedding": (F, "embedding", late_rows_zero),
    "NaN": (F, "layer_norm", lambda y: y * float("nan")),
    "backward": (F, "scaled_dot_product_attention", WrongGradient.apply),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_a_device_that_computes_rightly_has_no_fault_and_is_far_from_the_tolerance(dtype, monkeypatch):
    monkeypatch.setitem(TOLERANCES, dtype, TOLERANCES[dtype] / 2)
    assert fault_of(CPU, dtype) is None and is_trusted(CPU, dtype)


@pytest.mark.parametrize("name", FAULTS)
def test_a_part_that_returns_wrong_numbers_is_found(broken, name):
    broken(*FAULTS[name])
    assert " is off by " in fault_of(CPU, torch.float32)


def test_a_device_that_lacks_an_operation_is_at_fault(monkeypatch):
    right = F.layer_norm

    def lacking(x, *arguments, **options):
        if x.dtype == torch.float64:
            return right(x, *arguments, **options)
        raise NotImplementedError("not implemented for MPS\nmore")

    monkeypatch.setattr(F, "layer_norm", lacking)
    assert fault_of(CPU, torch.float32) == "not implemented for MPS"


def test_it_is_checked_once_and_said_once(broken, monkeypatch):
    broken(*FAULTS["attention"])
    with pytest.warns(UserWarning, match=r"^cpu computes wrong numbers in float32 and is not used for it: .* off by"):
        assert not is_trusted(CPU)
    monkeypatch.setattr(self_check, "_figures", None)
    assert not is_trusted(CPU)


@pytest.mark.parametrize("trusted", [True, False])
def test_auto_takes_mps_only_where_it_computes_what_the_cpu_does(monkeypatch, trusted):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    figures = self_check._figures

    def on_mps(model, device, dtype, chunked):
        found = figures(model, CPU, dtype, chunked)
        return found if trusted or device == CPU else {name: 1.1 * y for name, y in found.items()}

    monkeypatch.setattr(self_check, "_figures", on_mps)
    if trusted:
        assert choose_device("auto").type == "mps"
        return
    with pytest.warns(UserWarning, match="mps computes wrong numbers in float32 and is not used for it: the logits"):
        assert choose_device("auto") == CPU


def test_16_bits_that_are_wrong_are_refused_and_auto_goes_without(broken, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert resolve_precision("auto", CPU) == "bf16"
    _anew_now()
    broken(F, "layer_norm", lambda y: y * 1.5)
    with pytest.raises(ValueError, match=r"precision='bf16' gives wrong numbers on cpu \(.* is off by .*\); try fp32"):
        Precision("bf16", CPU)
    with pytest.warns(UserWarning, match="cpu computes wrong numbers in bfloat16"):
        assert resolve_precision("auto", CPU) == "fp32"


def _anew_now():
    fault_of.cache_clear()
    is_trusted.cache_clear()


COMPILERS = {
    "right": (lambda forward: forward, None),
    "wrong": (lambda forward: lambda *given: forward(*given) * 1.01, "its output is off by"),
    "wrong gradient": (
        lambda forward: lambda *given: WrongGradient.apply(forward(*given)),
        "the gradient of .* is off",
    ),
}


@pytest.mark.parametrize("name", COMPILERS)
@pytest.mark.parametrize("recomputed", [False, True])
def test_a_compiled_block_that_computes_something_else_is_not_used(make_model, data, monkeypatch, name, recomputed):
    compiler, fault = COMPILERS[name]
    monkeypatch.setattr(torch, "compile", compiler)
    model, ids = make_model().train(), data.batch(0, 2)[0]
    expected = torch.autograd.grad(model(ids).square().sum(), list(model.parameters()))
    with run_blocks(model, compiled=True, recomputed=recomputed):
        if fault is None:
            found = model(ids)
        else:
            with pytest.warns(UserWarning, match=f"the compiled block computes wrong numbers and is not used: {fault}"):
                found = model(ids)
        found = torch.autograd.grad(found.square().sum(), list(model.parameters()))
    assert all(map(torch.equal, found, expected))


def test_with_dropout_a_compiled_block_is_taken_as_it_is(make_model, data, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda forward: lambda *given: forward(*given) * 2)
    model = make_model(dropout=0.5).train()
    with run_blocks(model, compiled=True):
        model(data.batch(0, 2)[0])  # a warning would fail the test


def test_the_check_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()
    fault_of.__wrapped__(torch.device("cpu"), torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)
