"""What a process says when another one of its run has ended: one sentence, not the trace of a broken connection."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import distributed as dist

# Where gloo, between CPUs, and PyTorch's own store say that a connection broke; NCCL has an exception of its own.
_SIGNS = ("gloo/transport/", "Connection closed by peer", "Connection reset by peer", "Broken pipe")


@contextmanager
def lost_peer_explained() -> Iterator[None]:
    """Say of a broken connection that another process has ended, and how to continue.

    Raises:
        ConnectionError: in place of the error of the engine.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_lost(error):
            raise
        raise ConnectionError(
            "the connection to another process of the run is gone: it has ended, and its own message says why, or its "
            "machine can't be reached. Continue with --resume; `torchrun --max-restarts 3` starts all of them again"
        ) from None


def _is_lost(error: RuntimeError) -> bool:
    return isinstance(error, getattr(dist, "DistError", ())) or any(sign in str(error) for sign in _SIGNS)
