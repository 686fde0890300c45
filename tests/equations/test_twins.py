"""Every fast twin beside its formula: results and gradients, at odd sizes, within the error that it states."""

import ast
import inspect
import sys
from dataclasses import MISSING, fields, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from twin_cases import CASES

import minigpt as mg
from minigpt import equations
from minigpt.checks import Draw
from minigpt.equations import fast_twin, twins
from minigpt.model import Pattern, relu_squared, rms_norm
from minigpt.model.norms import fast_rms_norm
from minigpt.training import OPTIMIZERS

PACKAGE = Path(mg.__file__).parent
FILES = [path for path in PACKAGE.rglob("*.py") if "kernels" not in path.relative_to(PACKAGE).parts]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
TWINS = twins.all()
# "fused" in a name means a Triton kernel, or is PyTorch's own.
FUSED = {"fused", "fused_kernels", "fused_attention", "fused_cross_entropy", "fused_rms_norm"}


REFUSED = {  # knobs that a twin's function refuses; tests of its own hold that
    "model.backends.triton_attention": {"slopes", "dropout", "padding"},
    "training.optim.muon.fast_update": {"betas", "eps"},  # AdamW's, for what is no matrix
}


def knobs(twin):
    """The options of a twin, with their defaults."""
    if twin.name.endswith("_attention"):
        found = {f.name: f.default for f in fields(Pattern) if f.default is not MISSING}
    else:
        optimizer = OPTIMIZERS.get(twin.name.split(".")[-2])
        options = inspect.signature(optimizer or twin.function).parameters.values()
        found = {p.name: p.default for p in options if p.default is not p.empty and p.name != "implementation"}
    return {name: default for name, default in found.items() if name not in REFUSED.get(twin.name, ())}


@pytest.fixture
def interpreter():
    """Triton's interpreter, corrected, where there is no GPU."""
    if find_spec("triton") is None:
        pytest.skip("the Triton twins need triton: pip install triton, on Linux")
    if not torch.cuda.is_available():
        sys.path.insert(0, str(Path(__file__).parents[1] / "kernels"))
        import triton_mends

        triton_mends.install()
    with np.errstate(all="ignore"):  # the interpreter's numpy remarks on log(0) of rows that are not stored
        yield


def hold(twin, case, dtype):
    """Fail where the twin's results or gradients are further from the formula's than it states."""
    exact = twin.error == 0
    wanted = [name for name in case.inputs if twin.gradient != "none"]
    fast = {name: x.detach().requires_grad_(name in wanted) for name, x in case.inputs.items()}
    slow = {name: (x if exact else x.double()).detach().requires_grad_(name in wanted) for name, x in fast.items()}
    results = case.twin(twin.function, fast), (case.formula or case.twin)(twin.formula, slow)
    for actual, expected in pairs(*results, fast, slow, wanted):
        assert actual.shape == expected.shape
        if exact:
            assert actual.equal(expected), f"{twin.name} differs from its formula"
        else:
            error = (actual.double() - expected).abs().max() / expected.abs().max().clamp(min=1e-300)
            bound = twin.bound(actual.dtype)
            assert error <= bound, f"{twin.name} is {error:.1e} from its formula in {dtype}; it states {bound:.1e}"


def pairs(actual, expected, fast, slow, wanted):
    """The results of both, then their gradients."""
    assert actual.keys() == expected.keys()
    for name in actual:
        yield actual[name].detach(), expected[name].detach()
    if wanted:
        (ours,), (theirs,) = actual.values(), expected.values()
        along = torch.randn(ours.shape, dtype=torch.float64).to(ours.dtype)
        ours = torch.autograd.grad(ours, [fast[name] for name in wanted], along)
        theirs = torch.autograd.grad(theirs, [slow[name] for name in wanted], along.to(theirs.dtype))
        for name, one, other in zip(wanted, ours, theirs, strict=True):
            assert one.dtype == fast[name].dtype
            yield one, other


def hold_all(twin, name=None, dtypes=None):
    """Hold a twin on the cases of its name, or of another's."""
    name = name or twin.name
    if name not in CASES:
        raise KeyError(f"the twin {name} has no cases; write some in tests/equations/twin_cases.py")
    for dtype in dtypes or twin.dtypes:
        for case in CASES[name](Draw.seeded(0, getattr(torch, dtype))):
            hold(twin, case, dtype)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_a_twin_is_its_formula_within_the_error_that_it_states(twin, request):
    if "triton" in twin.name:
        request.getfixturevalue("interpreter")
    hold_all(twin)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.name)
def test_each_knob_of_a_twin_is_off_its_default_in_a_case(twin):
    used = [case.knobs for case in CASES[twin.name](Draw.seeded(0))]
    for knob, default in knobs(twin).items():
        assert any(knob in case and case[knob] != default for case in used), f"{twin.name}: no case sets {knob}"


