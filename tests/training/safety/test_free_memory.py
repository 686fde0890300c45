import subprocess
import sys

import pytest

from minigpt.training.safety import free_memory as module
from minigpt.training.safety.free_memory import free_memory

GIB = 2**30
UNLIMITED = "9223372036854771712"  # what the first version writes where there is no limit


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system with 8 GiB available, a process of 1 GiB in the group that is given, and files of groups."""
    monkeypatch.setattr(module.resource, "getrlimit", lambda which: (module.resource.RLIM_INFINITY,) * 2)

    def make(group="", files=()):
        write(tmp_path / "proc/meminfo", f"MemTotal: 999 kB\nMemAvailable:  {8 * 2**20} kB\n")
        write(tmp_path / "proc/self/status", f"Name: python\nVmSize:\t {2**20} kB\n")
        write(tmp_path / "proc/self/cgroup", group)
        for name, content in dict(files).items():
            write(tmp_path / "groups" / name, f"{content}\n")
        return free_memory(tmp_path / "proc", tmp_path / "groups")

    return make


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def second(limit, used, at=""):
    return {f"{at}memory.max": limit, f"{at}memory.current": used}


def first(limit, used, at=""):
    return {f"memory/{at}memory.limit_in_bytes": limit, f"memory/{at}memory.usage_in_bytes": used}


@pytest.mark.parametrize(
    ("group", "files", "free"),
    [
        ("", {}, 8),
        ("0::/job\n", second("max", GIB, "job/"), 8),
        ("0::/job\n", second(4 * GIB, GIB, "job/"), 3),
        ("0::/job\n", second(64 * GIB, GIB, "job/"), 8),
        ("0::/job\n", second(GIB, 2 * GIB, "job/"), 0),
        ("0::/user/job\n", {**second("max", GIB, "user/job/"), **second(5 * GIB, 3 * GIB, "user/")}, 2),
        ("0::/elsewhere/on/the/host\n", second(4 * GIB, GIB), 3),
        ("0::/job\n", {**second(4 * GIB, 3 * GIB, "job/"), "job/memory.stat": f"anon 5\ninactive_file {2 * GIB}"}, 3),
        ("5:cpu,memory:/job\n0::/\n", first(4 * GIB, GIB, "job/"), 3),
        ("5:memory:/job\n0::/\n", first(UNLIMITED, GIB, "job/"), 8),
        ("5:memory:/host\n", {**first(4 * GIB, 3 * GIB), "memory/memory.stat": f"total_inactive_file {GIB}"}, 2),
        ("5:memory:/../../up\nnonsense\n", {}, 8),
    ],
)
def test_the_smallest_of_what_is_free_and_what_the_groups_leave_counts(system, group, files, free):
    assert system(group, files) == free * GIB


@pytest.mark.parametrize(("limit", "free"), [(4, 3), (64, 8)])
def test_a_limit_of_the_address_space_counts(system, monkeypatch, limit, free):
    monkeypatch.setattr(module.resource, "getrlimit", lambda which: (limit * GIB, limit * GIB))
    assert system() == free * GIB


def test_nothing_is_known_without_proc(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "resource", None)
    assert free_memory(tmp_path, tmp_path) is None


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v acts on Linux")
def test_ulimit_is_noticed_in_a_real_process():
    program = "from minigpt.training.safety.free_memory import free_memory; print(free_memory())"
    line = f"ulimit -v 8388608 && exec {sys.executable} -c '{program}'"
    result = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert 0 < int(result.stdout) < 8 * GIB
