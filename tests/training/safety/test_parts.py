"""minigpt/training/safety/parts.py: own models and data, trained, kept and resumed; or refused in one message."""

import shutil

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

import minigpt as mg
from minigpt.training import load_checkpoint

SETTINGS = {"steps": 6, "batch_size": 8, "device": "cpu", "checkpoint_every": 3}


class Bigram(nn.Module):
    """Logits from the last token alone; with a norm, which keeps running means, and dropout."""

    def __init__(self, vocab_size, *, dropout=0.2):
        super().__init__()
        self.table = nn.Embedding(vocab_size, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(8, vocab_size)

    def forward(self, ids):
        return self.head(self.drop(self.norm(self.table(ids).mT).mT))


class Windows(Dataset):
    """What a course's data usually is: pairs of inputs and targets, overlapping."""

    def __init__(self, ids, length):
        self.ids, self.length = torch.tensor(ids), length

    def __len__(self):
        return (len(self.ids) - 1) // self.length

    def __getitem__(self, i):
        row = self.ids[i * self.length : (i + 1) * self.length + 1]
        return row[:-1], row[1:]


class Stream(IterableDataset):
    def __iter__(self):
        yield from range(5)


@pytest.fixture
def bigram(tokenizer):
    def make(**changes):
        torch.manual_seed(0)
        return Bigram(tokenizer.vocab_size, **changes)

    return make


@pytest.fixture
def windows(tokenizer):
    return Windows(tokenizer.encode("the cat sat on the mat. the dog sat on the log. " * 20), 16)


def train(model, data, **options):
    settings = {name: options.pop(name) for name in list(options) if hasattr(mg.TrainConfig, name)}
    return mg.train(model, data, mg.TrainConfig(**{**SETTINGS, **settings}), progress=False, **options)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_module_of_ones_own_learns_what_a_plain_loop_would(bigram, data):
    ours, theirs = bigram(dropout=0.0), bigram(dropout=0.0).train()
    history = train(
        ours, data, optimizer="sgd", learning_rate=0.5, schedule="constant", warmup_steps=0, weight_decay=0.0
    )
    optimizer, losses = torch.optim.SGD(theirs.parameters(), lr=0.5), []
    for step in range(6):
        inputs, targets = data.batch(step, 8)
        loss = nn.functional.cross_entropy(theirs(inputs).flatten(0, 1), targets.flatten())
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        optimizer.step()
    assert history.column("loss")[1] == pytest.approx(losses, abs=1e-5)
    assert not ours.training
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_module_of_ones_own_is_resumed_exactly_with_its_buffers(bigram, data, tokenizer, tmp_path, ema):
    whole, resumed = bigram(), bigram()
    train(whole, data, out=tmp_path, tokenizer=tokenizer, ema=ema)
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000006")
    train(resumed, data, out=tmp_path, tokenizer=tokenizer, ema=ema, resume=True)
    assert weights(resumed)["norm.running_mean"].abs().max() > 0
    for name, value in weights(whole).items():
        assert torch.equal(weights(resumed)[name], value), name


def test_a_module_of_ones_own_is_loaded_into_one_that_is_given(bigram, data, tokenizer, tmp_path):
    trained = bigram()
    train(trained, data, out=tmp_path, tokenizer=tokenizer)
    loaded, same_tokenizer = mg.load_model(tmp_path, Bigram(tokenizer.vocab_size))
    assert not loaded.training
    assert same_tokenizer.to_json() == tokenizer.to_json()
    for name, value in weights(trained).items():
        assert torch.equal(weights(loaded)[name], value), name
    with pytest.raises(
        ValueError, match=r"holds a .*Bigram, which only your code can build: .* load_model\(out, model\)"
    ):
        mg.load_model(tmp_path)
    with pytest.raises(ValueError, match=r"the weights do not fit the model: of head\.bias"):
        mg.load_model(tmp_path, Bigram(tokenizer.vocab_size + 1))


def test_a_subclass_of_gpt_and_one_with_a_part_of_ones_own_are_loaded_too(make_model, data, tokenizer, tmp_path):
    class Capped(mg.GPT):
        def forward(self, ids):
            return torch.tanh(super().forward(ids))

    config = make_model().config
    for folder, make in (("capped", lambda: Capped(config)), ("swapped", lambda: swapped(make_model()))):
        model = make()
        train(model, data, out=tmp_path / folder, tokenizer=tokenizer)
        loaded, _ = mg.load_model(tmp_path / folder, make())
        ids = torch.arange(5)[None]
        assert torch.equal(loaded(ids), model(ids))
        with pytest.raises(ValueError, match=r"which only your code can build|do not fit the model"):
            mg.load_model(tmp_path / folder)


def swapped(model):
    model.blocks[0].mlp = nn.Sequential(nn.Linear(16, 4), nn.ReLU(), nn.Linear(4, 16))
    return model


def test_a_loss_at_few_positions_is_that_of_the_subclass(make_model, data):
    class Silent(mg.GPT):
        def forward(self, ids):
            return 0 * super().forward(ids)

    inputs, targets = data.batch(0, 4)
    targets[:, 1:] = -100
    loss = mg.training.accumulate_gradients(Silent(make_model().config), inputs, targets, 4)
    assert loss == pytest.approx(float(torch.tensor(data.vocab_size).log()), abs=1e-5)


def test_frozen_parameters_stay_as_they_are(bigram, data, tmp_path):
    model = bigram()
    model.table.weight.requires_grad_(False)
    before = weights(model)
    train(model, data, out=tmp_path)
    assert torch.equal(model.table.weight, before["table.weight"])
    assert not torch.equal(model.head.weight, before["head.weight"])
    assert not any(name.startswith("table") for name in load_checkpoint(tmp_path / "checkpoints").optimizer)


def test_a_torch_dataset_trains_and_measures_a_gpt(make_model, windows):
    history = train(make_model(), windows, validation=windows, steps=30, learning_rate=1e-2)
    assert history.validation_loss < 0.9 * history.column("loss")[1][0]


def test_a_torch_dataset_trains_a_module_of_ones_own(bigram, windows):
    history = train(bigram(), windows, steps=30, learning_rate=1e-1)
    assert history.column("loss")[1][-1] < 0.9 * history.column("loss")[1][0]


def test_the_rate_is_found_for_a_module_of_ones_own(bigram, windows):
    found = mg.find_learning_rate(bigram(), windows, mg.TrainConfig(device="cpu"), steps=3)
    assert len(found.rates) == 3


class Wrong(nn.Module):
    """Returns something else than logits of all tokens."""

    def __init__(self, change):
        super().__init__()
        self.table, self.change = nn.Embedding(50, 50), change

    def forward(self, ids):
        return self.change(self.table(ids))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda logits: {"logits": logits}, r"Wrong maps ids \(8, 16\) to a dict; expected logits \(B, T, V\)"),
        (lambda logits: logits[:, -1], r"Wrong maps ids \(8, 16\) to \(8, 50\); expected logits \(B, T, V\)"),
        (lambda logits: logits.mT, r"Wrong maps ids \(8, 16\) to \(8, 50, 16\); expected logits \(B, T, V\)"),
        (
            lambda logits: logits[..., :5],
            r"logits for 5 tokens, and the data holds token id \d+; build it with the voc",
        ),
    ],
)
def test_what_is_no_logits_is_refused(data, change, message):
    with pytest.raises(ValueError, match=message):
        train(Wrong(change), data)


