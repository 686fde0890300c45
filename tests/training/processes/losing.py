"""What one of two processes says when the other is killed in a step. ``torchrun … losing.py FOLDER STRATEGY``."""

import os
import signal
import sys
from pathlib import Path

import several
import torch

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, strategy = sys.argv[1:]

    def end(step, options):
        if step == 2 and options["rank"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        several.train(several.Data(several.windows(), end), strategy=strategy)
    except Exception as error:
        (Path(folder) / "said.txt").write_text(f"{type(error).__name__}: {error}")
        raise
