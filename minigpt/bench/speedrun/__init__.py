"""How soon a small model reaches a loss on Tiny Shakespeare: fixed tracks, an honest clock, and nanoGPT's command."""

from minigpt.bench.speedrun.leaderboard import read_leaderboard, record
from minigpt.bench.speedrun.measure import measure_speedrun
from minigpt.bench.speedrun.report import SpeedrunReport, TrackResult
from minigpt.bench.speedrun.tracks import TRACKS, Track

__all__ = [
    "TRACKS",
    "SpeedrunReport",
    "Track",
    "TrackResult",
    "measure_speedrun",
    "read_leaderboard",
    "record",
]
