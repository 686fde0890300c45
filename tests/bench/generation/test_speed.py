"""minigpt/bench/generation/speed.py: what is counted and what is shown. Times themselves are not asserted."""

import dataclasses
import json

import pytest
import torch

from minigpt import bench, cli
from minigpt.bench import Gain, GenerationBench, GenerationRow
from minigpt.bench.generation import writers
from minigpt.bench.generation.speed import measure_generation, rates_in_turn
from minigpt.model import GPTConfig
from minigpt.settings.language import columns_of

TINY = GPTConfig(vocab_size=65, context_length=32, d_model=32, n_layers=2, n_heads=2)
ROWS = [
    GenerationRow("int8", 75.25, 3.1, 124_000_000, 0.61),
    GenerationRow("transformers", 24.0, 1.0, 494_000_000, 0.9),
]
GAINS = [Gain("a cache", 40.0, 5.0, 8.0)]
MEASURED = GenerationBench(TINY, 8, 16, threads=1, rounds=3, bytes_per_second=13e9, rows=ROWS, gains=GAINS)


def test_the_table_and_the_json_have_a_line_for_each_contender():
    assert str(MEASURED).splitlines()[:8] == [
        f"2 × 32, random weights, greedy, one row: 8 tokens and 16 more; 1 threads, torch {torch.__version__}",
        "medians of 3 rounds in turn; limit 13.0 GB/s",
        "                                        tokens/s   ratio       MB   GB/s  of products",
        "int8                                        75.2    3.10    124.0    9.3          61%",
        "transformers                                24.0    1.00    494.0   11.9          90%",
        "",
        "                                        tokens/s   ratio  without",
        "a cache                                     40.0    8.00      5.0",
    ]
    figures = json.loads(json.dumps(MEASURED.to_json()))
    assert figures["shape"] == {"n_layers": 2, "d_model": 32, "n_heads": 2, "vocab_size": 65}
    assert figures["rows"][0] == ROWS[0]._asdict()
    assert figures["gains"] == [GAINS[0]._asdict()]


def test_the_plot_has_a_bar_for_each_contender_below_that_of_its_products():
    (axes,) = MEASURED.plot().axes
    assert [bar.get_height() for bar in axes.patches] == [75.25, 24.0]
    assert [line.get_ydata()[0] for line in axes.lines] == [75.25 / 0.61, 24.0 / 0.9]


def test_each_contender_writes_in_turn():
    seen = []
    timed = {name: lambda name=name: seen.append(name) or sum(range(10**4)) for name in "ab"}
    rates = rates_in_turn(timed, 3)
    assert "".join(seen) == "ababab"
    assert {name: len(each) for name, each in rates.items()} == {"a": 3, "b": 3}


def test_all_that_is_measured_has_a_figure(monkeypatch):
    def work():
        return sum(range(10**5))

    monkeypatch.setattr(writers, "one_row", lambda: work)
    monkeypatch.setattr(writers, "peer", lambda config, prompt, n: (work, torch.nn.Sequential()))
    monkeypatch.setattr(writers, "products", lambda model: work)
    monkeypatch.setattr(writers, "look_up", lambda n: [("a text", work, work)])
    measured = measure_generation(1, TINY, n_prompt=8, n_new=16)
    assert [row.contender for row in measured.rows] == ["float32", "bfloat16", "int8", "transformers"]
    assert [gain.what for gain in measured.gains] == ["a cache", "8 prompts together", "look-up, a text"]
    assert all(each.tokens_per_second > 0 and each.ratio > 0 for each in measured.rows + measured.gains)
    assert measured.rows[-1].ratio == 1
    with pytest.raises(ValueError, match="rounds=0 must be at least 1"):
        measure_generation(0, TINY)


def test_the_command_prints_it(monkeypatch, capsys, tmp_path):
    measured = MEASURED
    monkeypatch.setattr(bench, "measure_generation", lambda rounds: measured)
    cli.main(["bench", "generate", "--json", "--out", str(tmp_path)])
    figures = json.loads(capsys.readouterr().out)
    assert figures.items() >= json.loads(json.dumps(measured.to_json())).items()
    cli.main(["bench", "generate", "--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith(f"{measured}\n")


def test_in_chinese_only_names_are_english(in_chinese):
    gains = [Gain(f"{what}", 40.0, 5.0, 8.0) for what in ("8 prompts together", "look-up, ordinary text, SmolLM2")]
    gains += [*GAINS, Gain("look-up, repetitive text, random weights", 40.0, 5.0, 8.0)]
    told = dataclasses.replace(MEASURED, gains=gains)
    assert in_chinese(str(told)) <= {"torch", "transformers", "float", "mol"}
    assert len({columns_of(line) for line in str(told).splitlines()[6:11]}) == 1
