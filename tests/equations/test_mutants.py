"""A sample of the mutation campaign; ``make test-mutants`` runs the whole of it."""

import code_mutants
import formulas_training  # noqa: F401 - registers its oracles
import pytest
from campaign import EQUAL, EQUAL_REGISTERED, registered_cases, run, run_registered
from formulas import FORMULAS
from mutate import Mutant, fate, mutants

from minigpt import equations


@pytest.mark.parametrize("name", ["attention-weights", "attention-output", "cross-entropy"])
def test_every_mutant_of_the_seed_formulas_is_noticed(name):
    counts, survivors = run([name])
    assert sum(counts.values()) >= 20
    assert survivors == []


def test_a_sample_of_all_mutants_is_noticed():
    _, survivors = run(FORMULAS, every=15)
    assert [survivor for survivor in survivors if survivor not in EQUAL] == []


def test_a_sample_of_the_mutants_of_the_librarys_equations_is_noticed():
    _, survivors = run_registered(every=15)
    assert [survivor for survivor in survivors if survivor not in EQUAL_REGISTERED] == []


def test_the_librarys_equations_unchanged_are_not_taken_for_mutants():
    assert [eq.name for eq in equations.all() if fate(Mutant("nothing", eq), registered_cases(eq)) != "survived"] == []


@pytest.mark.parametrize("module", code_mutants.TABLE)
def test_an_unchanged_module_is_not_taken_for_a_mutant(module):
    line = code_mutants.TABLE[module][0][0]
    assert not code_mutants.is_noticed(code_mutants.CodeMutant(module, line, line))


@pytest.mark.parametrize("mutant", code_mutants.MUTANTS[::10], ids=lambda mutant: f"{mutant.module}: {mutant.new}")
def test_a_sample_of_the_mutants_of_the_code_is_noticed(mutant):
    assert code_mutants.is_noticed(mutant)


def test_the_campaign_is_large():
    assert sum(1 for eq in equations.all() for _ in mutants(eq)) >= 3000
    assert len(code_mutants.MUTANTS) >= 60
