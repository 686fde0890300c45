"""minigpt/training/losses.py: the loss computed in other ways, and a run with each of them."""

import dataclasses
import shutil

import pytest
import torch

import minigpt as mg
from minigpt.model import next_token_loss, smoothed_cross_entropy
from minigpt.training import LOSSES, LossModule, RunState, TrainConfig, accumulate_gradients, split_loss
from minigpt.training.gradients import asked_positions
from minigpt.training.losses import features_at
from minigpt.training.safety.memory import step_memory

OTHERS = [name for name in LOSSES if name not in ("logits", "triton")]  # tests/kernels trains with the kernel
SETTINGS = {"steps": 20, "batch_size": 8, "micro_batch_size": 4, "eval_every": 5, "device": "cpu", "weight_decay": 0.0}


def curves(model, data, **changes):
    history = mg.train(model, data, TrainConfig(**{**SETTINGS, **changes}), validation=data, progress=False)
    return column(history, "loss"), column(history, "validation_loss")


def column(history, name):
    return [row[name] for row in history.rows if name in row]


@pytest.mark.parametrize("changes", [{}, {"label_smoothing": 0.2}], ids=["plain", "smoothed"])
@pytest.mark.parametrize("tied_head", [True, False])
@pytest.mark.parametrize("name", OTHERS)
def test_every_way_gives_the_same_curves(make_model, data, name, tied_head, changes):
    expected, actual = (
        curves(make_model(tied_head=tied_head), data, loss=loss, **changes) for loss in ("logits", name)
    )
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert expected[0][-1] < expected[0][0]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_16_bits_they_agree_to_three_digits(make_model, data, precision):
    expected, actual = (curves(make_model(), data, loss=loss, precision=precision)[0] for loss in ("logits", "chunked"))
    assert actual == pytest.approx(expected, rel=1e-3)


def test_with_a_large_vocabulary_a_step_needs_far_less(make_model, tokenizer):
    # a window has more tokens than a chunk
    data = mg.TokenDataset.from_text("the cat sat on the mat. " * 40, tokenizer, 64)

    def needs(loss):
        model = make_model(vocab_size=5000, context_length=64).train()
        config = TrainConfig(steps=1, batch_size=8, device="cpu", loss=loss)
        return step_memory(RunState(model, config, data))

    assert needs("chunked").activations < needs("logits").activations / 10


def test_a_run_may_go_on_with_another_way(make_model, data, tmp_path):
    config = TrainConfig(**SETTINGS, checkpoint_every=10)
    whole = mg.train(make_model(), data, config, out=tmp_path, progress=False)
    shutil.rmtree(tmp_path / "checkpoints" / "step-00000020")
    config = dataclasses.replace(config, loss="chunked")
    resumed = mg.train(make_model(), data, config, out=tmp_path, resume=True, progress=False)
    assert column(resumed, "loss") == pytest.approx(column(whole, "loss"), abs=1e-6)


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="loss='all' is unknown; choose one of logits, chunked, triton"):
        TrainConfig(loss="all")


@pytest.mark.parametrize("name", OTHERS)
def test_where_few_positions_count_the_gradients_are_the_same(make_model, data, name):
    inputs, targets = data.batch(0, 32)
    targets[:, 3:] = -100
    expected, actual = make_model(), make_model()
    losses = [
        accumulate_gradients(LossModule(m, way), inputs, targets, 8)
        for m, way in ((expected, "logits"), (actual, name))
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-6)
    for a, b in zip(expected.parameters(), actual.parameters(), strict=True):
        assert a.grad.abs().max() > 1e-4
        torch.testing.assert_close(a.grad, b.grad, rtol=0, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("at", [False, True], ids=["everywhere", "at some positions"])
@pytest.mark.parametrize("name", ["logits", *OTHERS])
def test_the_module_is_the_formula_of_the_loss(make_model, data, name, at, smoothing, assert_near):
    model = make_model().double()
    ids, targets = data.batch(0, 4)
    targets[:, 2:9] = -100
    asked = targets != -100
    p = mg.softmax(model(ids)[asked])
    y = torch.nn.functional.one_hot(targets[asked], p.shape[-1]).double()
    loss = LossModule(model, name, smoothing)
    given = (ids, targets[asked], asked) if at else (ids, targets)
    assert_near(loss(*given), smoothed_cross_entropy(y, p, smoothing).sum())
    assert_near(loss.eval()(*given), mg.cross_entropy(y, p).sum())  # validation is never smoothed


def test_what_enters_the_head_can_be_had_at_some_positions_alone(make_model):
    model = make_model().double()
    ids, at = torch.randint(0, model.config.vocab_size, (3, 9)), torch.rand(3, 9) < 0.4
    torch.testing.assert_close(features_at(model, ids, at), model.features(ids)[at])
    assert features_at(model, ids, torch.zeros_like(at)).shape == (0, model.config.d_model)
    assert torch.equal(features_at(model, ids, None), model.features(ids))


class Table(torch.nn.Module):
    """A bigram model: any module that maps ids to logits can be trained."""

    def __init__(self, vocab_size):
        super().__init__()
        self.logits = torch.nn.Embedding(vocab_size, vocab_size)

    def forward(self, ids):
        return self.logits(ids)


@pytest.mark.parametrize("counted", [16, 3], ids=["most positions count", "few positions count"])
def test_any_module_with_logits_has_a_loss_and_a_gradient(data, counted):
    inputs, targets = data.batch(0, 8)
    targets[:, counted:] = -100
    assert (asked_positions(targets) is None) == (counted > 3)
    model, twin = Table(data.vocab_size), Table(data.vocab_size)
    twin.load_state_dict(model.state_dict())
    mean = accumulate_gradients(model, inputs, targets, 4)
    expected = next_token_loss(twin(inputs), targets)
    expected.backward()
    assert mean == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(model.logits.weight.grad, twin.logits.weight.grad)
    before = model.train(), split_loss(model, data)
    assert before[1].mean == pytest.approx(split_loss(LossModule(model), data).mean)
    assert model.training


def test_a_loss_without_logits_needs_a_gpt(data):
    with pytest.raises(ValueError, match="loss='chunked' needs a GPT, got Table; use loss='logits'"):
        LossModule(Table(5), "chunked")
    with pytest.raises(ValueError, match="loss='all' is unknown; choose one of logits, chunked, triton"):
        LossModule(Table(5), "all")


def test_the_loss_has_the_parameters_of_its_model(make_model):
    model = make_model()
    assert [id(p) for p in LossModule(model).parameters()] == [id(p) for p in model.parameters()]
