import os
import subprocess
import sys

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

import minigpt as mg
from minigpt.model import next_token_loss
from minigpt.training import TrainConfig
from minigpt.training.execution.blocks import run_blocks
from minigpt.training.gradients import keyed_dropout


def config(**changes):
    settings = {"steps": 4, "batch_size": 4, "learning_rate": 0.01, "eval_every": 2, "device": "cpu"}
    return TrainConfig(**{**settings, **changes})


def loss_and_gradients(model, data, **ways):
    inputs, targets = data.batch(0, 4)
    model.zero_grad()
    with run_blocks(model, **ways), keyed_dropout(model, 0, 0):
        loss = next_token_loss(model(inputs), targets)
        loss.backward()
    return [loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())]


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.3}, {"norm_placement": "post", "position": "rope-half"}])
def test_recomputed_blocks_give_the_same_gradients_to_the_last_bit(make_model, data, changes):
    model = make_model(n_layers=3, **changes).train()
    for a, b in zip(loss_and_gradients(model, data), loss_and_gradients(model, data, recomputed=True), strict=True):
        assert torch.equal(a, b)


def saved_bytes(model, data, **ways):
    """What autograd keeps of one forward pass, each storage once, the weights left out."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with run_blocks(model, **ways), saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(data.batch(0, 4)[0])
    assert logits.requires_grad
    return sum(kept.values())


def test_recomputed_blocks_save_no_more_than_a_model_without_blocks(make_model, data):
    model, n_layers = make_model(n_layers=6).train(), 6
    whole, recomputed = saved_bytes(model, data), saved_bytes(model, data, recomputed=True)
    inputs = n_layers * 4 * data.context_length * model.config.d_model * 4  # what the blocks themselves keep
    assert recomputed + inputs < whole / 4


def test_a_run_with_recomputed_blocks_ends_with_the_same_weights_and_leaves_the_model_as_it_was(make_model, data):
    plain, recomputed = make_model(dropout=0.2), make_model(dropout=0.2)
    mg.train(plain, data, config(), progress=False)
    mg.train(recomputed, data, config(activation_checkpointing=True), validation=data, progress=False)
    for a, b in zip(plain.parameters(), recomputed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not any("forward" in vars(block) for block in recomputed.blocks)


def test_ways_of_running_nest_and_are_put_back_after_an_error(make_model, data):
    model = make_model()
    block = model.blocks[0]
    with run_blocks(model, recomputed=True):
        assert "forward" in vars(block)
        with run_blocks(model):
            assert "forward" not in vars(block)
        assert "forward" in vars(block)
        with pytest.raises(ValueError, match="ids have shape"), run_blocks(model):
            model(torch.zeros(3))
        assert "forward" in vars(block)
    assert "forward" not in vars(block)


def test_a_run_may_go_on_with_blocks_run_in_another_way(make_model, data, tokenizer, tmp_path):
    mg.train(make_model(), data, config(), out=tmp_path, tokenizer=tokenizer, progress=False)
    other = config(activation_checkpointing=True)
    resumed = mg.train(make_model(), data, other, out=tmp_path, tokenizer=tokenizer, resume=True, progress=False)
    assert len(resumed) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch warns of itself while it loads its compiler
def test_compiled_and_recomputed_blocks_give_the_losses_of_the_blocks_as_written(make_model, data):
    pytest.importorskip("torch._inductor.cpp_builder").get_cpp_compiler()
    plain = mg.train(make_model(n_layers=2), data, config(), progress=False)
    torch._dynamo.reset()  # other tests compile too
    torch._dynamo.utils.counters.clear()
    compiled = mg.train(
        make_model(n_layers=2), data, config(compile=True, activation_checkpointing=True), progress=False
    )
    assert [row["loss"] for row in compiled.rows] == pytest.approx([row["loss"] for row in plain.rows], rel=1e-5)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1  # one program for all blocks


@pytest.mark.slow
def test_without_a_c_compiler_there_is_one_message(tmp_path):
    code = (
        "import torch, minigpt as mg\n"
        "from minigpt.training.execution.blocks import run_blocks\n"
        "model = mg.GPT(mg.GPTConfig(vocab_size=5, context_length=4, d_model=8, n_heads=2, n_layers=1))\n"
        "with run_blocks(model, compiled=True):\n"
        "    try:\n"
        "        model(torch.zeros(1, 4, dtype=torch.int64))\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    environment = {**os.environ, "CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("torch.compile does not work here: InvalidCxxCompiler")
    assert "apt install g++" in done.stdout and "compile=False" in done.stdout
    assert done.stdout.count("\n") == 1
