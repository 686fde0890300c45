import json
import shutil
from dataclasses import replace

import pytest
import torch

from minigpt.training import load_checkpoint, save_checkpoint
from minigpt.training.storage.checkpoint import parse_state

STATE = {"model_config": {"vocab_size": 3}, "train_config": {}, "tokenizer": None, "data": {}}


@pytest.mark.parametrize("state", [[], {"step": 1}, {"step": 1, **STATE, "model_config": 3}])
def test_a_consistent_manifest_around_nonsense_is_refused(tmp_path, state, checkpoint, forge_manifest):
    folder = save_checkpoint(tmp_path, checkpoint(1))
    (folder / "state.json").write_text(json.dumps(state))
    forge_manifest(folder, "state.json")
    with pytest.warns(UserWarning, match="state.json"), pytest.raises(ValueError, match="no usable checkpoint"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_another_step_under_this_name_is_refused(tmp_path, checkpoint):
    save_checkpoint(tmp_path, checkpoint(1))
    newer = save_checkpoint(tmp_path, checkpoint(2))
    for file in (tmp_path / "step-00000001").iterdir():
        shutil.copy(file, newer)
    with pytest.warns(UserWarning, match="step-00000002 is damaged .*: state.json speaks of step 1"):
        assert load_checkpoint(tmp_path).step == 1


def test_a_copy_does_not_follow_the_weights(checkpoint):
    original = checkpoint(3)
    copy = original.copy()
    for tensor in [*original.model.values(), *original.optimizer.values()]:
        tensor.zero_()
    assert torch.equal(copy.model["w"], checkpoint(3).model["w"])
    assert torch.equal(copy.optimizer["w.m"], checkpoint(3).optimizer["w.m"])


def test_the_state_comes_back_without_the_step(checkpoint):
    data = json.dumps({"step": 4, **STATE, "carried": [1]}).encode()
    assert parse_state(data, 4) == {**STATE, "carried": [1]}


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "/etc/hostname", ["bpe"], 3, True])
def test_a_tokenizer_that_is_no_object_is_refused_and_no_path_is_opened(
    tmp_path, tokenizer, checkpoint, forge_manifest
):
    folder = save_checkpoint(tmp_path, checkpoint(1))
    (folder / "state.json").write_text(json.dumps({"step": 1, **STATE, "tokenizer": tokenizer}))
    forge_manifest(folder, "state.json")
    with (
        pytest.warns(UserWarning, match="holds a tokenizer that is neither a JSON object nor null"),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, "holds a configuration that is not a JSON object"),
        ({"tokenizer": "char"}, "holds a tokenizer that is neither a JSON object nor null"),
        ({"model_config": {1, 2}}, "its state is not JSON, Object of type set is not JSON serializable"),
        ({"step": 7}, "speaks of step 7"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(tmp_path, changes, message, checkpoint):
    save_checkpoint(tmp_path, checkpoint(1))
    with pytest.raises(ValueError, match=rf"the checkpoint of step 2 can't be saved: .*{message}"):
        save_checkpoint(tmp_path, replace(checkpoint(2), state={**STATE, **changes}))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_a_state_that_lacks_a_field_is_not_saved(tmp_path, checkpoint):
    with pytest.raises(ValueError, match=r"can't be saved: state\.json lacks one of step, model_config"):
        save_checkpoint(tmp_path, replace(checkpoint(2), state={"data": {}}))
