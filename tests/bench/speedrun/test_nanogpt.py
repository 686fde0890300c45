"""minigpt/bench/speedrun/nanogpt.py: its settings are those that nanoGPT's README, config file and train.py have."""

import ast
import math

import pytest
import torch

from minigpt.bench.speedrun.nanogpt import PUBLISHED, nanogpt_peer, nanogpt_rate, restated, restated_config
from minigpt.model import GPT
from minigpt.text import TokenDataset

# The values that its files have at commit 3adf61e; a later one replaces an earlier one.
TRAIN_PY = (
    "n_layer = 12, n_head = 12, n_embd = 768, block_size = 1024, dropout = 0.0, bias = False, learning_rate = 6e-4, \
max_iters = 600000, weight_decay = 1e-1, beta1 = 0.9, beta2 = 0.95, grad_clip = 1.0, warmup_iters = 2000, \
lr_decay_iters = 600000, min_lr = 6e-5, batch_size = 12"
)
SHAKESPEARE_CHAR = "batch_size = 64, block_size = 256, n_layer = 6, n_head = 6, n_embd = 384, dropout = 0.2, \
learning_rate = 1e-3, max_iters = 5000, lr_decay_iters = 5000, min_lr = 1e-4, beta2 = 0.99, warmup_iters = 100"
README = "--device=cpu --compile=False --eval_iters=20 --log_interval=1 --block_size=64 --batch_size=12 --n_layer=4 \
--n_head=4 --n_embd=128 --max_iters=2000 --lr_decay_iters=2000 --dropout=0.0"
NOT_OF_THE_TRAINING = {"device", "compile", "eval_iters", "log_interval"}


def published():
    command = README.replace("--", "").split()
    given = [*TRAIN_PY.split(", "), *SHAKESPEARE_CHAR.split(", "), *(each for each in command if "cpu" not in each)]
    pairs = (each.split("=") for each in given)
    values = {name.strip(): ast.literal_eval(value.strip()) for name, value in pairs}
    return {name: value for name, value in values.items() if name not in NOT_OF_THE_TRAINING}


def data():
    return TokenDataset(torch.arange(200) % 65, 64, vocab_size=65)


def test_the_settings_are_the_published_ones():
    assert published() == PUBLISHED


def test_the_restated_model_has_as_many_parameters_as_nanogpt_says():
    model = GPT(restated_config(65))
    without_positions = sum(p.numel() for p in model.parameters()) - 64 * 128
    assert without_positions == 12 * 4 * 128**2 + 65 * 128 + 9 * 128  # it prints 0.80M


def test_every_embedding_of_the_restated_model_starts_with_a_deviation_of_0_02():
    model = restated(data()).model
    for name in ("token_embedding.weight", "position.embedding.weight"):
        assert math.isclose(model.get_parameter(name).std().item(), 0.02, rel_tol=0.05)


@pytest.mark.parametrize(
    ("t", "rate"), [(0, 1e-3 / 101), (99, 1e-3 * 100 / 101), (100, 1e-3), (2000, 1e-4), (2500, 1e-4)]
)
def test_the_rate_is_that_of_get_lr(t, rate):
    assert math.isclose(nanogpt_rate(t), rate, rel_tol=1e-12)


def test_half_way_down_the_cosine_the_rate_is_the_middle():
    assert math.isclose(nanogpt_rate(1050), (1e-3 + 1e-4) / 2)


def test_a_step_of_the_restated_model_lowers_its_loss():
    contender, ids = restated(data()), torch.arange(65).expand(2, 65)
    loss = torch.nn.CrossEntropyLoss()
    before = loss(contender.model(ids[:, :-1]).mT, ids[:, 1:]).item()
    for _ in range(3):
        contender.step(ids[:, :-1], ids[:, 1:], 1e-3)
    assert loss(contender.model(ids[:, :-1]).mT, ids[:, 1:]).item() < before - 0.1


MODEL_PY = """
from dataclasses import dataclass
import torch
from torch.nn import functional as F

@dataclass
class GPTConfig:
    n_layer: int
    n_head: int
    n_embd: int
    block_size: int
    bias: bool
    dropout: float
    vocab_size: int

class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.table = config, torch.nn.Embedding(config.vocab_size, config.vocab_size)
        print("number of parameters: 0.00M")

    def configure_optimizers(self, weight_decay, learning_rate, betas, device_type):
        self.asked = (weight_decay, learning_rate, betas, device_type)
        return torch.optim.SGD(self.parameters(), lr=learning_rate)

    def forward(self, idx, targets=None):
        logits = self.table(idx)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
"""


def test_the_model_of_a_checkout_is_trained_at_the_rate_that_is_given(tmp_path, capsys):
    (tmp_path / "model.py").write_text(MODEL_PY, encoding="utf-8")
    state = torch.get_rng_state()
    contender = nanogpt_peer(tmp_path, 11)
    assert torch.equal(torch.get_rng_state(), state) and capsys.readouterr().out == ""
    model = contender.model.model
    assert model.asked == (0.1, 1e-3, (0.9, 0.99), "cpu")
    assert (model.config.n_layer, model.config.block_size, model.config.vocab_size) == (4, 64, 11)
    ids = torch.tensor([[3, 4, 5]])
    assert contender.model(ids).shape == (1, 3, 11)
    before = model.table.weight.clone()
    contender.step(ids, ids, 0.0)
    assert torch.equal(model.table.weight, before)
    contender.step(ids, ids, 0.5)
    moved = (model.table.weight - before).detach()
    assert 0 < moved.norm() <= 0.5 * 1.0001  # the gradient was clipped to 1 at the most
    assert set(moved.abs().sum(1).nonzero()[:, 0].tolist()) == {3, 4, 5}


@pytest.mark.parametrize(("code", "message"), [(None, "does not exist; clone"), ("x = 1", "has no GPT and GPTConfig")])
def test_a_folder_without_its_model_is_refused(tmp_path, code, message):
    if code is not None:
        (tmp_path / "model.py").write_text(code, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        nanogpt_peer(tmp_path, 11)
