"""Ctrl-C while the command is being imported, sent by a torch that stands in for the real one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = """
import os, signal
os.kill(os.getpid(), signal.SIGINT)
print("the import went on")
"""
SCRIPT = Path(sys.executable).with_name("minigpt")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")


@pytest.fixture
def interrupted(tmp_path):
    """A function that starts Python with words, where importing torch is interrupted."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(STAND_IN)

    def start(*words):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, env=environment)

    return start


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "minigpt", "train"),
        ("-u", "-m", "minigpt", "--help"),
        pytest.param(
            (str(SCRIPT), "train"), marks=pytest.mark.skipif(not SCRIPT.exists(), reason="the script is elsewhere")
        ),
    ],
    ids=["module", "module-unbuffered", "script"],
)
def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_traceback(words, interrupted):
    result = interrupted(*words)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "")


@pytest.mark.parametrize("words", [("-c", "import minigpt"), ("-m", "minigpt.learn.one_file")])
def test_a_program_that_imports_the_library_gets_its_keyboard_interrupt(words, interrupted):
    result = interrupted(*words)
    assert result.returncode != 130 and result.stderr.rstrip().endswith("KeyboardInterrupt")


def test_a_command_that_has_started_raises_keyboard_interrupt_again():
    program = """
import runpy, signal, sys
sys.argv = ["-m"]
sys.orig_argv[:] = ["python", "-m", "minigpt"]
import minigpt.cli
assert signal.getsignal(signal.SIGINT) is minigpt.interrupts._end
minigpt.cli._run = lambda words: print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
minigpt.cli.main([])
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "True\n", "")


def test_a_handler_of_somebody_else_is_kept():
    program = """
import signal, sys
sys.argv, sys.orig_argv[:] = ["-m"], ["python", "-m", "minigpt"]
signal.signal(signal.SIGINT, signal.SIG_IGN)
import minigpt.cli
minigpt.interrupts.raise_from_now_on()
print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "True\n")
