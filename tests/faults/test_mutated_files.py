"""Files that were damaged, forged or replaced, on a small scale; ``make test-faults`` does it in earnest."""

import pickle

import pytest
import torch
from mutated_files import DUMPS, Bomb, damaged, forged, planted


def test_a_damaged_file_is_never_loaded_and_never_crashes(tmp_path):
    counts, failures = damaged(tmp_path, 96)
    assert counts["older"] > 30 and counts["refused"] > 30
    assert failures == []


def test_a_forged_file_is_loaded_or_refused_by_one_error(tmp_path):
    counts, failures = forged(tmp_path, 36, every=20)
    assert counts["refused"] > 20
    assert failures == []


def test_a_planted_pickle_is_never_executed(tmp_path):
    counts, failures = planted(tmp_path, ["pickle 2", "torch.save"])
    assert counts == {"planted": 24}
    assert failures == []


@pytest.mark.parametrize("kind", DUMPS)
def test_the_planted_pickles_would_run_if_they_were_loaded(tmp_path, kind):
    with (tmp_path / "file").open("wb") as file:
        DUMPS[kind](Bomb(tmp_path / "executed"), file)
    with (tmp_path / "file").open("rb") as file:
        torch.load(file, weights_only=False) if kind.startswith("torch") else pickle.load(file)
    assert (tmp_path / "executed").exists()
