"""minigpt/bench/gpu.py: the plan runs, whatever fails in it. A dry run needs no GPU, and states no time."""

import json
import math
import sys
import types
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from minigpt import bench
from minigpt.bench import GpuPart, gpu, gpu_lines, gpu_plan, measure_gpu
from minigpt.bench.attention.correctness import interpreted
from minigpt.cli import main


def seconds():
    """A clock that moves on by a second at each look."""
    now = iter(range(1000))
    return lambda: float(next(now))


def test_a_dry_run_has_the_parts_of_the_real_one():
    assert [part.name for part in gpu_plan(dry=True)] == [part.name for part in gpu_plan()]


def test_the_dry_run_measures_every_part_and_prints_what_it_writes(tmp_path, capsys):
    pytest.importorskip("triton", reason="needs triton, which is for Linux")
    pytest.importorskip("transformers", reason="the peer is transformers")
    main(["bench", "gpu", "--dry", "--json", "--out", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    parts = found["parts"]
    assert json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8")) == found and found["dry"] is True
    assert {name: told.get("skipped") for name, told in parts.items()} == dict.fromkeys(
        part.name for part in gpu_plan()
    )
    assert all("seconds" not in told for told in parts.values())
    assert all(row["ok"] for row in parts["kernels"]["figures"])
    assert "TABLE" not in parts["tiles"]["figures"]["entry"]
    (track,) = parts["speedrun"]["figures"]["tracks"]
    (run,) = track["runs"]
    assert track["track"]["steps"] == 2 and math.isfinite(run["loss"])


@pytest.mark.parametrize(("dry", "limit"), [(True, 90), (False, 330)])
def test_no_part_starts_after_a_minute_and_a_half_or_on_a_gpu_five(tmp_path, monkeypatch, dry, limit):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "machine_line", str)
    for passed in (limit, limit + 1):
        clock = iter([0.0, *[float(passed)] * 3])
        found = measure_gpu(tmp_path, dry=dry, plan=[GpuPart("one", lambda: 1)], clock=clock.__next__)
        assert ("figures" in found["parts"]["one"]) is (passed == limit)


def test_kernels_that_take_too_long_in_the_interpreter_are_ended():
    with pytest.raises(ValueError, match=r"the kernel takes more than 0 s in Triton's interpreter"):
        interpreted("import time; time.sleep(60)", at_most=0.01)


def test_a_part_that_fails_says_why_and_the_others_run(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "machine_line", lambda device: f"a machine with {device}")
    plan = [GpuPart("bad", lambda: 1 / 0), GpuPart("good", lambda: {"rate": float("inf"), "dtype": torch.float16})]
    found = measure_gpu(tmp_path, plan=plan, clock=seconds())
    assert found["parts"] == {
        "bad": {"skipped": "ZeroDivisionError: division by zero"},
        "good": {"seconds": 1.0, "figures": {"rate": None, "dtype": "torch.float16"}},
    }
    assert list(gpu_lines(found)) == [
        "a machine with cuda",
        "bad         ZeroDivisionError: division by zero",
        "good        measured in 1 s",
    ]


def test_each_part_is_on_disk_before_the_next_starts_and_none_starts_when_the_time_is_up(tmp_path):
    seen = []

    def look():
        seen.append(list(json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]))

    plan = [GpuPart("first", lambda: 1), GpuPart("second", look), GpuPart("late", look)]
    found = measure_gpu(tmp_path, dry=True, plan=plan, limit=4.5, clock=seconds())
    assert seen == [["first"]] and found["parts"]["late"] == {"skipped": "the time was up"}


def test_without_a_gpu_there_is_the_dry_run(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="finds none here; --dry runs the same plan in tiny sizes on the CPU"):
        measure_gpu(tmp_path)


@dataclass(frozen=True)
class _Track:
    steps: int = 300
    batch_size: int = 16
    context_length: int = 64
    n_layers: int = 4
    d_model: int = 128
    n_heads: int = 4
    settings: dict = field(default_factory=lambda: {"precision": "auto"})


@pytest.mark.parametrize("dry", [True, False])
def test_the_speedrun_runs_its_shortest_track_on_this_device_where_there_is_one(monkeypatch, dry):
    asked = []

    def measure_speedrun(tracks, **options):
        asked.append((*tracks, options, Path(options["text"]).read_text() if "text" in options else None))
        return types.SimpleNamespace(to_json=lambda: {"seconds": 1})

    room = types.ModuleType("minigpt.bench.speedrun")
    room.TRACKS, room.measure_speedrun = {"a": _Track(), "b": None}, measure_speedrun
    monkeypatch.setitem(sys.modules, "minigpt.bench.speedrun", room)
    monkeypatch.setattr(bench, "speedrun", room, raising=False)
    monkeypatch.setattr(gpu, "find_spec", lambda name: object())
    assert gpu._speedrun(dry=dry) == {"seconds": 1}
    ((track, options, text),) = asked
    assert options["yardstick_steps"] == 0
    assert (track.steps, bool(text)) == ((2, True) if dry else (300, False))
    assert track.settings == ({"precision": "auto"} if dry else {"precision": "auto", "device": "cuda"})


def test_without_a_speedrun_its_part_says_so(monkeypatch):
    monkeypatch.setattr(gpu, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"has no minigpt\.bench\.speedrun"):
        gpu._speedrun(dry=True)


def test_in_chinese_the_lines_are_and_the_file_is_not(in_chinese, tmp_path):
    clock = iter([0.0, 0.0, 0.0, 99.0])
    plan = [GpuPart("one", lambda: 1), GpuPart("two", lambda: 1)]
    found = measure_gpu(tmp_path, dry=True, plan=plan, clock=lambda: next(clock))
    assert found["parts"]["two"] == {"skipped": "the time was up"}
    first, *parts = gpu_lines({**found, "machine": "a CPU"})
    assert first == "a CPU，试运行：其中没有任何数字能说明速度"
    assert parts == ["one         已测量", "two         时间已到"]
    assert list(gpu_lines({**found, "parts": {"one": {"seconds": 3.2}}}))[1] == "one         已测量，用时 3 秒"
