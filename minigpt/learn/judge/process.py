"""The process that runs attempts: started once, kept warm, and stopped where a function does not end."""

import atexit
import contextlib
import inspect
import json
import os
import pickle
import queue
import secrets
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from minigpt.learn.judge import jobs, worker

#: Seconds for one call of a function, for the start of the process, and for its end once it was told to.
CALL_LIMIT, START_LIMIT, END_LIMIT = 10.0, 120.0, 5.0
JOB_LIMIT = 6  # for all calls of a job: a multiple of the seconds for one
#: The most bytes of one message.
MOST_BYTES = 2**26
#: Read once: nothing that a function does to this file changes what runs.
PROGRAM = (
    "\n".join(f"exec(compile({inspect.getsource(text)!r}, {worker.WORKER!r}, 'exec'))" for text in (worker, jobs))
    + "\nmain(run)"
)
#: What a fork of this process has inherited of the other processes; dropping it would close their pipes.
_INHERITED: list[subprocess.Popen[bytes]] = []
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class NoProcessError(RuntimeError):
    """No other process can be started here."""


class Process:
    """Another process with torch loaded, which runs jobs, one at a time.

    Args:
        keeps: whether jobs run in that process itself, so that what one loads is there for the next: for code of ours.
    """

    def __init__(self, *, keeps: bool = False) -> None:
        self.keeps = keeps
        self.lock = threading.RLock()
        self.fresh = False
        self.running: subprocess.Popen[bytes] | None = None
        self.messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        """In a fork of this process: leave the other process to the one that started it."""
        inherited, self.running, self.lock = self.running, None, threading.RLock()
        if inherited is None:
            return
        _INHERITED.append(inherited)
        with contextlib.suppress(OSError, ValueError):
            nothing = os.open(os.devnull, os.O_RDWR)
            for stream in (inherited.stdin, inherited.stdout):
                os.dup2(nothing, stream.fileno(), inheritable=False)  # type: ignore[union-attr]
            os.close(nothing)

    def start(self) -> None:
        """Start the process, if it isn't running. It gets ready while other things are done.

        Raises:
            NoProcessError: if the system does not allow it.
        """
        with self.lock:
            if self.running is not None and self.running.poll() is None:
                return
            self.close()
            try:
                self.running = subprocess.Popen(
                    [sys.executable, "-P", "-c", PROGRAM],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    bufsize=0,  # a buffer has a lock, which a fork of this process would inherit locked
                    env={**os.environ, **ONE_THREAD},
                )
            except (OSError, ValueError) as error:
                raise NoProcessError(str(error)) from None
            self.messages = queue.SimpleQueue()
            threading.Thread(target=_read, args=(self.running.stdout, self.messages), daemon=True).start()
            self.fresh = True

    def close(self) -> None:
        """End the process with everything that it has started."""
        with self.lock:
            running, self.running = self.running, None
            if running is not None:
                if not (self.fresh or self.keeps):  # at the end of its input it ends all that a job has started
                    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                        running.stdin.close()  # type: ignore[union-attr]
                        running.wait(END_LIMIT)
                with contextlib.suppress(OSError):
                    _kill_group(running.pid)
                with contextlib.suppress(OSError):
                    running.kill()
                running.wait()
                for stream in (running.stdin, running.stdout):
                    with contextlib.suppress(OSError):
                        stream.close()  # type: ignore[union-attr]

    def run(self, job: dict[str, Any], limit: float = CALL_LIMIT) -> Iterator[dict[str, Any]]:
        """The messages of a job as they come; the last one says how it ended where it didn't end by itself.

        Args:
            job: what ``worker.run`` takes.
            limit: seconds from one message to the next.

        Raises:
            NoProcessError: if the process can't be started.
        """
        with self.lock:
            self.start()
            self._wait_until_ready()
            token = secrets.token_hex(8)
            try:
                yield from self._messages(job, token, limit)
            except BaseException:  # the reader has seen enough, or was interrupted
                self.close()
                raise
            if not jobs.FORKS:
                self.close()
                self.start()

    def _wait_until_ready(self) -> None:
        if not self.fresh:
            return
        try:
            message = self.messages.get(timeout=START_LIMIT)
        except queue.Empty:
            message = {}
        if "ready" not in message:
            self.close()
            raise NoProcessError("another process was started, but did not answer")
        self.fresh = False

    def _messages(self, job: dict[str, Any], token: str, limit: float) -> Iterator[dict[str, Any]]:
        if not self._send({**job, "token": token, "keeps": self.keeps}):
            self.close()
            yield {"died": None}
            return
        pid, n_left, end = None, len(job["cases"]), time.monotonic() + JOB_LIMIT * limit
        while True:
            rest = end - time.monotonic()
            try:
                message = self.messages.get(timeout=max(min(limit, rest), 0))
            except queue.Empty:
                self._stop(pid)
                yield {"timeout": limit} if rest >= limit else {"slow": JOB_LIMIT * limit}
                return
            if "garbage" in message or "closed" in message:
                self.close()
                yield {"garbage": True} if "garbage" in message else {"died": None}
                return
            if message.get("token") != token:
                continue
            if "pid" in message:
                pid = message["pid"] if pid is None else pid
            elif "died" in message:
                yield message
                return
            elif "end" in message:
                self._finish(token)
                return
            elif n_left:  # a process that was left behind may send more
                n_left -= 1
                yield message

    def _send(self, job: dict[str, Any]) -> bool:
        data = pickle.dumps(job)
        try:
            stdin: Any = self.running.stdin  # type: ignore[union-attr]
            rest = memoryview(struct.pack(">Q", len(data)) + data)
            while rest:
                rest = rest[stdin.write(rest) :]
        except OSError:
            return False
        return True

    def _stop(self, pid: int | None) -> None:
        """End the job and keep the process; if that does not work, end both."""
        if jobs.FORKS and pid is not None:
            with contextlib.suppress(OSError):
                _kill_group(pid)
            with contextlib.suppress(queue.Empty):
                while "died" not in (message := self.messages.get(timeout=END_LIMIT)):
                    if "closed" in message:
                        break
                else:
                    return
        self.close()

    def _finish(self, token: str) -> None:
        """Wait for the word that the job's process has ended."""
        if not jobs.FORKS:
            return
        with contextlib.suppress(queue.Empty):
            while True:
                message = self.messages.get(timeout=END_LIMIT)
                if message.get("token") == token and "died" in message:
                    return
                if "closed" in message or "garbage" in message:
                    break
        self.close()


def _kill_group(pid: int) -> None:
    if hasattr(os, "killpg"):
        os.killpg(pid, signal.SIGKILL)


def _exactly(stream: Any, length: int) -> bytes:
    """So many bytes of a stream, or fewer where it ends."""
    data = bytearray()
    while len(data) < length and (more := stream.read(length - len(data))):
        data += more
    return bytes(data)


def _read(stream: Any, messages: "queue.SimpleQueue[dict[str, Any]]") -> None:
    """Put each message of the process into a queue, then that there are no more."""
    try:
        while header := _exactly(stream, 8):
            (length,) = struct.unpack(">Q", header)
            if length > MOST_BYTES:
                raise ValueError
            message = json.loads(_exactly(stream, length))
            if not isinstance(message, dict):
                raise ValueError
            messages.put(message)
    except (ValueError, struct.error, RecursionError):
        messages.put({"garbage": True})
    except OSError:
        pass
    messages.put({"closed": True})
    with contextlib.suppress(OSError, ValueError):  # it may have been closed
        while stream.read(2**16):
            pass
