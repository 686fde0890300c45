"""The precision that "auto" stands for is chosen once, and a run that is resumed elsewhere keeps it."""

import json
from dataclasses import replace

import pytest
import torch

import minigpt as mg
from minigpt.files.verified import entry_of
from minigpt.training import TrainConfig, load_checkpoint
from minigpt.training.execution import choosing
from minigpt.training.storage.checkpoint import MANIFEST

AUTO = TrainConfig(steps=4, batch_size=4, device="cpu", precision="auto", checkpoint_every=2)


@pytest.fixture
def machine(monkeypatch):
    """Let "auto" be some precision from now on."""

    def chooses(name):
        monkeypatch.setattr(
            choosing, "resolve_precision", lambda given, device, copies=False: name if given == "auto" else given
        )

    return chooses


@pytest.fixture
def started(make_model, data, tmp_path, machine):
    """Two steps of a run that was started where "auto" is some precision."""

    def start(name, config=AUTO):
        machine(name)
        mg.train(make_model(), data, config, out=tmp_path, progress=False)
        (tmp_path / "checkpoints" / "step-00000004").rename(tmp_path / "checkpoints" / "elsewhere")

    return start


def saved_precision(out):
    return load_checkpoint(out / "checkpoints").state["train_config"]["precision"]


def weights(out):
    return load_checkpoint(out / "checkpoints").model


@pytest.mark.parametrize("name", ["fp32", "bf16", "bf16-weights"])
def test_a_checkpoint_has_what_was_chosen(started, tmp_path, name):
    started(name)
    assert saved_precision(tmp_path) == name


@pytest.mark.parametrize(("before", "now"), [("bf16", "fp32"), ("fp32", "bf16"), ("bf16-weights", "bf16")])
def test_a_run_resumed_elsewhere_says_so_and_has_the_bits_of_one_that_was_not_stopped(
    started, machine, make_model, data, tmp_path, before, now
):
    machine(before)
    mg.train(make_model(), data, AUTO, out=tmp_path / "whole", progress=False)
    started(before)
    machine(now)
    with pytest.warns(UserWarning, match=f"continues in precision='{before}', .*; 'auto' would be '{now}' here"):
        mg.train(make_model(), data, AUTO, out=tmp_path, resume=True, progress=False)
    assert saved_precision(tmp_path) == before
    resumed, whole = weights(tmp_path), weights(tmp_path / "whole")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


@pytest.mark.parametrize(("before", "now"), [("bf16", "bf16"), ("fp32", "bf16-weights")])
def test_where_the_choice_is_the_same_or_may_be_the_clocks_nothing_is_said(
    started, machine, make_model, data, tmp_path, before, now
):
    started(before)
    machine(now)
    mg.train(make_model(), data, AUTO, out=tmp_path, resume=True, progress=False)
    assert saved_precision(tmp_path) == before


def test_a_precision_that_this_machine_lacks_is_an_error(started, machine, make_model, data, tmp_path, monkeypatch):
    started("bf16")
    machine("fp32")
    monkeypatch.setattr("minigpt.training.execution.precision.fault_of", lambda device, dtype: "it is broken")
    with pytest.raises(ValueError, match=r"started in precision='bf16', and can't continue in it here: .*it is broken"):
        mg.train(make_model(), data, AUTO, out=tmp_path, resume=True, progress=False)


def test_another_precision_that_is_typed_is_another_run(started, make_model, data, tmp_path):
    started("bf16")
    with pytest.raises(ValueError, match="precision was 'bf16', now 'fp32'"):
        mg.train(make_model(), data, replace(AUTO, precision="fp32"), out=tmp_path, resume=True, progress=False)


def test_a_checkpoint_from_before_the_choice_was_kept_is_continued_with_a_word(
    started, machine, make_model, data, tmp_path
):
    started("bf16")
    folder = tmp_path / "checkpoints" / "step-00000002"
    state, manifest = (json.loads((folder / name).read_text()) for name in ("state.json", MANIFEST))
    state["train_config"]["precision"] = "auto"
    (folder / "state.json").write_text(json.dumps(state))
    manifest["state.json"] = entry_of((folder / "state.json").read_bytes())
    (folder / MANIFEST).write_text(json.dumps(manifest))
    machine("fp32")
    with pytest.warns(UserWarning, match="does not say what precision='auto' was: the run continues in 'fp32'"):
        mg.train(make_model(), data, AUTO, out=tmp_path, resume=True, progress=False)


def test_muon_takes_the_polynomials_of_the_precision_that_was_chosen(started, make_model, data, tmp_path, machine):
    from minigpt.training.run_state import RunState

    machine("bf16")
    run = RunState(make_model(), replace(AUTO, optimizer="muon"), data)
    assert {group["orthogonal"] for group in run.optimizer.param_groups} == {"polar-3"}
    assert run.config.precision == "bf16"
