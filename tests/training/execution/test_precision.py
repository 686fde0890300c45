import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.training import RunState, TrainConfig, load_checkpoint, train_step
from minigpt.training.execution import precision as precision_module
from minigpt.training.execution.precision import STEPS_TO_DOUBLE, Precision, next_loss_scale

CPU = torch.device("cpu")


def config(precision, **changes):
    settings = {"steps": 40, "batch_size": 8, "learning_rate": 0.01, "eval_every": 0, "device": "cpu"}
    return TrainConfig(**{**settings, "precision": precision, **changes})


def run_state(model, data, precision):
    return RunState(model.train(), config(precision), data)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("precision", ["bf16", "bf16-weights", "fp16"])
def test_a_mixed_precision_run_ends_within_1_percent_of_the_float32_loss(make_model, data, precision):
    full = mg.train(make_model(), data, config("fp32"), validation=data, progress=False)
    mixed = mg.train(make_model(), data, config(precision), validation=data, progress=False)
    assert full.validation_loss < 0.7 * full.rows[0]["loss"]
    assert mixed.validation_loss == pytest.approx(full.validation_loss, rel=0.01)
    assert mixed.validation_loss != full.validation_loss
    assert not any("skipped" in row for row in mixed.rows)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_products_are_in_16_bits_and_what_is_kept_in_32(make_model, data, precision, dtype):
    model, seen = make_model(), []
    model.head.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    run = run_state(model, data, precision)
    row = train_step(run, 0)
    moments = [value for state in run.optimizer.state.values() for value in state.values()]
    assert seen == [dtype]
    assert {tensor.dtype for tensor in (*model.parameters(), *moments)} == {torch.float32}
    assert row.get("loss_scale") == (2.0**16 if precision == "fp16" else None)


@pytest.mark.parametrize("knows", [True, False])
def test_auto_is_bf16_where_the_processor_multiplies_it(knows, monkeypatch, make_model, data):
    for name in precision_module.BF16_INSTRUCTIONS:
        monkeypatch.setattr(torch.cpu, name, lambda: knows, raising=False)
    assert Precision("auto", CPU).name == ("bf16" if knows else "fp32")
    names = ("auto", "bf16-weights", "fp32")
    runs = [mg.train(make_model(), data, config(name, steps=3), progress=False) for name in names]
    losses = [[row["loss"] for row in run.rows] for run in runs]
    assert losses[0] == losses[1 if knows else 2]


def test_a_device_of_which_nothing_is_known_gets_float32():
    assert precision_module.resolve_precision("auto", torch.device("mps")) == "fp32"


def test_a_gradient_too_small_for_float16_survives_by_the_loss_scale():
    layer, x = nn.Linear(1, 1, bias=False), torch.ones(1, 1)

    def gradient(scale):
        precision = Precision("fp16", CPU)
        precision.scale, layer.weight.grad = scale, None
        with precision.autocast():
            y = layer(x)
        precision.backward(y.float().sum() * 2.0**-30)
        precision.unscale(layer.parameters())
        return layer.weight.grad.item()

    assert gradient(1.0) == 0.0
    assert gradient(2.0**16) == 2.0**-30


def test_the_loss_scale_moves_as_that_of_pytorch():
    theirs = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
    weight = nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scale, streak = 4.0, 0
    for finite in [True, True, True, True, False, True, True, False, False, True, True, True, True]:
        theirs.scale(weight.sum())
        weight.grad = torch.full((1,), 1.0 if finite else float("inf"))
        theirs.step(optimizer)
        theirs.update()
        scale, streak = next_loss_scale(scale, streak, finite=finite, patience=3)
        assert (scale, streak) == (theirs.get_scale(), theirs.state_dict()["_growth_tracker"])
    assert torch.amp.GradScaler("cpu").get_growth_interval() == STEPS_TO_DOUBLE


def test_an_overflow_of_the_scaled_gradient_halves_the_scale_and_counts_as_no_bad_step(make_model, data):
    model = make_model()
    before, run = weights(model), run_state(model, data, "fp16")
    run.precision.scale = 2.0**40
    rows = [train_step(run, step) for step in range(5)]  # a warning would fail the test
    assert [row["loss_scale"] for row in rows] == [2.0**k for k in (39, 38, 37, 36, 35)]
    assert all(row["skipped"] for row in rows) and run.bad_steps == 0
    assert torch.equal(weights(model), before)


def test_a_gradient_that_overflows_at_the_least_scale_is_a_bad_step(make_model, data):
    model = make_model()
    run = run_state(model, data, "fp16")
    run.precision.scale = 1.0
    model.token_embedding.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.warns(UserWarning, match="not finite, the update is skipped"):
        train_step(run, 0)
    assert (run.bad_steps, run.precision.scale) == (1, 1.0)


def test_the_loss_scale_is_saved_and_a_resumed_run_ends_bitwise_the_same(
    make_model, data, tokenizer, tmp_path, monkeypatch
):
    monkeypatch.setattr(precision_module, "FIRST_SCALE", 2.0**30)  # the first steps overflow
    settings = config("fp16", steps=24, checkpoint_every=15)
    whole, part = make_model(), make_model()
    history = mg.train(whole, data, settings, progress=False)
    skipped = [row["step"] for row in history.rows if "skipped" in row]
    assert 0 < len(skipped) < 15
    mg.train(part, data, settings, out=tmp_path, tokenizer=tokenizer, progress=False)
    newest = max((tmp_path / "checkpoints").iterdir())
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    assert load_checkpoint(tmp_path / "checkpoints").state["carried"]["loss_scale"] == history.rows[14]["loss_scale"]
    resumed = make_model()
    mg.train(resumed, data, settings, out=tmp_path, tokenizer=tokenizer, resume=True, progress=False)
    assert torch.equal(weights(resumed), weights(whole))


def test_resuming_in_another_precision_is_refused(make_model, data, tokenizer, tmp_path):
    mg.train(make_model(), data, config("fp32", steps=2), out=tmp_path, progress=False)
    with pytest.raises(ValueError, match="precision was 'fp32', now 'bf16'"):
        mg.train(make_model(), data, config("bf16", steps=2), out=tmp_path, resume=True, progress=False)


def test_a_precision_that_is_unknown_or_not_on_the_device_is_refused():
    with pytest.raises(ValueError, match="precision='fp8' is unknown; choose one of fp32, bf16, bf16-weights, fp16"):
        TrainConfig(precision="fp8")
    with pytest.raises(ValueError, match=r"precision='bf16' does not work on meta: .*; try fp32"):
        Precision("bf16", torch.device("meta"))