def untouched_within_the_norm(clip):
    gradients = [torch.randn(3, 7), torch.randn(5)]
    parameters = [torch.nn.Parameter(torch.zeros_like(g)) for g in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    clip(parameters, 100.0)
    return all(p.grad.equal(g) for p, g in zip(parameters, gradients, strict=True))


def steps_of_the_same_sign(update):
    m = torch.randn(1000)
    theta = torch.nn.Parameter(torch.zeros(1000))
    theta.grad = -9 * m * (1 + 1e-7 * torch.randn(1000))  # the sum whose sign counts is rounding alone
    group = {"betas": (0.9, 0.99), "lr": 1.0, "weight_decay": 0.0}
    with torch.no_grad():
        update(group, [theta], [{"m": m.clone()}])
        expected = torch.sign(0.9 * m + (1 - 0.9) * theta.grad)
    return theta.neg().equal(expected) and len(expected.unique()) > 1


EXACT = {
    "training.optim.clipping.fast_clip_by_norm": untouched_within_the_norm,
    "training.optim.lion.fast_update": steps_of_the_same_sign,
}


@pytest.mark.parametrize("name", EXACT)
def test_what_is_said_to_be_exact_is(name):
    (twin,) = (twin for twin in TWINS if twin.name == name)
    assert EXACT[name](twin.function)


def test_what_is_said_to_be_exact_has_a_test():
    assert {twin.name for twin in TWINS if twin.exact} == set(EXACT)


def test_each_twin_has_cases_and_each_case_a_twin():
    assert {twin.name for twin in TWINS} == set(CASES)


def test_each_function_that_is_called_fast_or_triton_is_declared():
    named = set()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith(("fast_", "triton_")):
                module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
                named.add(f"{module}.{node.name}")
    assert named - {"equations.twins.fast_twin"} - {"bench.attention.triton_runner"} <= {twin.name for twin in TWINS}


def test_only_triton_kernels_are_called_fused():
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            for name in (getattr(node, key, None) for key in ("name", "id", "attr", "arg")):
                if isinstance(name, str) and "fused" in name.lower().replace("refused", ""):
                    assert name in FUSED, f"{path.name} calls {name} fused"


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x, gain, eps=1e-6: fast_rms_norm(x, gain, eps) * (1 + 1e-5),
        lambda x, gain, eps=1e-6: fast_rms_norm(x, gain),
        lambda x, gain, eps=1e-6: fast_rms_norm(x, gain.detach(), eps) + 0 * gain.sum(),
        lambda x, gain, eps=1e-6: fast_rms_norm(x.detach(), gain, eps) + 0 * x,
        lambda x, gain, eps=1e-6: fast_rms_norm(torch.as_strided(x, x.shape, x.contiguous().stride()), gain, eps),
    ],
    ids=["scaled", "a knob ignored", "a gradient lost", "the other gradient lost", "strides ignored"],
)
def test_a_wrong_twin_is_found(wrong):
    twin = fast_rms_norm.fast_twin
    with pytest.raises(AssertionError, match=r"is .* from its formula in"):
        hold_all(replace(twin, function=wrong), twin.name)


def test_a_twin_that_says_exactly_and_is_not_is_found():
    twin = replace(fast_rms_norm.fast_twin, error=0.0)
    with pytest.raises(AssertionError, match="differs from its formula"):
        hold_all(twin)


def test_a_twin_without_cases_is_an_error():
    def fast_nothing(x):
        return x

    with pytest.raises(KeyError, match="fast_nothing has no cases"):
        hold_all(replace(fast_rms_norm.fast_twin, function=fast_nothing))


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr("minigpt.equations.twins._twins", {})


def test_a_declared_function_carries_its_twin_and_is_listed(registry):
    @fast_twin(of=relu_squared, error=0, gradient="none", when="here", faster="it is")
    def quick(x):
        return x

    assert twins.all() == twins.of(relu_squared) == (quick.fast_twin,)
    assert twins.of(rms_norm) == ()
    assert (quick.fast_twin.function, quick.fast_twin.formula) == (quick, relu_squared)
    assert repr(quick.fast_twin).endswith("quick stands for model.mlp.relu_squared exactly")


def test_the_error_of_a_dtype_is_scaled_by_the_spacing_of_its_numbers():
    twin = fast_rms_norm.fast_twin
    assert twin.bound("float32") == twin.bound(torch.float32) == twin.error
    assert twin.bound(torch.float64) == pytest.approx(twin.error * 2.0**-29)
    assert twin.bound(torch.bfloat16) == pytest.approx(twin.error * 2.0**16)


@pytest.mark.parametrize("error", [-1e-6, 1.0, float("nan")])
def test_an_error_that_is_no_relative_error_is_refused(registry, error):
    with pytest.raises(ValueError, match=r"must be at least 0 and less than 1: it is a relative error"):
        fast_twin(of=rms_norm, error=error, gradient="none", when="", faster="")(relu_squared)
    assert twins.all() == ()


def test_a_formula_is_not_its_own_twin():
    with pytest.raises(ValueError, match="declared as its own twin"):
        fast_twin(of=rms_norm, error=0, gradient="none", when="", faster="")(rms_norm)


def test_the_twins_of_the_norm_are_found_by_their_formula():
    assert [twin.name for twin in twins.of(mg.rms_norm)] == [
        "model.norms.fast_rms_norm",
        "model.norms.torch_rms_norm",
        "model.fused.triton_rms_norm",
    ]
    assert equations.get("rms-norm").function is mg.rms_norm
