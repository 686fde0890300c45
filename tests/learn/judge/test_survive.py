"""Whatever a function does, there is one kind sentence, and this process lives on."""

import contextlib
import functools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from small_exercises import MASK, SOFTMAX, SPREAD

import minigpt
from minigpt.learn.judge import attempts, process, worker
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.process import NoProcessError
from minigpt.learn.judge.replies import judged


def reply_to(function, exercise=SOFTMAX, limit=10.0, **options):
    return judged(exercise, Submission(function, limit=limit), "en", **options)


def right(z):
    return torch.softmax(z, -1)


def swallow_everything(z):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass


def leave(z):
    import os

    os._exit(3)


def quit_python(z):
    raise SystemExit(2)


def write_garbage(z):
    import os

    for channel in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(channel, b"garbage" * 9)
    return z


def end_the_parent(z):
    import os

    os.kill(os.getppid(), 9)
    while True:
        pass


def crash(z):
    import ctypes

    ctypes.string_at(0)


def hundred_gigabytes(z):
    return torch.zeros(10**11)


def claims_ten_gigabytes(z):
    return torch.zeros(1).expand(10**10)


def contains_itself(z):
    rows = []
    rows.append(rows)
    return rows


def asks(z):
    return input()


class Odd:
    shape = property(lambda self: 1 / 0)

    def __array__(self):
        raise RuntimeError("no array")


@pytest.mark.parametrize(
    ("function", "id", "says"),
    [
        (leave, "failure.died", "It ended its own process (3)"),
        (crash, "failure.died", "It ended its own process"),
        (quit_python, "failure.exception", "It raised SystemExit: 2 in line"),
        (write_garbage, "failure.garbage", "not readable as a result"),
        (hundred_gigabytes, "failure.exception", "It raised RuntimeError: "),
        (claims_ten_gigabytes, "failure.shape", "The result has shape (10000000000,)"),
        (contains_itself, "failure.ragged", "a list of 1"),
        (asks, "failure.exception", "EOFError"),
        (lambda z: Odd(), "failure.structure", "a value of type Odd"),
        (lambda z: z @ z, "failure.exception", "mat1 and mat2 shapes cannot be multiplied"),
        (lambda z: None, "failure.none", "It returned None: a line with return is missing."),
        (lambda z: print(torch.softmax(z, -1)), "failure.printed", "It printed its result"),
        (lambda z: {"p": z}, "failure.structure", "a value of type dict"),
        (lambda z: [[1.0], [1.0, 2.0]], "failure.ragged", "rows have different lengths"),
        (lambda z: torch.softmax(z, -1).half(), "failure.dtype", "The result has the dtype float16"),
        (lambda z: torch.softmax(z, -1) * (1 + 0j), "failure.dtype", "The result has the dtype complex64"),
        (lambda z: torch.softmax(z, -1) + torch.rand(z.shape), "failure.random", "two different results"),
        (lambda z: torch.softmax(z.mul_(1.5), -1), "failure.changed", "It changes its input z"),
        (lambda z, more: z, "failure.exception", "missing 1 required positional argument"),
    ],
)  # fmt: skip
def test_a_failure_is_one_kind_sentence(function, id, says):
    reply = reply_to(function)
    assert not reply
    assert reply.id == id
    assert says in reply.says
    assert "Traceback" not in str(reply)


def test_a_loop_without_an_end_is_stopped_and_the_process_stays_warm():
    assert reply_to(right)
    start = time.monotonic()
    reply = reply_to(swallow_everything, limit=1.0)
    assert reply.id == "failure.timeout"
    assert time.monotonic() - start < 8
    assert attempts.PROCESS.running is not None
    assert attempts.PROCESS.running.poll() is None
    assert reply_to(right)


def test_a_function_that_ends_the_other_process_is_reported_and_the_next_one_runs():
    assert reply_to(end_the_parent, limit=3.0).id in ("failure.died", "failure.timeout")
    assert reply_to(right)


def test_the_default_limit_leaves_five_seconds():
    assert process.CALL_LIMIT >= 5


def test_ten_megabytes_of_output_are_clipped_and_are_no_error():
    def talkative(z):
        print("word " * 2_000_000)
        return torch.softmax(z, -1)

    reply = reply_to(talkative)
    assert reply
    assert reply.printed.startswith("word word")
    assert len(reply.printed) <= worker.MOST_TEXT


def test_what_is_patched_in_one_attempt_is_whole_in_the_next():
    def patched(z):
        torch.softmax = lambda z, dim: z
        torch.exp = torch.log
        return z

    assert not reply_to(patched)
    assert reply_to(right)


def test_deleted_files_do_not_change_the_verdict(tmp_path):
    """The text of the worker, and what is right, are known before the function runs."""

    def destroyer(z):
        import shutil
        import sys

        for name in [name for name in sys.modules if name.startswith("minigpt")]:
            del sys.modules[name]
        shutil.rmtree(place, ignore_errors=True)
        return torch.softmax(z, 0)

    place = str(tmp_path / "something")
    Path(place).mkdir()
    assert reply_to(destroyer).id == "softmax.first-axis"
    assert not Path(place).exists()
    assert reply_to(right)


def test_the_other_process_never_holds_what_is_expected():
    def look(z):
        import gc

        return float(sum(type(x).__module__.startswith("minigpt") for x in gc.get_objects()))

    outcome = Submission(look).outcomes([SOFTMAX.draw(_Draw())])[0]
    assert float(outcome.result.array) == 0
    assert "minigpt" not in worker.__dict__


class _Draw:
    def size(self, low, high):
        return high

    def normal(self, *shape):
        return torch.randn(shape)


FACTOR = 1.0


