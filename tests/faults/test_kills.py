"""A run that is killed or asked to stop, on a small scale; ``make test-faults`` does it in earnest."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks a process that has loaded PyTorch")


@pytest.fixture(scope="module")
def campaign():
    """The counts and failures of each part, by its title; from a process of its own, which has computed nothing yet."""
    command = [sys.executable, str(Path(__file__).with_name("fault_campaign.py")), "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stdout, ended.stderr
    return {title: (counts, failures) for title, counts, failures in map(json.loads, ended.stdout.splitlines())}


@pytest.mark.parametrize("saving", ["SIGKILL", "SIGKILL, Muon, saving in the background"])
def test_a_killed_run_keeps_whole_checkpoints_and_goes_on_with_the_same_bits(campaign, saving):
    counts, failures = campaign[saving]
    assert counts["kills"] >= 4 and failures == []


def test_a_save_may_be_killed_at_any_line(campaign):
    counts, failures = campaign["killed at lines of a save"]
    assert counts["in a save"] >= 2 and failures == []


def test_save_pretrained_may_be_killed_at_any_line_and_leaves_the_old_model_or_the_new(campaign):
    counts, failures = campaign["killed at lines of save_pretrained"]
    assert counts["old"] >= 5 and counts["new"] >= 2 and failures == []


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_run_within_a_step_and_with_that_step_saved(campaign, name):
    counts, failures = campaign[name]
    assert counts["stopped"] == 2 and failures == []


@pytest.mark.parametrize("name", ["SIGINT twice", "SIGTERM twice"])
def test_a_second_signal_ends_the_run_at_once(campaign, name):
    counts, failures = campaign[name]
    assert counts["ended at once"] == 1 and failures == []
