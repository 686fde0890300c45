import contextlib

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.generation import Sampler, generate_ids
from minigpt.text.tinyworld import encode_parts, task_of

WORLD = mg.TinyWorld(split="test", seed=3)
TOKENIZER = mg.BPETokenizer.train(WORLD.text(40), 320)


def make_model(context_length=400):
    shape = {"d_model": 16, "n_heads": 2, "n_layers": 1, "init_std": 0.3}
    config = mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, context_length=context_length, **shape)
    return mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()


def test_the_confidence_of_a_wrong_answer_is_the_probability_of_what_the_model_writes():
    model = make_model()
    report = mg.evaluate_calibration(model, "qa", WORLD, TOKENIZER, 2, n_bins=5)
    expected = []
    for i in range(2):
        ids, answers = encode_parts(task_of("qa").example(WORLD, i), TOKENIZER)
        for _, start, stop in answers:
            prompt = torch.tensor([ids[:start]])
            most = stop - start + 8
            greedy = {"sampler": Sampler(temperature=0), "generator": torch.Generator()}
            written = generate_ids(model, prompt, max_new_tokens=most, **greedy)[0].tolist()
            log_p = torch.log_softmax(model(torch.tensor([written]))[0].double(), -1)
            total = 0.0
            for t in range(start, len(written)):
                total += log_p[t - 1, written[t]].item()
                if "\n" in TOKENIZER.decode(written[start : t + 1]):
                    break
            expected.append(total)
    assert not report.right.any()
    np.testing.assert_allclose(np.log(report.confidence), expected, rtol=1e-4)
    assert report.n_bins == 5


class Knowing(torch.nn.Module):
    """Gives every token of the examples a probability of 0.9."""

    def __init__(self, config):
        super().__init__()
        self.config, self.unused = config, torch.nn.Parameter(torch.zeros(()))
        self.texts = [encode_parts(task_of("qa").example(WORLD, i), TOKENIZER)[0] for i in range(3)]

    def forward(self, ids):
        V = TOKENIZER.vocab_size
        p = torch.full((*ids.shape, V), 0.1 / (V - 1), dtype=torch.float64)
        for row, told in zip(ids.tolist(), p, strict=True):
            for text in self.texts:
                if row[:20] == text[:20]:
                    for t, token in enumerate(text[1:]):
                        told[t, token] = 0.9
        return p.log()


def test_a_right_answer_has_the_product_of_its_tokens_probabilities():
    report = mg.evaluate_calibration(Knowing(make_model().config), "qa", WORLD, TOKENIZER, 3)
    lengths = [
        answer.stop - answer.start
        for i in range(3)
        for answer in encode_parts(task_of("qa").example(WORLD, i), TOKENIZER)[1]
    ]
    assert report.right.all()
    np.testing.assert_allclose(report.confidence, 0.9 ** np.array(lengths))


def test_an_example_beyond_the_context_is_refused():
    with pytest.raises(ValueError, match=r"more than context_length=9 and one"):
        mg.evaluate_calibration(make_model(9), "qa", WORLD, TOKENIZER, 1)


def test_each_module_has_its_own_mode_back_after_a_failure_too():
    for model in (make_model(), make_model(8)):
        model.train().blocks[0].eval()
        with contextlib.suppress(ValueError):
            mg.evaluate_calibration(model, "qa", WORLD, TOKENIZER, 1, progress=False)
        assert model.training and not any(module.training for module in model.blocks[0].modules())
