import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

import minigpt as mg

EXTENSIONS = Path(__file__).parents[2] / "docs" / "_ext"


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("explorable", EXTENSIONS / "explorable.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["explorable"] = module
    spec.loader.exec_module(module)
    return module


def test_the_equations_of_the_seed_and_six_more_can_be_touched(extension):
    seed = [equation.name for equation in mg.equations.all() if equation.source.startswith("the seed document")]
    assert set(seed[:3]) <= set(extension.EXPLORED)
    assert len(extension.EXPLORED) <= 9
    assert all(extension.explorable(mg.equations.get(name)).count("mg-explore") for name in extension.EXPLORED)


def test_other_equations_are_shown_as_they_were(extension):
    assert extension.explorable(mg.equations.get("rms-norm")) == ""


def test_the_inputs_are_whole_numbers_of_a_few_entries(extension):
    for name in ("attention-weights", "softmax", "causal-attention"):
        given = extension.small_inputs(mg.equations.get(name))
        for value in given.values():
            assert np.array_equal(value, np.round(value))
            assert set(np.shape(value)) <= {2, 3}
