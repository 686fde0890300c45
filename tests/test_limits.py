"""minigpt/limits.py: a made-up tree of control groups stands for that of a container."""

import os
import sys

import pytest

from minigpt.limits import MOST_READ, memory_limit, usable_cores

GIB = 2**30
UNLIMITED = str(2**63 - 4096)  # what the first version writes where memory has no limit


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A machine of 16 cores, and a process in the groups that are given, whose files are given by their names."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)

    def make(groups, files):
        for name, content in {"proc/self/cgroup": groups, **{f"groups/{n}": c for n, c in files.items()}}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else f"{content}\n".encode())
        return tmp_path / "proc", tmp_path / "groups"

    return make


def first(quota, period=100_000, at="cpu"):
    return {f"{at}/cpu.cfs_quota_us": quota, f"{at}/cpu.cfs_period_us": period}


@pytest.mark.parametrize(
    ("groups", "files", "cores"),
    [
        ("0::/", {}, 16),
        ("0::/", {"cpu.max": "max 100000"}, 16),
        ("0::/", {"cpu.max": "200000 100000"}, 2),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "1000 100000"}, 1),
        ("0::/", {"cpu.max": "25000 50000"}, 1),
        ("0::/", {"cpu.max": "6400000 100000"}, 16),
        ("0::/pod/job", {"pod/job/cpu.max": "max 100000", "pod/cpu.max": "300000 100000"}, 3),
        ("0::/pod/job", {"pod/job/cpu.max": "200000 100000", "pod/cpu.max": "300000 100000"}, 2),
        ("0::/pod/job", {"pod/other/cpu.max": "100000 100000"}, 16),
        ("0::/of/the/host", {"cpu.max": "400000 100000"}, 4),
        ("5:cpu,cpuacct:/job\n0::/", first(250_000, at="cpu/job"), 3),
        ("5:cpu:/of/the/host", first(200_000), 2),
        ("5:cpu:/", first(-1), 16),
        ("5:memory:/", first(100_000), 16),
        ("5:memory:/\n0::/", {"unified/cpu.max": "200000 100000"}, 2),
    ],
)
def test_cores_are_those_of_the_smallest_quota(tree, groups, files, cores):
    assert usable_cores(*tree(groups, files)) == cores


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        ("0::/", {}, None),
        ("0::/", {"memory.max": "max"}, None),
        ("0::/", {"memory.max": 4 * GIB}, 4 * GIB),
        ("0::/pod/job", {"pod/job/memory.max": 4 * GIB, "pod/memory.max": 3 * GIB}, 3 * GIB),
        ("0::/of/the/host", {"memory.max": 2 * GIB}, 2 * GIB),
        ("5:cpu,memory:/job\n0::/", {"memory/job/memory.limit_in_bytes": GIB}, GIB),
        ("5:memory:/", {"memory/memory.limit_in_bytes": UNLIMITED}, int(UNLIMITED)),
        ("5:cpu:/", {"memory/memory.limit_in_bytes": GIB}, None),
    ],
)
def test_memory_is_that_of_the_smallest_limit(tree, groups, files, limit):
    assert memory_limit(*tree(groups, files)) == limit


ODD = ["", "max", "0", "-1", "-1 100000", "0 0", "100000 0", "nan 100000", "1e5 1e5", "٣ ٣", "9" * 5000, b"\xff\0"]


@pytest.mark.parametrize("content", ODD)
@pytest.mark.parametrize("groups", ["0::/", "5:cpu,memory:/"])
def test_what_is_no_limit_sets_none(tree, groups, content):
    names = ["cpu.max", "memory.max", "cpu/cpu.cfs_quota_us", "memory/memory.limit_in_bytes"]
    places = tree(groups, {**dict.fromkeys(names, content), "cpu/cpu.cfs_period_us": 100_000})
    assert (usable_cores(*places), memory_limit(*places)) == (16, None)


@pytest.mark.parametrize(
    "groups", ["", "::", "0", b"0::/a\0b\n1:cpu:/\0", b"\xff" * 99, "0::/../x", "x" * 10**6, "0::" + "/a" * 10**5]
)
def test_groups_that_make_no_sense_set_no_limit(tree, groups):
    places = tree(groups, {"../x/cpu.max": "100000 100000", "../x/memory.max": 5})
    assert (usable_cores(*places), memory_limit(*places)) == (16, None)


def test_a_folder_in_the_place_of_a_file_and_no_files_at_all_set_no_limit(tree, tmp_path):
    places = tree("0::/", {"cpu.max/inside": 1, "memory.max/inside": 1})
    assert (usable_cores(*places), memory_limit(*places)) == (16, None)
    assert (usable_cores(tmp_path / "none", tmp_path), memory_limit(tmp_path / "none", tmp_path)) == (16, None)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no /dev/zero")
def test_a_file_without_an_end_is_read_to_a_bound(tree):
    places = tree("0::/", {"cpu.max": "1 " * MOST_READ})
    (places[1] / "memory.max").symlink_to("/dev/zero")
    assert (usable_cores(*places), memory_limit(*places)) == (16, None)
