import formulas_training  # noqa: F401 - registers its oracles
import numpy as np
import pytest
from formulas import FORMULAS, ORACLES


def test_every_formula_has_an_oracle_and_every_oracle_a_formula():
    assert set(FORMULAS) == set(ORACLES)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_literal_value_is_that_of_an_independent_computation(name):
    for number in range(3):
        for given, expected in ORACLES[name](np.random.default_rng(number)):
            values = FORMULAS[name].evaluate_all(**given)
            assert list(values) == list(expected)
            for key, value in values.items():
                np.testing.assert_allclose(value, expected[key], rtol=1e-12, atol=1e-13, err_msg=key, strict=False)
                assert value.shape == np.shape(expected[key])
                assert value.dtype == np.float64


@pytest.mark.parametrize("name", FORMULAS)
def test_a_formula_prints_plainly_and_displays_its_own_latex(name):
    eq = FORMULAS[name]
    assert eq.latex in eq.display
    assert all(row in eq.display for row in eq.where)
    assert "\\" not in str(eq)
