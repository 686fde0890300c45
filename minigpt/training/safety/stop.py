"""Ctrl-C and SIGTERM as a polite request: the step in hand is finished and saved, then the run ends."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class StopFlag:
    """While it is entered, SIGINT and SIGTERM only set ``requested``; a second signal acts as usual.

    Python lets only the main thread listen to signals; in any other the flag stays down.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._ask) for number in self.SIGNALS}
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
