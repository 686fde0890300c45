"""A file told apart from others by its size and blocks of it: a check that costs the same for a file of any size.

It notices that a file was replaced, cut, or written anew in another order. It may miss a change of a few bytes, which
only the hash of the whole file is sure to notice.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from minigpt.files.plain import open_plain, size_of

BLOCK, N_BLOCKS = 2**16, 16  # bytes, and how many blocks


def sampled_entry(path: Path | str) -> dict[str, Any]:
    """The size of a file in bytes, and the SHA-256 of blocks from its start to its end; of all, if it is small.

    Args:
        path: of a plain file.

    Raises:
        ValueError: if it is not a plain file.
    """
    digest = hashlib.sha256()
    with open_plain(Path(path), os.fspath(path)) as file:
        size = size_of(file)
        last = max(size - BLOCK, 0)
        for start in sorted({last * i // (N_BLOCKS - 1) for i in range(N_BLOCKS)}):
            file.seek(start)
            digest.update(file.read(BLOCK))
    return {"size": size, "sha256": digest.hexdigest()}
