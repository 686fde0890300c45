"""A disk that is full: really, where a small file system can be mounted, and at each call of the system."""

import pytest
from full_disk import NO_FILE_SYSTEM, in_small_file_system, simulated


def test_a_full_disk_at_any_call_keeps_the_old_checkpoint_and_leaves_no_litter(tmp_path):
    counts, failures = simulated(tmp_path)
    assert counts["disk full"] == 12
    assert failures == []


def test_on_a_disk_that_is_really_full_the_old_checkpoint_loads_and_every_command_says_why(tmp_path):
    ended = in_small_file_system(tmp_path)
    if ended.returncode == NO_FILE_SYSTEM:
        pytest.skip(f"no small file system could be mounted: {ended.stderr.strip()}")
    assert ended.returncode == 0, ended.stderr
    assert "'disk full': " in ended.stdout
