import json
import os
import signal

import pytest
import torch

import minigpt as mg
from minigpt.model import next_token_loss
from minigpt.training import (
    RunState,
    TrainConfig,
    decay_groups,
    load_checkpoint,
    train_step,
)
from minigpt.training.safety.stop import StopFlag
from minigpt.training.storage.run_folder import RunFolder

CONFIG = TrainConfig(steps=12, batch_size=4, learning_rate=0.01, eval_every=4, checkpoint_every=5, device="cpu")


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def train(model, data, config=CONFIG, **options):
    return mg.train(model, data, config, progress=False, **options)


def test_training_lowers_the_loss_and_leaves_the_model_ready_to_use(make_model, data):
    model = make_model()
    history = train(model, data, TrainConfig(steps=60, batch_size=8, learning_rate=0.01, device="cpu"), validation=data)
    assert history.validation_loss < 0.6 * history.rows[0]["loss"]
    assert not model.training


def test_one_step_is_the_formula(make_model, data):
    model, twin = make_model(), make_model()
    row = train_step(RunState(model.train(), CONFIG, data), 0)

    inputs, targets = data.batch(0, 4, seed=0)
    loss = next_token_loss(twin(inputs), targets)
    loss.backward()
    norm = mg.clip_by_norm(twin.parameters(), 1.0)
    reference = mg.AdamW(decay_groups(twin, 0.1), lr=CONFIG.learning_rate, betas=(0.9, 0.99), implementation="formula")
    reference.step()  # warm-up is 0 steps of 12, so the first rate is just below the peak
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert row["gradient_norm"] == pytest.approx(norm.item(), rel=1e-5)
    assert (weights(model) - weights(twin)).abs().max() < 0.03 * CONFIG.learning_rate


def test_the_same_seed_gives_the_same_weights_and_another_does_not(make_model, data):
    models = [make_model() for _ in range(3)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        train(model, data, TrainConfig(steps=5, batch_size=4, seed=seed, device="cpu"))
    assert torch.equal(weights(models[0]), weights(models[1]))
    assert not torch.equal(weights(models[0]), weights(models[2]))


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize("stop_at", [5, 10])
def test_a_resumed_run_ends_bitwise_where_the_uninterrupted_one_does(
    make_model, data, tokenizer, tmp_path, dropout, stop_at
):
    whole = make_model(dropout=dropout)
    history = train(whole, data, validation=data)

    class StopsAt:
        """Data that sends SIGINT to this process when a step is reached."""

        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, *arguments, **options):
            if step == stop_at - 1:
                os.kill(os.getpid(), signal.SIGINT)
            return data.batch(step, *arguments, **options)

    first = make_model(dropout=dropout)
    train(first, StopsAt(), validation=data, tokenizer=tokenizer, out=tmp_path)
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()][-1:] != []
    torch.rand(7)  # the global generator may have moved on
    second = make_model(dropout=dropout)
    resumed = train(second, data, validation=data, tokenizer=tokenizer, out=tmp_path, resume=True)
    assert torch.equal(weights(whole), weights(second))
    assert [row["loss"] for row in resumed.rows] == [row["loss"] for row in history.rows]
    logged = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged == list(range(12))


@pytest.mark.parametrize("number", StopFlag.SIGNALS)
def test_a_signal_ends_the_run_after_the_step_with_one_checkpoint(make_model, data, tokenizer, tmp_path, number):
    class Interrupts:
        def __getattr__(self, name):
            return getattr(data, name)

        def batch(self, step, *arguments, **options):
            if step == 2:
                os.kill(os.getpid(), number)
            return data.batch(step, *arguments, **options)

    before = signal.getsignal(number)
    history = train(make_model(), Interrupts(), tokenizer=tokenizer, out=tmp_path)
    assert len(history) == 3
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000003"]
    assert signal.getsignal(number) == before


def test_resuming_a_finished_run_changes_nothing(make_model, data, tokenizer, tmp_path):
    first, second = make_model(), make_model()
    train(first, data, tokenizer=tokenizer, out=tmp_path)
    assert len(train(second, data, tokenizer=tokenizer, out=tmp_path, resume=True)) == 12
    assert torch.equal(weights(first), weights(second))


def test_resuming_with_other_settings_names_each(make_model, data, tokenizer, tmp_path):
    train(make_model(), data, tokenizer=tokenizer, out=tmp_path)
    other = TrainConfig(steps=12, batch_size=8, learning_rate=0.02, seed=0, device="cpu")
    with pytest.raises(ValueError, match=r"batch_size was 4, now 8; learning_rate was 0.01, now 0.02"):
        train(make_model(), data, other, tokenizer=tokenizer, out=tmp_path, resume=True)
    with pytest.raises(ValueError, match="n_layers was 1, now 2"):
        train(make_model(n_layers=2), data, tokenizer=tokenizer, out=tmp_path, resume=True)
    changed = mg.TokenDataset.from_text("the cat sat on the mat. " * 40, tokenizer, 16)
    with pytest.raises(ValueError, match="fingerprint was"):
        train(make_model(), changed, tokenizer=tokenizer, out=tmp_path, resume=True)


