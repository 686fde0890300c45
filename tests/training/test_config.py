import pytest

from minigpt.training import TrainConfig


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps=0 must be a finite number of at least 1"),
        ({"batch_size": -3}, "batch_size=-3 must be"),
        ({"steps": 1.5}, "steps must be int, got 1.5"),
        ({"micro_batch_size": -1}, "micro_batch_size=-1 must be a finite number of at least 1"),
        ({"micro_batch_size": 0}, "micro_batch_size=0 must be a finite number of at least 1"),
        ({"steps": True}, "steps must be int, got True"),
        ({"steps": "5"}, "steps must be int, got '5'"),
        ({"compile": "no"}, "compile must be bool, got 'no'"),
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
        ({"batch_size": 12, "micro_batch_size": 8}, "multiple of micro_batch_size=8; try micro_batch_size=4"),
        ({"keep_checkpoints": 1}, "keep_checkpoints=1 must be a finite number of at least 2"),
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