@pytest.mark.parametrize(
    "function",
    [
        right,
        functools.partial(torch.softmax, dim=-1),
        lambda z: (FACTOR * z).softmax(-1),
        lambda z: torch.softmax(z, -1).tolist(),
        lambda z: torch.softmax(z, -1).double().numpy(),
        lambda z: [row.softmax(-1) for row in z],
        lambda z: tuple(np.array(row.softmax(-1)) for row in z),
        lambda z: torch.softmax(z.requires_grad_(), -1),
        torch.nn.Softmax(dim=-1),
    ],
)
def test_functions_of_every_sort_are_carried_over_and_results_of_every_sort_are_read(function):
    assert reply_to(function), str(reply_to(function))


def test_a_closure_is_carried_with_what_it_encloses():
    dim = -1
    assert reply_to(lambda z: torch.softmax(z, dim))


def test_where_no_process_can_be_started_the_function_runs_here_and_the_reply_says_so(monkeypatch):
    def refuse(*arguments):
        raise NoProcessError("not allowed")

    monkeypatch.setattr(attempts.PROCESS, "run", refuse)
    reply = reply_to(right)
    assert reply
    assert "could not be run in another process (not allowed)" in str(reply)


def test_what_cannot_be_carried_runs_here():
    import threading

    lock = threading.Lock()

    def locked(z):
        with lock:
            return torch.softmax(z, -1)

    assert "could not be run in another process" in str(reply_to(locked))


def test_one_of_several_results_is_missing_or_has_the_wrong_shape():
    assert "2 results" in reply_to(lambda x, eps: (x.mean(),), SPREAD).says
    assert reply_to(lambda x, eps: x.mean(), SPREAD).id == "failure.structure"
    assert reply_to(lambda x, eps: (x.mean(), None), SPREAD).id == "failure.none"
    assert reply_to(lambda x, eps: [float(x.mean()), x.var(unbiased=False) + eps], SPREAD)


def test_where_the_dtype_is_part_of_the_task_numbers_are_refused():
    assert reply_to(lambda n: torch.ones(n, n).tril(), MASK).id == "failure.dtype"
    assert reply_to(lambda n: [[j <= i for j in range(n)] for i in range(n)], MASK)


def test_an_exception_shows_the_own_line_and_none_of_ours():
    def broken(z):
        return z + undefined  # noqa: F821

    reply = reply_to(broken)
    assert "NameError: name 'undefined' is not defined in line" in reply.says
    assert "return z + undefined" in reply.says
    assert "worker" not in str(reply)


def test_a_stub_is_said_to_be_a_stub():
    def stub(z):
        raise NotImplementedError

    assert reply_to(stub).id == "failure.not-written"


def raises_keyboard_interrupt(z):
    raise KeyboardInterrupt


def stops_itself(z):
    import os
    import signal

    os.kill(os.getpid(), signal.SIGSTOP)
    return torch.softmax(z, -1)


def closes_every_channel(z):
    import os

    os.closerange(0, 256)
    return torch.softmax(z, -1)


def rings_an_alarm(z):
    import signal
    import time

    signal.alarm(1)
    time.sleep(30)


def forks_again_and_again(z):
    import os
    import time

    for _ in range(6):
        os.fork()
    time.sleep(60)


class Tricky(torch.Tensor):
    def __eq__(self, other):
        return True

    def __array__(self, *arguments, **options):
        raise SystemExit

    def detach(self):
        return torch.zeros(10)


@pytest.mark.parametrize(
    ("function", "ids"),
    [
        (raises_keyboard_interrupt, {"failure.exception"}),
        (stops_itself, {"failure.timeout"}),
        (closes_every_channel, {"failure.died"}),
        (rings_an_alarm, {"failure.died", "failure.timeout"}),
        (forks_again_and_again, {"failure.processes", "failure.timeout", "failure.exception", "failure.died"}),
        (lambda z: torch.sparse_coo_tensor(size=(10**9, 10**9)), {"failure.shape"}),
        (lambda z: torch.softmax(z, 0).as_subclass(Tricky), {"softmax.first-axis", "generic.constant-result"}),
    ],
)  # fmt: skip
def test_tricks_are_stopped_or_refused_and_the_next_attempt_runs(function, ids):
    assert reply_to(function, limit=3.0).id in ids
    assert reply_to(right)


def test_a_thread_that_is_left_running_does_not_keep_the_job():
    def leaves_a_thread(z):
        import threading
        import time

        threading.Thread(target=time.sleep, args=(600,)).start()
        return torch.softmax(z, -1)

    start = time.monotonic()
    assert reply_to(leaves_a_thread)
    assert time.monotonic() - start < 60


def test_a_function_that_overwrites_the_installed_package_does_not_change_the_verdict(tmp_path):
    """A copy of the package is what is imported, and what the function overwrites."""
    package = tmp_path / "minigpt"
    ours = Path(minigpt.__file__).resolve().parent
    shutil.copytree(ours, package, ignore=shutil.ignore_patterns("__pycache__"))
    script = tmp_path / "attempt.py"
    script.write_text(
        f"import torch, minigpt as mg\nassert mg.__file__.startswith({str(tmp_path)!r})\n"
        "def vandal(z):\n"
        "    import pathlib\n"
        f"    for path in pathlib.Path({str(package)!r}).rglob('*.py'):\n"
        "        path.write_text('raise SystemExit')\n"
        "    return torch.softmax(z, 0)\n"
        "for attempt in (vandal, lambda z: torch.softmax(z, -1)):\n"
        "    print(mg.check.softmax(attempt, lang='en').id)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert (package / "__init__.py").read_text() == "raise SystemExit"
    assert done.stdout.split() == ["softmax.first-axis", "right"], done.stderr[-2000:]
