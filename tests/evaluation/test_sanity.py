import math

import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt import sanity
from minigpt.training.execution.precision import Precision

V, T = 40, 8
IDS = torch.randint(V, (4, T), generator=torch.Generator().manual_seed(0))
DATA = mg.TokenDataset(torch.randint(V, (400,), generator=torch.Generator().manual_seed(1)), T, vocab_size=V)
OTHER = mg.TokenDataset(torch.randint(V, (400,), generator=torch.Generator().manual_seed(2)), T, vocab_size=V)


def gpt(**settings):
    shape = {"vocab_size": V, "context_length": T, "d_model": 16, "n_heads": 2, "n_layers": 1, "dropout": 0.0}
    return mg.GPT(mg.GPTConfig(**{**shape, **settings}), generator=torch.Generator().manual_seed(0))


class Both(nn.Module):
    """Logits from a position and its neighbours on both sides."""

    def __init__(self):
        super().__init__()
        self.table, self.mix = nn.Embedding(V, 16), nn.Conv1d(16, V, 3, padding=1)

    def forward(self, ids):
        return self.mix(self.table(ids).mT).mT


def test_a_healthy_model_and_its_data_pass_every_check():
    found = sanity.check_before_training(gpt(), DATA, OTHER)
    assert [each.name for each in found if not each] == []
    assert [each.name for each in found] == [
        *("targets", "causal", "logits", "first loss", "gradients", "evaluation", "splits")
    ]
    assert str(found[1]).startswith("ok    causal: ")


def test_a_model_that_sees_both_sides_is_not_causal():
    assert sanity.check_causal(gpt(), IDS)
    assert str(sanity.check_causal(Both(), IDS)).startswith("FAIL  causal: ")


@pytest.mark.parametrize("ids", [torch.tensor([[3, 5]]), torch.full((2, T - 1), 7), torch.tensor([[V - 1, V - 1]])])
def test_a_look_ahead_is_found_in_a_batch_of_one_and_in_equal_tokens(ids):
    assert sanity.check_causal(gpt(), ids)
    assert not sanity.check_causal(Both(), ids)


class Pairs(torch.utils.data.Dataset):
    def __init__(self, shift):
        self.shift = shift

    def __len__(self):
        return 20

    def __getitem__(self, i):
        ids = torch.arange(i, i + T + 3) % V
        return ids[:T], ids[self.shift : self.shift + T]


@pytest.mark.parametrize(("shift", "ok"), [(0, False), (1, True), (2, False)])
def test_targets_are_the_next_tokens(shift, ok):
    from minigpt.text.datasets.items import as_dataset

    assert bool(sanity.check_targets(as_dataset(Pairs(shift), context_length=T, vocab_size=V))) is ok


def test_probabilities_are_not_logits():
    model = gpt()
    assert sanity.check_logits(model, IDS)
    model.head.register_forward_hook(lambda head, inputs, logits: logits.softmax(-1))
    assert not sanity.check_logits(model, IDS)


def test_an_untrained_model_starts_as_a_uniform_guess():
    assert sanity.check_first_loss(gpt(), DATA)
    found = sanity.check_first_loss(gpt(init_std=2.0), DATA)
    assert not found and f"a uniform guess has {math.log(V):.3f}" in found.says


def test_a_matrix_without_a_gradient_is_named():
    model = gpt()
    model.blocks[0].mlp.requires_grad_(False).apply(
        lambda part: [nn.init.zeros_(p) for p in part.parameters(recurse=False)]
    )
    model.blocks[0].mlp.requires_grad_(True)
    found = sanity.check_gradients(model, DATA)
    assert not found and "the first is blocks.0.mlp." in found.says
    assert all(p.grad is None for p in model.parameters())


def test_a_model_with_dropout_in_evaluation_does_not_repeat_itself():
    model = gpt(dropout=0.5).train()
    assert sanity.check_evaluation(model, IDS) and model.training
    vars(model)["eval"] = lambda: model
    assert not sanity.check_evaluation(model, IDS)


def test_validation_text_in_the_training_text_is_found():
    assert sanity.check_splits(DATA, OTHER)
    leaked = mg.TokenDataset(
        torch.cat([torch.arange(33) % V, *(tokens_of(each) for each in (OTHER, DATA))]), T, vocab_size=V
    )
    assert not sanity.check_splits(leaked, OTHER)


def tokens_of(data):
    return torch.cat([inputs.flatten() for inputs, _ in data.windows(1)])[: data.n_tokens - 1]


def test_a_short_validation_text_has_nothing_to_look_for():
    assert "no piece of 64 tokens" in sanity.check_splits(DATA, mg.TokenDataset(IDS[0].repeat(4), T, vocab_size=V)).says


def test_a_gradient_that_is_left_is_found():
    model = gpt()
    assert sanity.check_cleared(model)
    mg.next_token_loss(model(IDS[:, :-1]), IDS[:, 1:]).backward()
    assert not sanity.check_cleared(model)
    model.zero_grad(set_to_none=False)
    assert sanity.check_cleared(model)


def test_weight_decay_of_gains_is_found():
    model = gpt()
    from minigpt.training import decay_groups

    assert sanity.check_decay(mg.AdamW(decay_groups(model, 0.1)))
    assert sanity.check_decay(torch.optim.AdamW(model.parameters(), weight_decay=0.0))
    assert not sanity.check_decay(torch.optim.AdamW(model.parameters(), weight_decay=0.1))


@pytest.mark.parametrize(("losses", "ok"), [([4.0, 3.0, 3.5], True), ([4.0, 4.2], True), ([4.0, 4.5, 1.0], False)])
def test_the_loss_of_the_first_steps_stays_near_the_first(losses, ok):
    history = mg.History([{"step": i, "loss": loss} for i, loss in enumerate(losses)])
    assert bool(sanity.check_start(history)) is ok
    assert sanity.check_start(mg.History([]))


def test_gradients_that_float16_loses_are_counted():
    model, precision = gpt(init_std=0.002), Precision("fp16", torch.device("cpu"))
    assert sanity.check_underflow(model, DATA, precision)
    precision.scale = 1.0
    assert not sanity.check_underflow(model, DATA, precision)
