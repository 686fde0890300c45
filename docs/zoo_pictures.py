"""Train the runs of the bug zoo and draw the pictures of "My loss looks like this" into ``docs/_static/zoo``.

::

    python docs/zoo_pictures.py [FOLDER]

It takes a minute on a CPU and gives the same pictures each time.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from minigpt.learn.zoo import BUGS, run

STATIC = Path(__file__).with_name("_static") / "zoo"
NAMES = [name for name in BUGS if name != "fp16-without-loss-scale"]  # whose two curves coincide
SIZE, DOTS = (5.0, 2.9), 120  # inches, and dots an inch


def main(folder: Path, names: Sequence[str] = NAMES) -> None:
    """Write a picture for each bug."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        figure = run(name).plot()
        figure.set_size_inches(SIZE)
        figure.savefig(folder / f"{name}.png", dpi=DOTS, metadata={"Software": None})


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else STATIC)
