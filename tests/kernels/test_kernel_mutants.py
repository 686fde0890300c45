"""A sample of the planted bugs; ``make test-kernel-mutants`` plants all of them."""

import os

import pytest
import torch
from kernel_mutants import CHECKS, MUTANTS, is_noticed

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning"),
    pytest.mark.skipif(not hasattr(os, "fork") or torch.cuda.is_available(), reason="needs fork: a bug may crash"),
]


@pytest.mark.parametrize("mutant", MUTANTS[::25], ids=lambda mutant: mutant.new.strip())
def test_a_sample_of_the_planted_bugs_is_noticed(mutant):
    assert is_noticed(mutant)


def test_every_planted_bug_changes_a_line_that_is_there():
    for mutant in MUTANTS:
        assert mutant.changed() != mutant.source()


def test_the_campaign_is_large():
    assert len(MUTANTS) >= 60 and len(CHECKS) >= 8
