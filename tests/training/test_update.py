import pytest

import minigpt as mg
from minigpt.training import OPTIMIZERS, TrainConfig, split_loss
from minigpt.training.update import build_optimizer, set_learning_rate

CONFIG = {"steps": 40, "batch_size": 8, "device": "cpu"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizer_has_the_settings_of_the_configuration(make_model, name):
    momentum = 0.6 if name in ("momentum", "muon") else None
    config = TrainConfig(optimizer=name, beta_1=0.7, beta_2=0.8, weight_decay=0.3, momentum=momentum)
    optimizer = build_optimizer(make_model(), config)
    assert type(optimizer) is OPTIMIZERS[name]
    for group in optimizer.param_groups:
        assert group.get("betas", (0.7, 0.8)) == (0.7, 0.8)
        assert group.get("momentum") == momentum
        assert group["weight_decay"] == (0.0 if group["role"] == "vector" else 0.3)


def test_momentum_has_its_optimizers_own_default(make_model):
    defaults = {"momentum": 0.9, "muon": 0.95}
    for name, momentum in defaults.items():
        optimizer = build_optimizer(make_model(), TrainConfig(optimizer=name))
        assert all(group["momentum"] == momentum for group in optimizer.param_groups)


def test_every_group_gets_the_rate(make_model):
    config = TrainConfig(steps=10, learning_rate=0.5, warmup_steps=5, optimizer="muon")
    optimizer = build_optimizer(make_model(), config)
    assert config.rate(2) == pytest.approx(0.2)
    set_learning_rate(optimizer, config.rate(2))
    assert len(optimizer.param_groups) == 4 and all(group["lr"] == config.rate(2) for group in optimizer.param_groups)


RATES = {"sgd": 1.0, "momentum": 0.1, "adam": 0.01, "adamw": 0.01, "lion": 0.005, "muon": 0.04}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns(make_model, data, name):
    history = mg.train(
        make_model(), data, TrainConfig(**CONFIG, optimizer=name, learning_rate=RATES[name]), progress=False
    )
    assert history.rows[-1]["loss"] < 0.9 * history.rows[0]["loss"]


def test_label_smoothing_is_in_the_training_loss_and_not_in_the_validations(make_model, data):
    model, inputs_and_targets = make_model(), data.batch(0, 8, seed=0)
    config = TrainConfig(**{**CONFIG, "steps": 1}, label_smoothing=0.3, learning_rate=0.0)  # the weights stay
    history = mg.train(model, data, config, validation=data, progress=False)
    logits = model(inputs_and_targets[0])
    smoothed = mg.next_token_loss(logits, inputs_and_targets[1], label_smoothing=0.3)
    assert history.rows[0]["loss"] == pytest.approx(smoothed.item(), rel=1e-6)
    assert history.validation_loss == split_loss(model, data).mean
    assert smoothed.item() != pytest.approx(mg.next_token_loss(logits, inputs_and_targets[1]).item(), rel=1e-4)
