"""Ctrl-C while the `minigpt` command is still being imported, which takes a second or two.

Nothing has been started then that could be lost, so the process ends at once with exit status 130, as the command does
later. A program or a notebook that imports the library keeps Python's own KeyboardInterrupt.
"""

import os
import signal
import sys
import threading
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import NoReturn

STATUS = 130  # 128 + the number of SIGINT


def end_quietly_until_started() -> None:
    """Let Ctrl-C end the process at once, if this is the command and nobody else handles it."""
    first = threading.current_thread() is threading.main_thread()
    if first and _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_from_now_on() -> None:
    """Undo :func:`end_quietly_until_started`: Ctrl-C raises KeyboardInterrupt again, which the command handles."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_command() -> bool:
    """Whether this process was started as `minigpt` or as `python -m minigpt`."""
    if sys.argv[:1] == ["-m"]:  # Python puts it there until it has found the module
        return ("-m", "minigpt") in pairwise(sys.orig_argv)
    script = getattr(sys.modules.get("__main__"), "__file__", None) or ""  # a worker process has none
    return Path(script).stem == "minigpt"


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os._exit(STATUS)
