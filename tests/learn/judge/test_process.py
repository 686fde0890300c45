"""The process of the attempts: in a fork of this one, and with functions that start processes."""

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from small_exercises import SOFTMAX

from minigpt.learn.judge import attempts, jobs, process
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.replies import judged

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")

FORKED = """
import multiprocessing
import torch
import minigpt as mg

def answer(z):
    return torch.softmax(z, -1)

def child(queue):
    queue.put(bool(mg.check.softmax(answer)))

assert mg.check.softmax(answer)
fork = multiprocessing.get_context("fork")
queue = fork.SimpleQueue()
children = [fork.Process(target=child, args=(queue,)) for _ in range(2)]
for each in children:
    each.start()
for each in children:
    each.join(50)
    assert each.exitcode == 0, each.exitcode
assert queue.get() and queue.get()
assert mg.check.softmax(answer)
"""


def test_forks_of_this_process_have_a_process_of_their_own(tmp_path):
    script = tmp_path / "forked.py"
    script.write_text(FORKED, encoding="utf-8")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr


def answer(z, dim=-1):
    return torch.softmax(z, dim)


def forks_once(z, dim):
    if os.fork() == 0:
        return z
    return answer(z, dim)


def forks_and_hides_it(z, dim):
    with contextlib.suppress(OSError):
        os.fork()
    return answer(z, dim)


def forks_in_c(z, path):
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()} ")
    ctypes.CDLL(None).fork()
    return answer(z, 0)


def reply_to(function, dim):
    return judged(SOFTMAX, Submission(lambda z: function(z, dim)), "en")


@pytest.mark.parametrize("function", [forks_once, forks_and_hides_it])
@pytest.mark.parametrize("dim", [-1, 0])
def test_a_function_that_forks_gets_a_reply_that_says_so(function, dim):
    reply = reply_to(function, dim)
    assert not reply
    assert reply.id == "failure.processes"
    assert "It started another process with fork" in reply.says
    assert reply_to(answer, -1)


def test_the_copies_of_a_fork_past_python_do_not_go_on(tmp_path):
    path = str(tmp_path / "pids")
    outcomes = Submission(lambda z: forks_in_c(z, path)).outcomes([(torch.zeros(2, 3),)] * 4)
    assert 1 <= len(outcomes) <= 4
    assert len(set(Path(path).read_text(encoding="utf-8").split())) == 1
    assert reply_to(answer, -1)


def leaves_a_daemon(z, path):
    with Path(path).open("a", encoding="utf-8") as file:
        daemon = subprocess.Popen(["sleep", "300"], start_new_session=True)
        subprocess.Popen(["sleep", "300"])
        file.write(f"{daemon.pid} ")
    return torch.softmax(z, -1)


def is_running(pid):
    return Path(f"/proc/{pid}").exists()


def test_what_a_job_leaves_behind_is_gone_after_it(tmp_path):
    path = str(tmp_path / "pids")
    assert reply_to(answer, -1)
    before = attempts.PROCESS.running.pid
    outcomes = Submission(lambda z: leaves_a_daemon(z, path)).outcomes([(torch.zeros(2, 3),)] * 3)
    pids = [int(pid) for pid in Path(path).read_text(encoding="utf-8").split()]
    assert [outcome.failure for outcome in outcomes] == [""] * 3
    assert len(pids) == 3
    assert not any(map(is_running, pids))
    assert jobs.descendants(before) == set()
    assert attempts.PROCESS.running.pid == before


def test_what_a_stopped_job_has_started_is_gone_too(tmp_path):
    path = str(tmp_path / "pids")
    job = {"path": sys.path, "repeats": 0, "cases": [attempts.cloudpickle.dumps((torch.zeros(2, 3),))] * 20}
    job["pickled"] = attempts.carried(lambda z: (leaves_a_daemon(z, path), time.sleep(1))[0])
    messages = attempts.PROCESS.run(job)
    assert "result" in next(messages)
    messages.close()
    assert not any(is_running(pid) for pid in Path(path).read_text(encoding="utf-8").split())


def test_all_calls_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(process, "JOB_LIMIT", 1)
    slow = Submission(lambda z: (answer(z), time.sleep(1.2))[0], limit=3.0)
    outcomes = slow.outcomes([(torch.zeros(2, 3),)] * 6)
    assert outcomes[-1].failure == "slow"
    assert outcomes[-1].error == {"code": 3.0}
    assert len(outcomes) < 6


def test_a_fork_is_refused_before_a_copy_is_made(tmp_path):
    path = str(tmp_path / "refused")

    def tries(z):
        try:
            os.fork()
        except PermissionError:
            Path(path).touch()
        return answer(z)

    assert Submission(tries).outcomes([(torch.zeros(2, 3),)])[0].failure == "processes"
    assert Path(path).exists()
