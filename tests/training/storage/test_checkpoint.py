import json
import shutil

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
