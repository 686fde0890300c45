"""minigpt/runs/recipes.py: the sizes of "fast" on machines that are described, beside measurements and predictions."""

import json
import math
from pathlib import Path

import pytest

import minigpt as mg
from minigpt.bench.speedrun.tracks import TRACKS
from minigpt.cost import StepPlan, predict_memory
from minigpt.runs.recipes import FAST_SIZES, FP32_TAKES, MOST_OF_MEMORY, RECIPES, STEP_SECONDS, hardware_sizes
from minigpt.runs.source import text_bytes
from minigpt.training.processes.hardware import Hardware

GIB = 2**30
SPEEDRUN = Path(__file__).parents[2] / "docs/explanation/speedrun.json"


def machine(**changes):
    usual = {"cpu": "A Fine CPU", "cores": 2, "threads": 2, "memory": 16 * GIB, "bf16": True}
    return Hardware(**usual | changes)


def gpu(gibibytes):
    return machine(gpu="A Fine GPU", gpu_memory=int(gibibytes * GIB))


@pytest.mark.parametrize(
    ("hardware", "n_bytes", "shape", "why"),
    [
        (machine(), None, (4, 192, 3, 256, 12), "a step of the next larger would take about 0.32 s on 2 cores with "),
        (machine(bf16=False), None, (2, 128, 4, 64, 32), "would take about 0.21 s on 2 cores without bfloat16"),
        (machine(bf16=False, cores=3, threads=3), None, (4, 192, 3, 256, 12), "on 3 cores without bfloat16"),
        (machine(threads=1), None, (2, 128, 4, 64, 32), "would take about 0.19 s on 1 core with bfloat16"),
        (machine(cores=8, threads=8), None, (6, 384, 6, 256, 8), "there is no larger one in the table"),
        (machine(memory=2 * GIB), None, (2, 128, 4, 64, 32), "may need 2.2 GiB of memory, too much for the 2.0 GiB"),
        (machine(memory=None), None, (4, 192, 3, 256, 12), "0.32 s"),
        (machine(cores=8, threads=8), 340_000, (4, 192, 3, 256, 12), "the next larger is too large for the text"),
        (machine(), 20_000, (2, 128, 4, 64, 32), "the next larger is too large for the text"),
        (gpu(80), None, (12, 768, 12, 1024, 32), "there is no larger one in the table"),
        (gpu(23.6), None, (12, 768, 12, 1024, 8), "42.7 GiB of memory, too much for the 23.6 GiB of the A Fine GPU"),
        (gpu(14.7), None, (8, 512, 8, 512, 16), "11.8 GiB"),
        (gpu(6), None, (6, 384, 6, 256, 8), "6.6 GiB"),
        (gpu(80), 1_115_394, (6, 384, 6, 256, 32), "the next larger is too large for the text"),
        (gpu(0.5), 100, (2, 128, 4, 64, 32), "the next larger is too large for the text"),
    ],
)
def test_each_machine_gets_the_largest_sizes_that_time_memory_and_text_allow(hardware, n_bytes, shape, why):
    sizes, told = hardware_sizes(hardware, n_bytes)
    assert sizes[:5] == shape and why in told
    assert told.startswith(f"{shape[0]} × {shape[1]}, context {shape[3]:,}: ")


def test_it_is_said_in_chinese_too(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert hardware_sizes(machine())[1] == (
        "4 × 192，上下文 256：在 2 个有 bfloat16 指令的核上，再大一档每步约需 0.32 秒"
    )
    assert hardware_sizes(gpu(40))[1].endswith("再大一档可能需要 42.7 GiB 内存，而这里只有 40.0 GiB")


@pytest.mark.parametrize("sizes", FAST_SIZES, ids=str)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_memory_of_sizes_is_at_least_what_is_predicted_with_the_vocabulary_of_gpt2(sizes, precision):
    shape = {name: size for name, size in sizes.settings.items() if name != "batch_size"}
    config = mg.GPTConfig(**RECIPES["fast"].model, **shape, vocab_size=50257)
    plan = StepPlan(n_positions=sizes.context_length, precision=precision, optimizer="muon")
    needed = predict_memory(config, plan).total(sizes.batch_size) / GIB
    assert needed <= sizes.memory
    if precision == "fp32":
        assert sizes.memory - 0.1 <= needed


@pytest.mark.parametrize("gibibytes", [4, 8, 12, 16, 24, 40, 80, 141])
def test_the_chosen_sizes_fit_the_memory_of_the_gpu(gibibytes):
    sizes, _ = hardware_sizes(gpu(gibibytes))
    assert sizes.memory <= MOST_OF_MEMORY * gibibytes


def test_the_times_are_those_of_the_speedrun_on_two_cores():
    measured = {}
    for entry in json.loads(SPEEDRUN.read_text(encoding="utf-8"))["entries"]:
        if entry["machine"]["cores"] == 2:
            track = TRACKS[entry["track"]]
            shape = (track.n_layers, track.d_model, track.n_heads, track.context_length, track.batch_size)
            seconds = 2 * entry["seconds"] / entry["steps"]
            measured[shape] = min(seconds, measured.get(shape, math.inf))  # compiled, on the fastest machine
    known = {sizes[:5]: sizes.core_seconds for sizes in FAST_SIZES if sizes[:5] in measured}
    assert len(known) == 2
    for shape, seconds in known.items():
        assert seconds == pytest.approx(measured[shape], rel=0.1)


def test_a_run_of_the_default_length_is_over_in_five_minutes():
    for hardware in (machine(cores=n, threads=n, bf16=bf16) for n in (1, 2, 4, 64) for bf16 in (False, True)):
        sizes, _ = hardware_sizes(hardware)
        seconds = sizes.core_seconds * (1 if hardware.bf16 else FP32_TAKES) / hardware.cores
        assert seconds <= STEP_SECONDS and 2000 * STEP_SECONDS == 300


def test_the_bytes_of_a_text_are_those_of_its_files(tmp_path):
    (tmp_path / "a.txt").write_text("12345")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.txt").write_text("678")
    assert text_bytes(tmp_path / "a.txt") == 5 and text_bytes(tmp_path) == 8
    (tmp_path / "c.py").write_text("90")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "pack.txt").write_text("of a folder that is not read")
    assert text_bytes(tmp_path) == 8 and text_bytes(tmp_path, glob="*.py") == 2
    assert mg.RunConfig.of(text=tmp_path, glob="*.py").source.n_bytes == 2
    assert text_bytes(tmp_path / "none") is None and text_bytes(None) is None
    assert text_bytes(None, "no-such") is None


@pytest.mark.parametrize("name", ["python-docs", "tiny-world"])
def test_the_bytes_of_a_corpus_are_about_those_it_has(name):
    assert text_bytes(None, name) == pytest.approx(len(mg.load_corpus(name).encode()), rel=0.25)


def test_a_source_that_makes_up_its_text_has_no_bytes(tmp_path):
    of = mg.RunConfig.of
    assert of(task="story").source.n_bytes is None and of(data=tmp_path).source.n_bytes is None
    assert of().source.n_bytes == 340_000
