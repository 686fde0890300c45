import pytest
import torch

import minigpt as mg
from minigpt.runs import RunConfig
from minigpt.training import TrainConfig, split_loss
from minigpt.training.averaging import WeightAverage, weight_average

CONFIG = {"steps": 6, "batch_size": 4, "learning_rate": 0.01, "device": "cpu"}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_average_is_the_sum_of_all_weights_with_shares_that_fall_by_beta():
    thetas, beta = torch.randn(7, 3, dtype=torch.float64), 0.8
    average = torch.randn(3, dtype=torch.float64)  # what was there before does not count
    for t, theta in enumerate(thetas, start=1):
        average = weight_average(average, theta, t, beta)
    shares = beta ** torch.arange(6, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(average, (shares / shares.sum()) @ thetas)


def test_a_models_average_is_that_of_each_parameter(make_model):
    model = make_model().double()
    average, expected = WeightAverage(model, 0.9), weights(model)
    for t in range(1, 5):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update(model)
        expected = weight_average(expected, weights(model), t, 0.9)
    torch.testing.assert_close(torch.cat([w.flatten() for w in average.weights.values()]), expected)


def test_the_average_is_in_use_inside_only_even_after_an_error(make_model):
    model = make_model()
    average, own = WeightAverage(model, 0.9), weights(model)
    for value in average.weights.values():
        value.fill_(2.0)
    inside = []

    def interrupted():
        with average.in_use(model):
            inside.append(weights(model))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert inside[0].eq(2).all() and weights(model).equal(own)


def test_training_ends_with_the_average_of_the_weights_after_each_update(make_model, data, monkeypatch):
    raw, update = [], WeightAverage.update

    def recorded(self, model):
        raw.append(weights(model))
        update(self, model)

    monkeypatch.setattr(WeightAverage, "update", recorded)
    averaged, plain = make_model(), make_model()
    mg.train(averaged, data, TrainConfig(**CONFIG, ema=0.7), progress=False)
    mg.train(plain, data, TrainConfig(**CONFIG), progress=False)
    assert raw[-1].equal(weights(plain))  # averaging does not change the training
    expected = torch.zeros_like(raw[0])
    for t, theta in enumerate(raw, start=1):
        expected = weight_average(expected, theta, t, 0.7)
    torch.testing.assert_close(weights(averaged), expected)


def test_validation_measures_the_average(make_model, data):
    model = make_model()
    history = mg.train(model, data, TrainConfig(**CONFIG, ema=0.7), validation=data, progress=False)
    assert split_loss(model, data).mean == pytest.approx(history.validation_loss, rel=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "lion", "momentum", "sgd"])
def test_a_resumed_run_ends_bitwise_where_the_uninterrupted_one_does(make_model, data, tmp_path, optimizer):
    config = TrainConfig(**CONFIG, ema=0.7, optimizer=optimizer, checkpoint_every=2)
    whole, second = make_model(), make_model()
    mg.train(whole, data, config, out=tmp_path / "run", progress=False)
    newest = sorted((tmp_path / "run" / "checkpoints").glob("step-*"))[-1]
    for file in newest.iterdir():
        file.unlink()
    newest.rmdir()
    history = mg.train(second, data, config, out=tmp_path / "run", resume=True, progress=False)
    assert len(history) == 6 and weights(second).equal(weights(whole))


def test_what_is_loaded_from_a_run_is_the_average(tmp_path):
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 40)
    settings = {"text": tmp_path / "text.txt", "steps": 4, "batch_size": 2, "context_length": 8, "device": "cpu"}
    run = mg.start_run(RunConfig.of(**settings, ema=0.7, out=tmp_path / "run"), progress=False)
    plain = mg.start_run(RunConfig.of(**settings, out=tmp_path / "plain"), progress=False)
    model, _ = mg.load_model(tmp_path / "run")
    assert weights(model).equal(weights(run.model)) and not weights(model).equal(weights(plain.model))
