import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig, load_checkpoint
from minigpt.training.execution import compiling, timing
from minigpt.training.execution.compiling import choose_compile


def a_run(model, data, **settings):
    return RunState(model.train(), TrainConfig(device="cpu", batch_size=4, **settings), data)


@pytest.mark.parametrize(("seconds", "pays"), [(0.041, True), (0.039, False)])
def test_it_compiles_where_the_steps_save_more_than_the_compiler_takes(monkeypatch, make_model, data, seconds, pays):
    clock = iter([0.0, 0.0, 5.0, 10.0, 10.0, 10.0 + seconds, 20.0, 20.0, 20.0 + 2 * seconds])
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(compiling, "_can_compile", lambda device: True)
    assert compiling.COSTS["cpu"] == 0.04 * compiling.SAVES * 2000
    chosen, why = choose_compile(a_run(make_model(), data, steps=2000))
    assert chosen is pays
    assert why.startswith(f"{'compiled' if pays else 'not compiled'}: 2,000 steps of {seconds:.3f} s would save about")


def test_a_step_that_was_timed_already_is_not_timed_again(monkeypatch, make_model, data):
    monkeypatch.setattr(compiling, "_can_compile", lambda device: True)
    monkeypatch.setattr(compiling, "one_gradient", None)
    run = a_run(make_model(), data, steps=2000)
    assert [choose_compile(run, seconds)[0] for seconds in (0.041, 0.039)] == [True, False]


def test_without_a_compiler_it_does_not(monkeypatch, make_model, data):
    monkeypatch.setattr(compiling.shutil, "which", lambda name: None)
    assert choose_compile(a_run(make_model(), data, steps=10**9)) == (
        False,
        "not compiled: there is no C++ compiler here",
    )


def test_timing_changes_neither_weights_nor_the_draws_of_dropout(monkeypatch, make_model, data):
    expected = mg.train(make_model(dropout=0.3), data, TrainConfig(steps=3, device="cpu"), progress=False)
    found = mg.train(make_model(dropout=0.3), data, TrainConfig(steps=3, device="cpu", compile="auto"), progress=False)
    assert [row["loss"] for row in found.rows] == [row["loss"] for row in expected.rows]


@pytest.mark.parametrize("chosen", [True, False])
def test_what_was_chosen_is_kept_and_a_resumed_run_does_the_same(
    monkeypatch, make_model, data, tmp_path, chosen, capsys
):
    asked, compiled = [], []

    def choose(run, seconds):
        asked.append(run)
        return chosen, "this is why"

    monkeypatch.setattr("minigpt.training.loop.choose_compile", choose)
    monkeypatch.setattr("torch.compile", lambda forward: compiled.append(forward) or forward)
    config = TrainConfig(steps=4, batch_size=4, device="cpu", compile="auto", checkpoint_every=2)
    mg.train(make_model(), data, config, out=tmp_path)
    assert "this is why" in capsys.readouterr().out
    assert load_checkpoint(tmp_path / "checkpoints").state["train_config"]["compile"] is chosen
    torch.testing.assert_close(len(compiled), int(chosen))
    (tmp_path / "checkpoints" / "step-00000004").rename(tmp_path / "checkpoints" / "elsewhere")
    mg.train(make_model(), data, config, out=tmp_path, resume=True, progress=False)
    assert (len(asked), len(compiled)) == (1, 2 * int(chosen))
