"""Two hundred steps of each optimizer, beside its equation and beside torch's own."""

import numpy as np
import pytest
import torch

from minigpt import equations
from minigpt.training import OPTIMIZERS

SETTINGS = {
    "sgd": {"lr": 0.03, "weight_decay": 0.2},
    "momentum": {"lr": 0.03, "momentum": 0.8, "weight_decay": 0.2},
    "adam": {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2},
    "adamw": {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2},
    "lion": {"lr": 0.03, "betas": (0.8, 0.95), "weight_decay": 0.2},
    "muon": {"lr": 0.03, "momentum": 0.8, "weight_decay": 0.2},
}
SYMBOLS = {"lr": "eta", "momentum": "mu", "eps": "epsilon", "weight_decay": "lambda_"}
TORCHS = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
    "muon": (torch.optim.Muon, {"adjust_lr_fn": "match_rms_adamw"}),
}
CASES = [(name, how) for name in OPTIMIZERS for how in ("formula", "fast")]
STEPS, BOUND = 200, 1e-6


@pytest.fixture
def start():
    return torch.randn(3, 2, dtype=torch.float64)


@pytest.fixture
def gradients():
    """With a common part, so that the parameters go somewhere."""
    return 0.3 * torch.randn(3, 2, dtype=torch.float64) + torch.randn(STEPS, 3, 2, dtype=torch.float64)


def ended(optimizer_class, start, gradients, **settings):
    """Where an optimizer arrives."""
    theta = torch.nn.Parameter(start.clone())
    optimizer = optimizer_class([theta], **settings)
    for gradient in gradients:
        theta.grad = gradient.clone()
        optimizer.step()
    return theta.detach()


def relative_error(actual, expected):
    return float((actual - expected).abs().max() / expected.abs().max())


def by_the_equation(name, start, gradients, settings):
    """Where the equation arrives, taken literally, one update after another."""
    equation, shape = equations.get(name), (-1,) if name != "muon" else start.shape
    given = {SYMBOLS[key]: value for key, value in settings.items() if key != "betas"}
    given |= dict(zip(("beta_1", "beta_2"), settings.get("betas", ()), strict=False))
    given |= {"n": 0} if name == "momentum" else {}
    given |= {"O": literal_newton_schulz, "R": 3, "C": 2} if name == "muon" else {}
    values = {"theta_t": start.reshape(shape), "m_t": np.zeros_like(start.reshape(shape)), "v_t": np.zeros(6)}
    for t, gradient in enumerate(gradients, start=1):
        state = {**{f"{key}_minus_1": value for key, value in values.items()}, "g_t": gradient.reshape(shape), "t": t}
        values |= equation.evaluate_all(**given, **{k: v for k, v in state.items() if k in equation.inputs})
    return torch.as_tensor(values["theta_t"]).reshape(start.shape)


def literal_newton_schulz(matrix):
    a, b, c = ([value] * 5 for value in (3.4445, -4.7750, 2.0315))
    return equations.get("newton-schulz").evaluate(G=matrix, a=a, b=b, c=c, epsilon=1e-7)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_two_hundred_steps_are_those_of_the_equation(name, start, gradients):
    expected = by_the_equation(name, start, gradients, SETTINGS[name])
    for how in ("formula", "fast"):
        actual = ended(OPTIMIZERS[name], start, gradients, **SETTINGS[name], implementation=how)
        error = relative_error(actual, expected)
        print(f"{name:9} {how:8} {STEPS} steps, relative to its equation: {error:.1e}")
        assert error <= BOUND


@pytest.mark.parametrize("name", TORCHS)
def test_two_hundred_steps_are_those_of_torch(name, start, gradients, monkeypatch):
    # torch's Muon rounds its steps to bfloat16, whatever the parameters; in float64 it has to agree.
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    optimizer, options = TORCHS[name]
    options = {**options, "nesterov": name == "muon"} if "momentum" in SETTINGS[name] else options
    expected = ended(optimizer, start, gradients, **SETTINGS[name], **options)
    for how in ("formula", "fast"):
        actual = ended(OPTIMIZERS[name], start, gradients, **SETTINGS[name], implementation=how)
        error = relative_error(actual, expected)
        print(f"{name:9} {how:8} {STEPS} steps, relative to torch.optim.{optimizer.__name__}: {error:.1e}")
        assert error <= BOUND


