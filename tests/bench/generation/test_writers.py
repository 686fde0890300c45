"""minigpt/bench/generation/writers.py: what is timed does what its name says. Times themselves are not asserted."""

import pytest
import torch

from minigpt.bench.generation import writers
from minigpt.generation import for_generation
from minigpt.model import GPT, GPTConfig

TINY = GPTConfig(vocab_size=65, context_length=64, d_model=32, n_layers=2, n_heads=2)


@pytest.mark.parametrize(("weights", "word"), [("float32", 4), ("bfloat16", 2), ("int8", 1)])
def test_the_bytes_of_a_token_are_those_of_every_matrix_and_of_the_head(weights, word):
    model = GPT(TINY)
    n_numbers = 2 * 12 * 32**2 + 65 * 32
    assert writers.matrix_bytes(model) == 4 * n_numbers
    assert writers.matrix_bytes(for_generation(model, weights)) == word * n_numbers


@pytest.mark.parametrize("weights", ["float32", "bfloat16", "int8"])
def test_the_products_are_those_of_every_matrix_with_one_row(weights, monkeypatch):
    monkeypatch.setattr(writers, "PASSES", 3)
    copy, seen = for_generation(GPT(TINY), weights), []
    write = writers.products(copy)
    for name, layer in writers.matrix_layers(copy):
        layer.register_forward_pre_hook(lambda _, inputs, name=name: seen.append((name, inputs[0].shape[:-1])))
    assert write() == 3
    names = [f"blocks.{i}.{part}" for i in (0, 1) for part in ("attention.project_qkv", "attention.project_out")]
    assert {name for name, _ in seen} > set(names) and len(seen) == 3 * (2 * 4 + 1)
    assert {shape for _, shape in seen} == {(1, 1)}


def test_the_loop_without_a_cache_reads_texts_as_long_on_average_as_all():
    model, lengths = GPT(TINY), []
    model.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    assert writers.uncached(model, 16, 48)() == 3
    assert lengths == [24, 40, 56]


def test_prompts_together_and_one_by_one_write_as_much():
    model, prompts = GPT(TINY), [torch.zeros(n, dtype=torch.int64) for n in (1, 5)]
    assert writers.greedy(model, prompts, 3)() == writers.one_by_one(model, prompts, 3)() == 6


def test_a_look_up_writes_as_much_as_the_model_alone(monkeypatch):
    monkeypatch.setattr(writers, "find_spec", lambda name: None)
    monkeypatch.setattr(writers.GPTConfig, "preset", lambda name: TINY)
    ((name, fast, plain),) = writers.look_up(12)
    assert name == "repetitive text, random weights" and fast() == plain() == 12


def test_the_limit_counts_the_bytes_that_it_reads(monkeypatch):
    monkeypatch.setattr(writers, "PASSES", 2)
    assert writers.one_row(2**14)() == 2 * 2**14
