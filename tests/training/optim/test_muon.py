import math

import pytest
import torch

from minigpt.training import AdamW, Muon, decay_groups, newton_schulz
from minigpt.training.optim.orthogonal import _start, fast_newton_schulz


def test_singular_values_end_near_1_and_the_directions_stay():
    g = torch.randn(8, 5, dtype=torch.float64)
    u, s, v = torch.linalg.svd(g, full_matrices=False)
    assert s.max() / s.min() > 3
    o = newton_schulz(g)
    assert torch.linalg.svdvals(o).sub(1).abs().max() < 0.35
    rotated = u.mT @ o @ v.mT
    torch.testing.assert_close(rotated, torch.diag(rotated.diagonal()), rtol=0, atol=1e-12)


def test_the_scale_of_the_matrix_does_not_matter_and_nothing_stays_nothing():
    g = torch.randn(3, 4, dtype=torch.float64)
    torch.testing.assert_close(newton_schulz(1e6 * g), newton_schulz(g))
    assert newton_schulz(torch.zeros(3, 4)).eq(0).all()


EXTREMES = [1e-45, 1e-38, 1e-30, 1e-20, 1e-7, 1e15, 1e19, 1e30, 1e37]


@pytest.mark.parametrize("size", EXTREMES)
@pytest.mark.parametrize("function", [newton_schulz, fast_newton_schulz])
@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.bfloat16, 0.2)])
def test_numbers_of_any_size_give_what_the_definition_gives_in_float64(function, dtype, error, size):
    g = (size * torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))).to(dtype)
    exact = g.double()  # whose squares neither overflow nor vanish
    x = exact / torch.linalg.matrix_norm(exact, keepdim=True).clamp(min=1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    assert (function(g).double() - x).abs().max() <= error


@pytest.mark.parametrize(("dtype", "largest"), [(torch.float16, 65504.0), (torch.float32, 3.4e38)])
def test_a_norm_beyond_the_largest_number_of_its_type_is_no_hindrance(dtype, largest):
    g = torch.full((4, 4), largest, dtype=dtype).triu()
    torch.testing.assert_close(newton_schulz(g), newton_schulz((g.double() / largest).to(dtype)), rtol=0, atol=0.02)


def test_usual_numbers_keep_every_bit_that_dividing_by_the_norm_gives():
    for power in range(-20, 18):
        g = 10.0**power * torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(power + 20))
        divided = g / torch.linalg.matrix_norm(g, keepdim=True).clamp(min=1e-7)
        assert torch.equal(_start(g)[0], divided)


def test_what_is_not_finite_stays_so():
    for number in (math.nan, math.inf):
        assert not newton_schulz(torch.tensor([[number, 1.0]])).isfinite().all()


def test_many_matrices_at_once_are_each_by_itself():
    g = torch.randn(4, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(newton_schulz(g), torch.stack([newton_schulz(one) for one in g]))


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 2, 5), (2, 6, 3)])
def test_with_each_sum_taken_up_by_the_product_before_it_is_the_same(shape):
    g = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(fast_newton_schulz(g), newton_schulz(g))


def test_matrices_go_through_muon_and_the_rest_through_adamw(make_model):
    models = {name: make_model() for name in ("muon", "adamw")}
    for model in models.values():
        for parameter in model.parameters():
            parameter.grad = parameter.detach() + 0.1
    Muon(decay_groups(models["muon"], 0.1), lr=0.01).step()
    AdamW(decay_groups(models["adamw"], 0.1), lr=0.01).step()
    others = dict(models["adamw"].named_parameters())
    equal = {name: parameter.equal(others[name]) for name, parameter in models["muon"].named_parameters()}
    matrices = {name for name in equal if name.startswith("blocks") and others[name].dim() == 2}
    assert {name for name, same in equal.items() if not same} == matrices


def test_a_step_is_as_long_as_adamws_usual_one():
    theta = torch.nn.Parameter(torch.zeros(64, 16))
    theta.grad = torch.randn(64, 16)
    Muon([theta], lr=1.0).step()
    assert theta.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.15)


@pytest.mark.parametrize("shapes", [[(4, 3), (4, 3), (3, 4)], [(2, 2)]])
def test_matrices_of_several_shapes_are_each_updated_by_the_formula(shapes):
    starts = [torch.randn(shape, dtype=torch.float64) for shape in shapes]
    ends = []
    for how in ("formula", "fast"):
        thetas = [torch.nn.Parameter(start.clone()) for start in starts]
        for theta in thetas:
            theta.grad = theta.detach().cos()
        Muon(thetas, lr=0.1, implementation=how).step()
        ends.append(thetas)
    for formula, fast in zip(*ends, strict=True):
        torch.testing.assert_close(fast, formula)


def test_in_bfloat16_it_takes_the_steps_of_torchs_muon():
    theta, twin = (torch.nn.Parameter(torch.linspace(-1, 1, 48).reshape(6, 8).clone()) for _ in range(2))
    ours = Muon([theta], lr=0.01, precision=torch.bfloat16)
    theirs = torch.optim.Muon([twin], lr=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for _ in range(20):
        gradient = torch.randn(6, 8)
        for parameter, optimizer in ((theta, ours), (twin, theirs)):
            parameter.grad = gradient.clone()
            optimizer.step()
    longest = 20 * 0.01 * 0.2 * math.sqrt(8)
    assert (theta - twin).abs().max() < 0.02 * longest


def test_what_is_no_matrix_is_refused_with_the_mend():
    with pytest.raises(
        ValueError, match=r'Muon is for matrices, got .*\(3,\); give it in a group with "role": "vector" or "embedding"'
    ):
        Muon([torch.nn.Parameter(torch.zeros(3))])


@pytest.mark.parametrize("implementation", ["formula", "fast"])
def test_queries_keys_and_values_side_by_side_take_the_steps_of_three_matrices(implementation):
    start, gradient = torch.randn(14, 6, dtype=torch.float64), torch.randn(14, 6, dtype=torch.float64)
    gradient[:10] *= 1e-3  # made orthogonal as one, these rows would hardly move
    whole = torch.nn.Parameter(start.clone())
    whole.grad = gradient
    Muon([{"params": [whole], "role": "qkv"}], lr=0.1, implementation=implementation).step()
    parts = [torch.nn.Parameter(part.clone()) for part in start.split([6, 4, 4])]
    for part, its_gradient in zip(parts, gradient.split([6, 4, 4]), strict=True):
        part.grad = its_gradient.clone()
    Muon(parts, lr=0.1, implementation="formula").step()
    torch.testing.assert_close(whole, torch.cat(parts))
