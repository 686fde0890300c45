import pytest

from minigpt.training.same_run import check_same_run


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


def test_what_was_not_set_is_said_in_words():
    with pytest.raises(ValueError, match=r"text was not set, now 'my.txt'; seed was 1, now not set\."):
        check_same_run({"text": None, "seed": 1}, {"text": "my.txt", "seed": None})


def test_what_changes_no_weight_may_differ():
    check_same_run({"a": {"eval_every": 5, "device": "cpu"}}, {"a": {"eval_every": 9, "device": "cuda"}})
