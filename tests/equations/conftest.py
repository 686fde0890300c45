"""Puts this folder on the path: its tests share the formulas, their oracles and the mutator."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def cases():
    """The drawn cases of a formula: pairs of what it is given and what it must return."""
    from campaign import cases_of

    return cases_of
