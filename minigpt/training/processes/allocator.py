"""Memory that one step frees stays with the process, since the next step asks for it again.

glibc hands large blocks back to the system, and gets each page anew, filled with zeros, when it is first touched. Every
step of a training run allocates what the last one freed, so on a processor a fifth of its time may go into that. Other
C libraries, and GPUs, whose memory PyTorch keeps by itself, are left alone.
"""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGEST_BLOCK = 32 * 2**20  # bytes: glibc takes no higher threshold for blocks of their own
KEPT = 2**31 - 1  # bytes at most, free but not handed back


def keep_freed_memory() -> bool:
    """Tell the C library to keep what is freed, for the rest of the process; False where it can't be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK)) and bool(mallopt(M_TRIM_THRESHOLD, KEPT))