def test_a_shard_that_changed_between_stop_and_resume_is_named(make_model, tokenizer, tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 80)
    mg.prepare(tmp_path / "text.txt", tokenizer, tmp_path / "data", workers=1, shard_tokens=700, progress=False)

    def resume():
        shards = mg.TokenDataset.open(tmp_path / "data" / "train", 16)
        return train(make_model(), shards, tokenizer=tokenizer, out=tmp_path / "run", resume="auto")

    resume()
    shard = tmp_path / "data" / "train" / "00001.bin"
    tokens = shard.read_bytes()
    shard.write_bytes(tokens[::-1])
    with pytest.raises(ValueError, match=r"was started: train/00001.bin has changed since\. Resume"):
        resume()
    shard.write_bytes(tokens)
    assert len(resume()) == 12


def test_data_that_does_not_fit_the_model_is_refused(make_model, data, tokenizer):
    with pytest.raises(ValueError, match=r"the training data has vocab_size=\d+, the model only 5"):
        train(make_model(vocab_size=5), data)
    long = mg.TokenDataset.from_text("the cat sat on the mat. " * 40, tokenizer, 32)
    with pytest.raises(ValueError, match="the validation data is cut for context_length=32, the model takes 16"):
        train(make_model(), data, validation=long)


def test_a_device_that_is_not_there_is_named_with_those_that_are(make_model, data):
    for name in ("cuda:97", "warp"):
        with pytest.raises(ValueError, match=f"device='{name}' is not on this machine; it has .*cpu"):
            train(make_model(), data, TrainConfig(device=name))


def test_a_new_run_never_overwrites_an_old_one(make_model, data, tokenizer, tmp_path):
    train(make_model(), data, tokenizer=tokenizer, out=tmp_path)
    log = (tmp_path / "log.jsonl").read_text()
    with pytest.raises(ValueError, match=r"already holds a run, up to step-00000012; continue it with resume=True"):
        train(make_model(), data, tokenizer=tokenizer, out=tmp_path)
    assert (tmp_path / "log.jsonl").read_text() == log


def test_ctrl_c_during_a_save_leaves_a_whole_checkpoint_and_ends_the_run(
    make_model, data, tokenizer, tmp_path, monkeypatch
):
    flush = os.fsync

    def interrupted(handle):
        if list(tmp_path.glob("checkpoints/*.tmp")):
            os.kill(os.getpid(), signal.SIGINT)
            monkeypatch.setattr(os, "fsync", flush)
        flush(handle)

    monkeypatch.setattr(os, "fsync", interrupted)
    history = train(make_model(), data, tokenizer=tokenizer, out=tmp_path)
    assert len(history) == 5  # the first save is due after step 5
    assert load_checkpoint(tmp_path / "checkpoints").step == 5


class Before:
    """Data that does something before it gives the batch of a step."""

    def __init__(self, data, step, act):
        self.data, self.step, self.act = data, step, act

    def __getattr__(self, name):
        return getattr(self.data, name)

    def batch(self, step, *arguments, **options):
        if step == self.step:
            self.act()
        return self.data.batch(step, *arguments, **options)


def test_while_a_run_trains_no_other_is_started_in_its_folder(make_model, data, tmp_path):
    refused = []

    def second_run():
        for resume in (False, "auto"):
            with pytest.raises(ValueError, match="is in use: process") as caught:
                train(make_model(), data, out=tmp_path, resume=resume)
            refused.append(caught)

    assert len(train(make_model(), Before(data, 7, second_run), out=tmp_path)) == 12
    assert len(refused) == 2
    assert len(train(make_model(), data, out=tmp_path, resume=True)) == 12
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoints", "log.jsonl"}


def test_a_run_that_fails_lets_its_folder_go(make_model, data, tmp_path):
    def fail():
        raise RuntimeError("no such batch")

    with pytest.raises(RuntimeError, match="no such batch") as failed:
        train(make_model(), Before(data, 7, fail), out=tmp_path)
    assert len(train(make_model(), data, out=tmp_path, resume=True)) == 12 and failed is not None


def test_a_folder_that_was_opened_before_is_left_open(make_model, data, tmp_path):
    with RunFolder.open(tmp_path) as folder:
        train(make_model(), data, out=folder)
        with pytest.raises(ValueError, match="is in use"):
            RunFolder.open(tmp_path, "auto")


def test_a_run_whose_folder_vanishes_ends_at_once_and_makes_no_other(make_model, data, tmp_path):
    reached = []

    def move():
        (tmp_path / "run").rename(tmp_path / "elsewhere")

    class Counted(Before):
        def batch(self, step, *arguments, **options):
            reached.append(step)
            return super().batch(step, *arguments, **options)

    with pytest.raises(OSError, match="run is gone: it was moved or deleted while the run was training"):
        train(make_model(), Counted(data, 7, move), out=tmp_path / "run")
    assert reached[-1] == 7 and not (tmp_path / "run").exists()


def test_resuming_without_a_folder_or_a_checkpoint_is_refused(make_model, data, tmp_path):
    with pytest.raises(ValueError, match="need the folder of the run"):
        train(make_model(), data, resume=True)
    with pytest.raises(ValueError, match="no usable checkpoint"):
        train(make_model(), data, out=tmp_path, resume=True)


def test_a_gradient_from_before_the_run_is_not_of_its_first_step(make_model, data):
    config = TrainConfig(steps=2, batch_size=4, device="cpu", optimizer="momentum")
    expected = mg.train(make_model(), data, config, progress=False)
    model = make_model()
    model(torch.zeros(1, 4, dtype=torch.int64)).sum().backward()
    assert mg.train(model, data, config, progress=False).column("loss") == expected.column("loss")