@pytest.mark.parametrize("how", ["formula", "fast"])
def test_nesterovs_momentum_is_that_of_torch(how, start, gradients):
    settings = {**SETTINGS["momentum"], "nesterov": True}
    actual = ended(OPTIMIZERS["momentum"], start, gradients, **settings, implementation=how)
    assert relative_error(actual, ended(torch.optim.SGD, start, gradients, **settings)) <= BOUND


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_in_float32_the_fast_steps_are_the_formulas(name):
    start, gradients = torch.randn(4, 3), torch.randn(20, 4, 3)
    formula, fast = (
        ended(OPTIMIZERS[name], start, gradients, **SETTINGS[name], implementation=how) for how in ("formula", "fast")
    )
    torch.testing.assert_close(fast, formula, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_parameter_without_a_gradient_is_left_alone(name, how):
    used, unused = torch.nn.Parameter(torch.eye(2) + 1), torch.nn.Parameter(torch.eye(2) + 1)
    optimizer = OPTIMIZERS[name]([used, unused], implementation=how)
    used.grad = torch.eye(2)
    optimizer.step()
    assert unused.equal(torch.eye(2) + 1) and not used.equal(unused)


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_sparse_gradient_is_one_error_and_nothing_moves(name, how):
    layer = torch.nn.Embedding(5, 2, sparse=True)
    before = layer.weight.detach().clone()
    optimizer = OPTIMIZERS[name](layer.parameters(), lr=0.1, implementation=how)
    layer(torch.tensor([1, 3])).sum().backward()
    with pytest.raises(
        ValueError,
        match=r"^the gradient of a parameter \(5, 2\) is sparse_coo, expected a dense one; build the layer with "
        r"sparse=False, or set parameter\.grad = parameter\.grad\.to_dense\(\)$",
    ):
        optimizer.step()
    assert layer.weight.equal(before)


@pytest.mark.parametrize(("name", "how"), CASES)
def test_the_gradients_are_left_as_they_were(name, how):
    theta = torch.nn.Parameter(torch.ones(2, 3))
    theta.grad = torch.full((2, 3), 0.5)
    OPTIMIZERS[name]([theta], implementation=how).step()
    assert theta.grad.eq(0.5).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_a_parameter_is_there_before_its_first_update(name):
    thetas = [torch.nn.Parameter(torch.ones(2, 3)) for _ in range(2)]
    optimizer = OPTIMIZERS[name](thetas)
    before = {key: tuple(value.shape) for key, value in optimizer.state_of(thetas[1]).items()}
    thetas[0].grad = torch.ones(2, 3)
    optimizer.step()
    assert before == {key: tuple(value.shape) for key, value in optimizer.state_of(thetas[0]).items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_unknown_implementation_is_refused(name):
    with pytest.raises(ValueError, match="implementation='foreach' is unknown; choose one of formula, fast"):
        OPTIMIZERS[name]([torch.nn.Parameter(torch.zeros(1, 1))], implementation="foreach")


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        *((name, {"lr": -1.0}, "lr=-1.0.*expected betas and momentum in") for name in OPTIMIZERS),
        *((name, {"weight_decay": float("nan")}, "weight_decay=nan") for name in OPTIMIZERS),
        *(
            (name, {"betas": (0.9, 1.0)}, r"betas=\(0.9, 1.0\).*in \[0, 1\)")
            for name in ("adam", "adamw", "lion", "muon")
        ),
        *((name, {"eps": -1e-8}, "eps=-1e-08") for name in ("adam", "adamw", "muon")),
        *((name, {"momentum": 1.0}, r"momentum=1.0.*in \[0, 1\)") for name in ("momentum", "muon")),
    ],
)
def test_a_wrong_setting_is_refused(name, wrong, message):
    with pytest.raises(ValueError, match=message):
        OPTIMIZERS[name]([torch.nn.Parameter(torch.zeros(1, 1))], **wrong)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_returns_the_loss_of_its_closure(name):
    theta = torch.nn.Parameter(torch.ones(2, 2))

    def closure():
        loss = theta.square().sum()
        loss.backward()
        return loss.item()

    assert OPTIMIZERS[name]([theta]).step(closure) == 4.0
    assert not theta.equal(torch.ones(2, 2))


@pytest.mark.parametrize(("name", "how"), CASES)
def test_a_graph_from_before_an_update_has_no_gradient_any_more(name, how):
    theta = torch.nn.Parameter(torch.randn(3, 2))
    optimizer = OPTIMIZERS[name]([theta], lr=0.1, implementation=how)
    first, second = theta.square().sum(), theta.square().sum()
    first.backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        second.backward()
