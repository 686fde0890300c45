"""Calibration of a model that was trained, for seconds: it knows some answers, and its confidence tells which."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from test_calibration import literal_error

import minigpt as mg
from minigpt.text.tinyworld import encode_parts, task_of, task_rows

WORLD, OTHER = mg.TinyWorld(split="train", seed=3), mg.TinyWorld(split="test", seed=5)
TOKENIZER = mg.BPETokenizer.train(WORLD.text(400), 600)


@pytest.fixture(scope="module")
def trained():
    shape = {"vocab_size": TOKENIZER.vocab_size, "context_length": 400, "d_model": 32, "n_heads": 2, "n_layers": 1}
    config = mg.GPTConfig(**shape, norm="rms", position="rope-half", bias=False)
    model = mg.GPT(config, generator=torch.Generator().manual_seed(0))
    settings = {"optimizer": "muon", "learning_rate": 0.02, "batch_size": 8, "device": "cpu", "eval_every": 0}
    mg.train(model, task_rows("qa", WORLD, TOKENIZER, 400), mg.TrainConfig(steps=200, **settings), progress=False)
    return model.eval()


@torch.no_grad()
def written(model: mg.GPT, ids: list[int]) -> tuple[str, float]:
    """The greedy answer, up to its line end, and its probability; token by token."""
    text, probability = "", 1.0
    while "\n" not in text:
        p = torch.softmax(model(torch.tensor([ids]))[0, -1].double(), -1)
        ids = [*ids, int(p.argmax())]
        text, probability = text + TOKENIZER.decode(ids[-1:]), probability * float(p.max())
    return text, probability


def by_hand(model: mg.GPT, n: int) -> Iterator[tuple[float, bool]]:
    for i in range(n):
        ids, answers = encode_parts(task_of("qa").example(OTHER, i), TOKENIZER)
        for _, start, stop in answers:
            text, probability = written(model, ids[:start])
            yield probability, text == TOKENIZER.decode(ids[start:stop])


def test_the_diagram_and_the_error_are_those_of_its_answers_one_by_one(trained):
    confidence, right = map(np.array, zip(*by_hand(trained, 6), strict=True))
    report = mg.evaluate_calibration(trained, "qa", OTHER, TOKENIZER, 6, n_bins=7, progress=False)
    assert 0 < right.sum() < len(right) > 40
    np.testing.assert_allclose(report.confidence, confidence, rtol=1e-4)
    np.testing.assert_array_equal(report.right, right)
    assert report.error == pytest.approx(literal_error(confidence, right, 7), rel=1e-4)
    for low, high, n, mean, accuracy in report.bins:
        mine = (low < confidence) & (confidence <= high)
        assert n == mine.sum()
        assert not n or (mean, accuracy) == pytest.approx((confidence[mine].mean(), right[mine].mean()), rel=1e-4)


def test_the_fewer_questions_it_answers_the_fewer_of_them_are_wrong(trained):
    report = mg.evaluate_calibration(trained, "qa", OTHER, TOKENIZER, 24, progress=False)
    risks = [report.risk_at(coverage) for coverage in (0.25, 0.5, 0.75, 1.0)]
    assert risks == sorted(risks) and risks[0] < risks[-1] - 0.1
    assert risks[-1] == pytest.approx(1 - report.accuracy)
