import math

import pytest
import torch

from minigpt.training import clip_by_norm
from minigpt.training.optim import clipping, fast_clip_by_norm


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


def with_gradients(*gradients):
    parameters = [torch.nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient.clone()
    return parameters


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
@pytest.mark.parametrize(
    ("dtype", "size"),
    [(torch.float32, 1e18), (torch.float32, 3e19), (torch.float32, 1e36), (torch.bfloat16, 1e30), (torch.float16, 900)],
)
def test_gradients_whose_squares_are_too_large_have_the_norm_of_float64(clip, dtype, size):
    generator = torch.Generator().manual_seed(0)
    shapes = (40, 31), (7,), (0, 3), ()
    gradients = [(size * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype) for shape in shapes]
    exact = torch.cat([gradient.double().flatten() for gradient in gradients]).norm()
    assert torch.stack([gradient.square().sum() for gradient in gradients]).sum().isinf()
    parameters = with_gradients(*gradients)
    norm, bound = clip(parameters, 50.0), 4 * torch.finfo(dtype).eps
    assert norm.dtype == dtype and norm.item() == pytest.approx(exact.item(), rel=bound)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        expected = gradient.double() * (50 / exact)
        torch.testing.assert_close(parameter.grad.double(), expected, rtol=bound, atol=1e-3 * bound)


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
@pytest.mark.parametrize("odd", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("size", [1.0, 1e20])
def test_a_gradient_that_is_not_finite_still_gives_a_norm_that_is_not(clip, odd, size):
    for gradients in ([odd, size], [size, odd]), ([size, size], [odd, odd]):
        norm = clip(with_gradients(*map(torch.tensor, gradients)), 1.0)
        assert not norm.isfinite()
        assert norm.isnan() == math.isnan(odd)


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
def test_a_norm_that_no_number_of_the_type_is_as_large_as_is_infinite(clip):
    parameters = with_gradients(torch.full((100,), 3e38))
    assert clip(parameters, 1.0).item() == math.inf
    assert not parameters[0].grad.any()


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
def test_a_norm_whose_squares_fit_is_found_without_a_search_for_the_largest(clip, monkeypatch):
    monkeypatch.setattr(clipping, "scaled_norm", None)
    for size in (1e-30, 1.0, 1e18):
        clip(with_gradients(torch.full((7,), size)), 1.0)


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
def test_a_sparse_gradient_is_one_error(clip):
    dense, sparse = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(9, 4))
    dense.grad, sparse.grad = torch.ones(3), torch.eye(9, 4).to_sparse()
    with pytest.raises(ValueError, match=r"of a parameter \(9, 4\) is sparse_coo, expected a dense one; build"):
        clip([dense, sparse], 1.0)
    assert dense.grad.equal(torch.ones(3))
    sparse.grad = sparse.grad.to_dense()
    assert clip([dense, sparse], 1.0).item() == pytest.approx(7**0.5)


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
@pytest.mark.parametrize("size", [2.0, 200.0])
def test_more_numbers_than_float16_can_count_have_the_norm_of_float64(clip, size):
    gradient = torch.full((70_000,), size, dtype=torch.float16)
    parameters, exact = with_gradients(gradient), gradient.double().norm().item()
    norm = clip(parameters, 50.0)
    assert norm.dtype == torch.float16 and norm.item() == pytest.approx(exact, rel=2e-3)
    torch.testing.assert_close(parameters[0].grad.double(), gradient.double() * (50 / exact), rtol=4e-3, atol=0)


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
def test_without_gradients_the_norm_is_zero(clip):
    assert clip([], 1.0).item() == clip([torch.nn.Parameter(torch.ones(3))], 1.0).item() == 0


@pytest.mark.parametrize("clip", [clip_by_norm, fast_clip_by_norm])
def test_one_tensor_in_place_of_a_list_is_refused(clip):
    weight = torch.ones(3, 5, requires_grad=True)
    weight.sum().backward()
    with pytest.raises(ValueError, match=r"got one tensor \(3, 5\).*put it into a list"):
        clip(weight, 0.1)
    assert weight.grad.eq(1).all()
