import math
from contextlib import suppress

import numpy as np
import pytest
import torch

from minigpt.model import GPT, GPTConfig
from minigpt.settings import kinds
from minigpt.text import TokenDataset
from minigpt.training import OPTIMIZERS, TrainConfig
from minigpt.training import config as config_module
from minigpt.training.gradients import keyed_dropout


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps=0 must be a whole number from 1 to 1,000,000,000"),
        ({"batch_size": -3}, "batch_size=-3 must be"),
        ({"steps": 1.5}, "steps must be int, got 1.5"),
        ({"micro_batch_size": -1}, "micro_batch_size=-1 must be a whole number from 1 to 1,048,576"),
        ({"micro_batch_size": 0}, "micro_batch_size=0 must be a whole number from 1 to 1,048,576"),
        ({"steps": True}, "steps must be int, got True"),
        ({"steps": "5"}, "steps must be int, got '5'"),
        ({"compile": "no"}, "compile='no' is unknown; choose one of True, False, 'auto'"),
        ({"beta_2": None}, "beta_2 must be float, got None"),
        ({"learning_rate": float("nan")}, "learning_rate=nan must be"),
        ({"learning_rate": float("inf")}, "learning_rate=inf must be"),
        ({"clip_norm": 0.0}, r"clip_norm=0.0 must be greater than 0; for no clipping use float\('inf'\)"),
        ({"optimizer": "sdg"}, "optimizer='sdg' is unknown; choose one of sgd, momentum, adam, adamw, lion, muon"),
        ({"schedule": "step"}, "schedule='step' is unknown; choose one of constant, cosine, linear, wsd"),
        ({"ema": 1.0}, r"ema=1.0 must lie in \[0, 1\)"),
        ({"label_smoothing": -0.1}, r"label_smoothing=-0.1 must lie in"),
        ({"momentum": 0.9}, "momentum=0.9 acts with optimizer='momentum' or 'muon' only, got optimizer='adamw'"),
        ({"decay_steps": 5}, "decay_steps=5 acts with schedule='wsd' only, got schedule='cosine'"),
        (
            {"schedule": "wsd", "steps": 20, "warmup_steps": 5, "decay_steps": 16},
            "decay_steps=16 is more than the 15 of steps=20 after the warm-up",
        ),
        ({"beta_2": 1.0}, r"beta_2=1.0 must lie in \[0, 1\)"),
        (
            {"schedule": "wsd", "steps": 5, "warmup_steps": 10},
            "warmup_steps=10 is more than steps=5, so that schedule='wsd' has no step after the warm-up; try",
        ),
        ({"device": 5}, "device must be a text, got 5"),
        ({"batch_size": 10**12}, "batch_size=10{12} must be a whole number from 1 to 1,048,576"),
        ({"steps": 10**30}, "steps=10{30} must be a whole number from 1 to"),
        ({"seed": 10**30}, "seed=10{30} must be a whole number from 0 to 9,223,372,036,854,775,807"),
        ({"seed": -1}, "seed=-1 must be a whole number from 0 to"),
        ({"warmup_steps": 10**30}, "warmup_steps=10{30} must be a whole number from 0 to"),
        ({"eval_every": -1}, "eval_every=-1 must be a whole number from 0 to"),
        ({"learning_rate": 10**400}, "learning_rate must be float or None, got a number of about 401 digits"),
        ({"weight_decay": float("nan")}, "weight_decay=nan must be a finite number of at least 0"),
        ({"spike_threshold": 0}, "spike_threshold=0.0 must be greater than 0; to skip no spikes use None"),
        ({"optimizer": "adm"}, r"optimizer='adm' is unknown; .*; did you mean adam\?"),
        ({"optimizer": []}, r"optimizer must be a text, got \[\]"),
        ({"batch_size": 12, "micro_batch_size": 8}, "multiple of micro_batch_size=8; try micro_batch_size=4"),
        ({"keep_checkpoints": 1}, "keep_checkpoints=1 must be a whole number from 2 to 1,000,000,000"),
    ],
)
def test_a_wrong_field_gets_one_message(wrong, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**wrong)


def test_a_rate_that_follows_the_width_has_to_be_resolved_first():
    config = TrainConfig(learning_rate=None, rate_at_128=0.5)
    with pytest.raises(ValueError, match=r"learning_rate=None follows the width of the model; call config.resolved"):
        config.rate(1)
    assert config.resolved(d_model=256).peak == 0.25
    for wrong in (0, "wide", None, 10**400):
        with pytest.raises(ValueError, match=r"^d_model(=| must be)"):
            config.resolved(wrong)


@pytest.mark.parametrize("value", [np.float32(3), np.float64(3), np.int64(3)])
def test_a_number_of_numpy_is_taken(value):
    assert TrainConfig(learning_rate=value).learning_rate == 3.0


VALUES = [0, 1, -1, 10**30, 10**400, 1.5, math.nan, math.inf, "x", "", "inf", True, None, [], [1], {}, {"a": 1}]


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_field_with_any_other_value_is_refused_or_meant(value):
    for name in kinds(TrainConfig):
        with suppress(ValueError):
            found = getattr(TrainConfig(**{name: value}), name)
            assert found == value or found == float(value), name


def test_the_largest_seed_names_weights_order_and_dropout():
    seed = TrainConfig(seed=2**63 - 1).seed
    torch.Generator().manual_seed(seed)
    first, second = (TokenDataset(torch.arange(90), 8, vocab_size=90).batch(0, 2, seed=each)[0] for each in (seed, 0))
    assert not first.equal(second)
    model = GPT(GPTConfig(vocab_size=5, d_model=4, n_layers=1, n_heads=1, dropout=0.5))
    with keyed_dropout(model, seed, 0):
        assert model.drop(torch.ones(99)).unique().tolist() == [0.0, 2.0]


def test_the_multiples_of_the_learning_rate_in_the_text_are_those_of_the_optimizers():
    told = {name: f"{name} {kind.relative_rate:g}" for name, kind in OPTIMIZERS.items()}
    assert ", ".join(told.values()) in " ".join(config_module.__doc__.split())