def test_an_embedding_without_a_row_for_each_token_is_named(data):
    with pytest.raises(
        ValueError, match=r"Bigram does not take ids up to 1[0-9]: .*; give its embedding a row for each"
    ):
        train(Bigram(5), data)


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (nn.ReLU(), {}, "has no parameters to train; expected an nn.Module that maps ids"),
        (mg.GPT, {}, "GPT'> and has no parameters to train; expected an nn.Module"),
        (
            Bigram(9),
            {"learning_rate": None},
            "learning_rate=None follows the width of a GPT, and Bigram has no GPTConfig",
        ),
        (Bigram(9), {"compile": True}, "compile=True acts on the blocks of a GPT, and Bigram has none; leave it out"),
        (Bigram(9), {"strategy": "fsdp"}, "strategy='fsdp' acts on the blocks of a GPT"),
        (Bigram(9), {"loss": "chunked"}, "loss='chunked' needs a GPT, got Bigram; use loss='logits'"),
    ],
)
def test_what_a_module_can_not_have_is_refused_before_the_first_step(data, model, settings, message):
    with pytest.raises(ValueError, match=message):
        train(model, data, **settings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Stream(), "Stream has no __len__; expected a minigpt.TokenDataset, or map-style data"),
        (DataLoader([torch.arange(5)]), r"DataLoader has no __getitem__; .*of a DataLoader, its dataset"),
        ("the cat", r"item 0 of the data is a str; expected token ids \(n,\), or a pair"),
        (torch.arange(50), r"item 0 of the data is int64 \(\); .* One long row of ids is for minigpt.TokenDataset"),
    ],
)
def test_what_is_no_data_is_refused_before_the_first_step(make_model, wrong, message):
    with pytest.raises(ValueError, match=message):
        train(make_model(), wrong)
