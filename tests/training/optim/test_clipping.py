import pytest
import torch

from minigpt.training import clip_by_norm
from minigpt.training.optim import fast_clip_by_norm


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
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
