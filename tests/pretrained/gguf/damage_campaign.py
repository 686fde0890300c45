"""Damaged GGUF files: ``python tests/pretrained/gguf/damage_campaign.py [N]`` gives N of them to the reader.

Each is a whole file of a small model with bytes changed, cut, inserted or swapped, or a number in its head replaced by
a very large one. It is read, or refused with one ValueError; the memory is limited to what the whole file needs and a
little more, and no file may take longer than a few seconds.
"""

import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tiny_gguf import random_llama, write

from minigpt.pretrained.gguf import load_gguf

HUGE = [2**64 - 1, 2**63, 2**40, 2**32 - 1, 2**31, 10**6, 0]
SLOWEST = 5.0  # seconds of CPU time
MORE_MEMORY = 2**29  # bytes


def damaged(data, header_size, rng):
    """One damaged copy of a file; nearly always it is the head that is damaged."""
    data = bytearray(data)
    last = header_size if rng.random() < 0.9 else len(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(last)
        match rng.randrange(7):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.choice([1, 4, 8, 1000])]
            case 3:
                data[at:at] = rng.randbytes(rng.choice([1, 4, 8, 100]))
            case 4:
                del data[at:]
            case 5:
                other = rng.randrange(last)
                data[at : at + 8], data[other : other + 8] = data[other : other + 8], data[at : at + 8]
            case _:
                data[at : at + 8] = struct.pack("<Q", rng.choice(HUGE))
        last = min(last, len(data))
        if not last:
            break
    return bytes(data)


def campaign(n_files, seed=0):
    """How often each outcome came: "read", or the first words of an error."""
    outcomes, rng, slowest = Counter(), random.Random(seed), 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.gguf"
        whole = write(path, random_llama(), kind="Q8_0").read_bytes()
        header_size = whole.index(b"blk.1.ffn_down.weight") + 60
        for _ in range(n_files):
            path.write_bytes(damaged(whole, header_size, rng))
            start = time.process_time()
            try:
                load_gguf(path)
                outcomes["read"] += 1
            except ValueError as error:
                if not str(error).startswith(str(path)) or len(str(error)) > 1000:
                    raise
                outcomes["refused: " + " ".join(str(error).split("used: ")[-1].split()[:2])] += 1
            slowest = max(slowest, time.process_time() - start)
    assert slowest < SLOWEST, slowest
    return outcomes, slowest


def main():
    n_files = int(sys.argv[1]) if sys.argv[1:] else 1000
    campaign(1)  # imports
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE_MEMORY, used + MORE_MEMORY))
    outcomes, slowest = campaign(n_files, seed=1)
    for outcome, count in outcomes.most_common():
        print(f"{count:6}  {outcome}")
    print(f"slowest: {slowest:.2f} s of CPU time; memory limited to {MORE_MEMORY >> 20} MB more than before")


if __name__ == "__main__":
    main()
