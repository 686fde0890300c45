"""minigpt/bench/generation.py: what is counted and what is shown. Times themselves are not asserted."""

import json

import pytest
import torch

from minigpt import bench, cli
from minigpt.bench import GenerationBench, GenerationRow, generation
from minigpt.bench.generation import matrix_bytes, measure_generation
from minigpt.generation import for_generation
from minigpt.model import GPT, GPTConfig

TINY = GPTConfig(vocab_size=65, context_length=32, d_model=32, n_layers=2, n_heads=2)
ROWS = [
    GenerationRow("int8", 75.25, 3.1, 124_000_000, 0.61),
    GenerationRow("transformers", 24.0, 1.0, 494_000_000, 0.9),
]


def test_the_table_and_the_json_have_a_line_for_each_contender():
    measured = GenerationBench(TINY, 8, 16, threads=1, rounds=3, bytes_per_second=13e9, rows=ROWS)
    assert str(measured).splitlines()[:5] == [
        f"2 × 32, random weights, greedy, one row: 8 tokens and 16 more; 1 threads, torch {torch.__version__}",
        "medians of 3 rounds in turn; limit 13.0 GB/s",
        "                tokens/s   ratio       MB  of limit",
        "int8                75.2    3.10    124.0       61%",
        "transformers        24.0    1.00    494.0       90%",
    ]
    figures = json.loads(json.dumps(measured.to_json()))
    assert figures["shape"] == {"n_layers": 2, "d_model": 32, "n_heads": 2, "vocab_size": 65}
    assert figures["rows"][0] == ROWS[0]._asdict()


@pytest.mark.parametrize(("weights", "word"), [("float32", 4), ("bfloat16", 2), ("int8", 1)])
def test_the_bytes_of_a_token_are_those_of_every_matrix_and_of_the_head(weights, word):
    model = GPT(TINY)
    n_numbers = 2 * 12 * 32**2 + 65 * 32
    assert matrix_bytes(model) == 4 * n_numbers
    assert matrix_bytes(for_generation(model, weights)) == word * n_numbers


def test_each_contender_writes_in_turn(monkeypatch):
    monkeypatch.setattr(generation, "one_row_rate", lambda: 1e9)
    monkeypatch.setattr(generation, "_peer", lambda config, prompt: lambda n: sum(range(10**5)))
    measured = measure_generation(1, TINY, n_prompt=8, n_new=16)
    assert [row.contender for row in measured.rows] == ["float32", "bfloat16", "int8", "uncached", "transformers"]
    assert all(row.tokens_per_second > 0 and row.ratio > 0 for row in measured.rows)
    assert measured.rows[-1].ratio == 1


def test_the_command_prints_it(monkeypatch, capsys, tmp_path):
    measured = GenerationBench(TINY, 8, 16, threads=1, rounds=3, bytes_per_second=13e9, rows=ROWS)
    monkeypatch.setattr(bench, "measure_generation", lambda rounds: measured)
    cli.main(["bench", "generate", "--json", "--out", str(tmp_path)])
    figures = json.loads(capsys.readouterr().out)
    assert figures.items() >= json.loads(json.dumps(measured.to_json())).items()
    cli.main(["bench", "generate", "--out", str(tmp_path)])
    assert capsys.readouterr().out.startswith(f"{measured}\n")
