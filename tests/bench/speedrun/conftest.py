"""A tiny text and a tiny track, and a clock that only moves when it is told to."""

import random
import sys
from pathlib import Path

import pytest

from minigpt.bench.speedrun.tracks import TRACKS, Track
from minigpt.text import TokenDataset

sys.path.append(str(Path(__file__).parent))  # the tests import the module beside them


class FakeClock:
    """Seconds that pass only where a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def tiny_text(tmp_path):
    """900 characters to train on; the 100 after them have letters of their own."""
    draw = random.Random(0)
    path = tmp_path / "tiny.txt"
    train, validation = (
        "".join(draw.choice(letters) for _ in range(n)) for letters, n in (("abc ", 900), ("xyz ", 100))
    )
    path.write_text(train + validation, encoding="utf-8")
    return path


@pytest.fixture
def tiny_track():
    settings = {**TRACKS["1.88"].settings, "warmup_steps": 2, "precision": "fp32", "compile": False}
    sizes = {"context_length": 7, "n_layers": 1, "d_model": 8, "n_heads": 2}
    return Track(name="tiny", target=99.0, steps=8, batch_size=3, learning_rate=0.01, **sizes, settings=settings)


@pytest.fixture
def ticking(monkeypatch):
    """A clock on which a batch takes 1 s, and a batch of an evaluation 100 s."""
    clock = FakeClock()
    batch, rows = TokenDataset.batch, TokenDataset._rows

    def timed_batch(self, *arguments, **options):
        clock.now += 1
        before = clock.now
        drawn = batch(self, *arguments, **options)
        clock.now = before  # reading the rows of a batch takes no more
        return drawn

    def timed_rows(self, starts):
        clock.now += 100
        return rows(self, starts)

    monkeypatch.setattr(TokenDataset, "batch", timed_batch)
    monkeypatch.setattr(TokenDataset, "_rows", timed_rows)
    return clock
