"""Every case of the matrix, of which ``make test`` runs a sample: ``make test-kernels``."""

import pytest
from attention_cases import check, matrix

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")


@pytest.mark.parametrize("case", matrix(), ids=str)
def test_outputs_and_gradients_are_those_of_the_formula_in_float64(case, note_errors):
    note_errors(case.dtype, check(case))
