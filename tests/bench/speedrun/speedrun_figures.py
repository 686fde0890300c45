"""A report whose figures are made up."""

from minigpt.bench.speedrun.host import Host
from minigpt.bench.speedrun.protocol import SpeedrunText, TrackRun
from minigpt.bench.speedrun.report import SpeedrunReport, TrackResult
from minigpt.bench.speedrun.stopwatch import CurvePoint
from minigpt.bench.speedrun.tracks import TRACKS
from minigpt.bench.speedrun.yardstick import YardstickRun

HOST = Host(cpu="Some CPU", cores=2, memory=2**33, threads=1, system="Linux x86_64", torch="2.13.0", minigpt="0.1.0")
YARDSTICK = YardstickRun("nanoGPT's command", 2000, 90.0, (CurvePoint(50, 2.25, 2.5), CurvePoint(1900, 85.5, 1.87)))


def track_run(seed, seconds, loss):
    curve = (CurvePoint(100, seconds / 2, 2.1), CurvePoint(300, seconds, loss))
    how = {"precision": ("fp32", "bf16")[seed % 2], "compiled": seed % 2 == 1}
    return TrackRun(seed=seed, set_up_seconds=0.5, compile_seconds=0.25, seconds=seconds, loss=loss, curve=curve, **how)


def made_up(losses=(1.85, 1.87), *, text=None, yardsticks=(YARDSTICK,), n_missing=0):
    runs = tuple(track_run(seed, 10.0 + 2 * seed, loss) for seed, loss in enumerate(losses))
    text = SpeedrunText.of(text)
    tracks = (TrackResult(TRACKS["1.88"], runs),)
    return SpeedrunReport(host=HOST, text=text, tracks=tracks, yardsticks=yardsticks, n_missing=n_missing)
