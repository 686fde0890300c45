"""minigpt/cost/hardware/runs.py: the share of the peak that published runs reached."""

import statistics

import pytest

from minigpt.cost.hardware import DEFAULT_MFU, PUBLISHED_RUNS

MFU = {
    "GPT-3 175B": 0.197, "LLaMA 7B": 0.43, "LLaMA 13B": 0.51, "LLaMA 33B": 0.46, "LLaMA 65B": 0.48, "OPT 175B": 0.346,
    "BLOOM 176B": 0.318, "Llama 2 7B": 0.39, "Llama 2 70B": 0.43, "Llama 3.1 405B": 0.346, "nanoGPT 124M": 0.255,
    "llm.c 124M": 0.52, "llm.c 1558M": 0.46,
}  # fmt: skip


def test_the_share_of_each_run_is_the_known_one():
    assert {run.name: run.mfu for run in PUBLISHED_RUNS} == pytest.approx(MFU, abs=5e-3)


def test_the_default_is_the_median():
    assert round(statistics.median(run.mfu for run in PUBLISHED_RUNS), 2) == DEFAULT_MFU
