"""Kernels that start at once: a process that has imported what every notebook imports forks each of them.

::

    nbclient ──> kernel command ── arguments, environment, folder ──> parent ── fork ──> kernel

``python forked_kernels.py SOCKET`` is the parent; with more arguments, the kernel command, which ends when its kernel
does. A kernel shares no state with another: the parent runs no cell.
"""

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path


def serve(path: str) -> None:
    """Import, then fork a kernel for each connection until the process is ended."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as a kernel has it; read at import
    import ipykernel.kernelapp
    import IPython.core.interactiveshell
    import matplotlib.pyplot
    import torch

    import minigpt

    torch.set_num_threads(1)
    assert ipykernel and IPython and matplotlib and minigpt
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a kernel but its command
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile() as asked:
                request = json.loads(asked.readline())
                if os.fork() == 0:
                    listener.close()
                    _run_kernel(request)


def _run_kernel(request: dict) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.environ.pop("JPY_PARENT_PID", None)  # the kernel command's parent, which is not this process's
    os.chdir(request["folder"])
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance(argv=request["arguments"])
    os._exit(0)


def command(path: str, arguments: list[str]) -> None:
    """Ask the parent for a kernel, and end when the connection does, which the kernel holds."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # sent before a kernel is asked to end
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        request = {"arguments": arguments, "environment": dict(os.environ), "folder": str(Path.cwd())}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with suppress(ConnectionResetError):
            connection.recv(1)


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) == 2 else command(sys.argv[1], sys.argv[2:])
