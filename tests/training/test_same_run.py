import pytest

from minigpt.training.same_run import check_same_run, tell_other_threads


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


def described(dropout, **training):
    return {"model_config": {"dropout": dropout}, "train_config": {"batch_size": 12, **training}}


@pytest.mark.parametrize("changes", [{"micro_batch_size": 4}, {"compile": True}])
def test_what_draws_other_masks_is_free_only_without_dropout(changes):
    name, value = next(iter(changes.items()))
    before = {"micro_batch_size": 12, "compile": False}[name]
    check_same_run(described(0.0, **{name: before}), described(0.0, **changes))
    with pytest.raises(ValueError, match=rf"{name} was {before}, now {value}\."):
        check_same_run(described(0.2, **{name: before}), described(0.2, **changes))


def test_a_micro_batch_of_the_whole_batch_is_none_at_all():
    check_same_run(described(0.2, micro_batch_size=None), described(0.2, micro_batch_size=12))


def test_another_number_of_threads_is_one_warning():
    with pytest.warns(
        UserWarning, match=r"continues with 2 thread\(s\), and was saved with 8.*OMP_NUM_THREADS=8 gives"
    ):
        tell_other_threads(8, 2)


@pytest.mark.parametrize("saved", [2, None, "8", True, [8]])
def test_the_same_number_of_threads_or_one_that_is_unknown_says_nothing(saved):
    tell_other_threads(saved, 2)
