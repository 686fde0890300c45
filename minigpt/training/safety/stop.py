"""Ctrl-C, SIGTERM and SIGHUP as a polite request: the step in hand is finished and saved, then the run ends."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopFlag:
    """While it is entered, SIGINT, SIGTERM and SIGHUP only set ``requested``; a second signal acts as usual.

    SIGHUP comes where a terminal is closed; under ``nohup`` it is ignored, and stays so. Windows does not have it.
    Python lets only the main thread listen to signals; in any other the flag stays down.
    """

    SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = (number for number in self.SIGNALS if not _is_from_nohup(number))
            self._before = {number: signal.signal(number, self._ask) for number in heard}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())


def _is_from_nohup(number: signal.Signals) -> bool:
    return number.name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN
