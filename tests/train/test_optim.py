import math

import pytest
import torch

from minigpt.train import AdamW, clip_by_norm, decay_groups
from minigpt.train.optim import fused_clip_by_norm

SETTINGS = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.2}


def literal_adamw(theta, gradients, lr, betas, eps, weight_decay):
    """One number, one step after another, in Python floats."""
    m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        theta = theta - lr * (m_hat / (math.sqrt(v_hat) + eps) + weight_decay * theta)
    return theta


def run(make_optimizer, start, gradients):
    theta = torch.nn.Parameter(start.clone())
    optimizer = make_optimizer([theta])
    for gradient in gradients:
        theta.grad = gradient.clone()
        optimizer.step()
    return theta.detach()


@pytest.mark.parametrize("implementation", ["formula", "fused"])
def test_two_hundred_steps_are_the_equation(implementation):
    start, gradients = torch.randn(5, dtype=torch.float64), torch.randn(200, 5, dtype=torch.float64)
    end = run(lambda p: AdamW(p, implementation=implementation, **SETTINGS), start, gradients)
    for i in range(5):
        expected = literal_adamw(start[i].item(), gradients[:, i].tolist(), **SETTINGS)
        assert end[i].item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("implementation", ["formula", "fused"])
def test_two_hundred_steps_are_torchs_adamw(implementation):
    start, gradients = torch.randn(3, 4), torch.randn(200, 3, 4)
    ours = run(lambda p: AdamW(p, implementation=implementation, **SETTINGS), start, gradients)
    theirs = run(lambda p: torch.optim.AdamW(p, **SETTINGS), start, gradients)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_parameter_without_a_gradient_is_left_alone():
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = AdamW([used, unused])
    used.grad = torch.ones(2)
    optimizer.step()
    assert unused.eq(1).all() and not used.eq(1).any()


def test_matrices_decay_and_vectors_do_not(make_model):
    model = make_model()
    decaying, staying = decay_groups(model, 0.1)
    assert (decaying["weight_decay"], staying["weight_decay"]) == (0.1, 0.0)
    assert all(p.dim() == 2 for p in decaying["params"]) and all(p.dim() == 1 for p in staying["params"])
    assert len(decaying["params"]) + len(staying["params"]) == len(list(model.parameters()))


@pytest.mark.parametrize("clip", [clip_by_norm, fused_clip_by_norm])
@pytest.mark.parametrize("max_norm", [0.5, 5.0, 50.0])
def test_clipping_scales_all_gradients_by_the_formula(clip, max_norm):
    parameters = [torch.nn.Parameter(torch.zeros(n, dtype=torch.float64)) for n in (2, 3, 1)]
    for parameter, gradient in zip(parameters, ([3.0, 0.0], [0.0, 4.0, 0.0], [12.0]), strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    parameters.append(torch.nn.Parameter(torch.zeros(2)))
    assert clip(parameters, max_norm).item() == pytest.approx(13)
    factor = min(1, max_norm / (13 + 1e-6))
    assert [parameters[0].grad[0].item(), parameters[1].grad[1].item(), parameters[2].grad[0].item()] == pytest.approx(
        [3 * factor, 4 * factor, 12 * factor], rel=1e-12
    )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"implementation": "foreach"}, "implementation='foreach' is unknown; choose one of formula, fused"),
        ({"lr": -1.0}, "lr=-1.0"),
        ({"betas": (0.9, 1.0)}, r"betas=\(0.9, 1.0\).*expected betas in \[0, 1\)"),
    ],
)
def test_a_wrong_setting_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        AdamW([torch.nn.Parameter(torch.zeros(1))], **wrong)
