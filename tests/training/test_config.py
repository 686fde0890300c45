import pytest

from minigpt.training import TrainConfig
from minigpt.training.config import check_same_run


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "steps=0 must be a finite number of at least 1"),
        ({"batch_size": -3}, "batch_size=-3 must be"),
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


def test_every_field_that_differs_is_named_with_both_values():
    saved = {
        "model_config": {"d_model": 16, "n_layers": 2},
        "train_config": {"seed": 0, "eval_every": 5},
        "tokenizer": {},
    }
    wanted = {
        "model_config": {"d_model": 32, "n_layers": 2},
        "train_config": {"seed": 1, "eval_every": 9},
        "tokenizer": 1,
    }
    with pytest.raises(ValueError, match=r"d_model was 16, now 32; seed was 0, now 1; the tokenizer is another one\."):
        check_same_run(saved, wanted)


def test_what_changes_no_weight_may_differ():
    check_same_run({"a": {"eval_every": 5, "device": "cpu"}}, {"a": {"eval_every": 9, "device": "cuda"}})
