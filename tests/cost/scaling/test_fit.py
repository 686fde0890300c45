"""minigpt/cost/scaling/fit.py: planted constants are found, and a run is predicted. ``scaling_runs.py`` trained it."""

import numpy as np
import pytest
import scaling_runs

from minigpt.cost.scaling import CHINCHILLA, ScalingLaw, ScalingPoint, fit_scaling_law
from minigpt.cost.scaling.fit import LAW_NAMES

TINY = ScalingLaw(E=0.4, A=20.0, alpha=0.5, B=3e3, beta=0.6)


def planted(law, sizes, tokens, noise, seed=0):
    rng = np.random.default_rng(seed)
    return [
        ScalingPoint(parameters=n, tokens=d, loss=law.loss(n, d) * float(np.exp(noise * rng.standard_normal())))
        for n in sizes
        for d in tokens
    ]


GRIDS = [(CHINCHILLA, np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 6)),
         (TINY, np.geomspace(1e3, 1e5, 7), np.geomspace(1e5, 4e6, 6))]  # fmt: skip


@pytest.mark.parametrize(("law", "sizes", "tokens"), GRIDS)
def test_planted_constants_are_found_exactly_without_noise(law, sizes, tokens):
    found = fit_scaling_law(planted(law, sizes, tokens, 0.0))
    assert [getattr(found, name) for name in LAW_NAMES] == pytest.approx(
        [getattr(law, name) for name in LAW_NAMES], rel=1e-5
    )
    assert found.residual < 1e-8 and found.errors == {}


@pytest.mark.parametrize(("law", "sizes", "tokens"), GRIDS)
def test_planted_constants_are_within_the_error_bars_with_noise_and_an_outlier(law, sizes, tokens):
    points = planted(law, sizes, tokens, 0.005)
    points[10] = ScalingPoint(parameters=points[10].parameters, tokens=points[10].tokens, loss=2 * points[10].loss)
    found = fit_scaling_law(points, bootstrap=30)
    for name in LAW_NAMES:
        assert abs(getattr(found, name) - getattr(law, name)) < 4 * found.errors[name]
    large = sizes[-1] * 4, tokens[-1] * 4
    assert found.loss(*large) == pytest.approx(law.loss(*large), rel=0.02)
    low, high = found.interval(*large)
    assert low < high and low == pytest.approx(high, rel=0.05)


def test_the_end_is_a_minimum_of_the_objective():
    points = planted(TINY, np.geomspace(1e3, 1e5, 5), np.geomspace(1e5, 4e6, 4), 0.01)
    found = fit_scaling_law(points)

    def objective(law):
        residuals = np.array([np.log(law.loss(p.parameters, p.tokens) / p.loss) for p in points])
        return np.where(abs(residuals) <= 1e-3, residuals**2 / 2, 1e-3 * (abs(residuals) - 5e-4)).sum()

    rng, least = np.random.default_rng(1), objective(found)
    for scale in (1e-4, 1e-3, 1e-2, 1e-1):
        for _ in range(50):
            factors = np.exp(scale * rng.standard_normal(5))
            near = ScalingLaw(**{k: getattr(found, k) * f for k, f in zip(LAW_NAMES, factors, strict=True)})
            assert objective(near) > least * (1 - 1e-4)


def test_a_law_of_the_size_alone_is_fitted_where_no_tokens_are_given():
    law = ScalingLaw(E=0.3, A=50.0, alpha=0.6)
    found = fit_scaling_law([ScalingPoint(parameters=n, loss=law.loss(n)) for n in (1e3, 3e3, 1e4, 4e4)])
    assert (found.E, found.A, found.alpha) == pytest.approx((0.3, 50.0, 0.6), rel=1e-4)
    assert str(found).startswith("L = E + A/N^alpha: E = 0.3, A = 50")
    with pytest.raises(ValueError, match="no bootstrap samples"):
        found.interval(1e5)


def test_a_run_of_four_times_the_arithmetic_is_predicted_within_two_percent_and_one_of_sixteen_within_three():
    fitted, large = scaling_runs.points()
    law, largest = fit_scaling_law(fitted), max(fitted, key=lambda point: point.parameters)
    for point, arithmetic, error in zip(large, (4, 16), (0.02, 0.03), strict=True):
        assert (point.parameters / largest.parameters) ** 2 > 0.95 * arithmetic
        assert point.loss < 0.95 * largest.loss  # the curve is not flat there
        assert law.loss(point.parameters) == pytest.approx(point.loss, rel=error)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([], "got 0 runs; 3 constants need at least 3 different runs"),
        ([(1e3, None, 1.0)] * 5, "3 constants need at least 3 different runs"),
        ([(1e3, 1e5, 1.0), (1e4, None, 1.0), (1e5, None, 0.9)], "some runs say their tokens"),
        ([(n, d, 1.0) for n in (1e3, 1e4, 1e5) for d in (1e5, 1e6)], "2 different numbers of tokens"),
        ([(1e3, None, 1.0), (1e4, None, -1.0), (1e5, None, 0.9)], "must be positive numbers"),
        ([(1e3, None, 1.0), (1e4, None, float("nan")), (1e5, None, 0.9)], "must be positive numbers"),
    ],
)
def test_runs_that_say_too_little_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        fit_scaling_law([ScalingPoint(parameters=n, tokens=d, loss=loss) for n, d, loss in points])
