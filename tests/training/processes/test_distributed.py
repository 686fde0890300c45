"""The same training on several processes. One torchrun starts two of them for all tests of this file."""

import json
import math
import re
import shutil
import socket
from pathlib import Path

import pytest
import several
import torch

import minigpt as mg
from minigpt.training import OPTIMIZERS, load_checkpoint
from minigpt.training.processes import distributed
from minigpt.training.processes.distributed import World, join_world
from minigpt.training.storage.run_folder import RunFolder

STRATEGIES = several.STRATEGIES
LARGEST_DIFFERENCE = 1e-5  # nats per token: sums in another order


@pytest.fixture(scope="module")
def alone():
    """What one process sees, by data."""
    return {name: several.train(data()) for name, data in several.DATA.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder that holds, for each strategy, a run of one process that was stopped after half its steps."""
    folder = tmp_path_factory.mktemp("several")
    for strategy in STRATEGIES:
        several.train(several.Data(several.windows(), several.stop_before(6)), out=folder / f"one-for-{strategy}")
    half = several.Data(several.windows(), several.stop_before(6))
    several.train(half, precision="bf16", out=folder / "one-for-narrow")
    return folder


@pytest.fixture(scope="module")
def together(folder, torchrun):
    """What each of two processes saw in every scenario."""
    torchrun(2, Path(several.__file__), folder, *several.SCENARIOS)
    for out in ("sharded", "fsdp/windows", "zero/windows", "ddp/windows"):
        shutil.copytree(folder / out / "checkpoints" / "step-00000006", folder / out / "kept" / "step-00000006")
    shutil.copy(folder / "ddp" / "windows" / "log.jsonl", folder / "ddp-log.jsonl")
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


def difference(these, those):
    return max(abs(a - b) for a, b in zip(these, those, strict=True))


@pytest.mark.parametrize("data", several.DATA)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_see_the_losses_of_one(alone, together, strategy, data):
    for rank in range(2):
        for figure, expected in alone[data].items():
            found = together[rank][f"{strategy} {data}"][figure]
            assert difference(found, expected) <= LARGEST_DIFFERENCE * max(1, *expected), figure


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_each_process_balances_the_experts_over_its_own_tokens(together, strategy):
    expected = several.experts(micro_batch_size=4)  # as many rows as each of the two has
    for figure, numbers in expected.items():
        for seen in together:
            found = seen["experts"][strategy][figure]
            assert difference(found, numbers) <= LARGEST_DIFFERENCE * max(1, *numbers), figure


@pytest.mark.parametrize("strategy", ["zero", "fsdp"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_and_the_average_work_where_they_are_shared(together, name, strategy):
    expected = several.with_optimizer(name)
    for rank in range(2):
        assert difference(together[rank]["optimizers"][strategy][name], expected) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("data", several.DATA)
def test_a_shared_optimizer_gives_the_figures_of_ddp(together, data):
    for seen in together:
        for figure, expected in seen[f"ddp {data}"].items():
            assert difference(seen[f"zero {data}"][figure], expected) <= 1e-6, figure


def test_a_checkpoint_of_a_shared_optimizer_is_that_of_ddp(folder, together):
    shared, whole = (load_checkpoint(folder / out / "kept") for out in ("zero/windows", "ddp/windows"))
    for found, expected in ((shared.model, whole.model), (shared.optimizer, whole.optimizer)):
        assert found.keys() == expected.keys()
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert all(bool(m.abs().max() > 0) for m in shared.optimizer.values())


def test_each_process_keeps_about_half_of_the_moments_of_a_shared_optimizer(together):
    shares = [seen["zero shares"] for seen in together]
    assert sum(share["kept"] for share in shares) == shares[0]["all"] == shares[1]["all"]
    assert all(0.4 < share["kept"] / share["all"] < 0.6 for share in shares)


def test_a_shared_optimizer_goes_on_from_the_shards_of_fsdp(alone, together):
    for seen in together:
        assert difference(seen["zero from shards"]["loss"][-6:], alone["windows"]["loss"][-6:]) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_loss_without_logits_is_the_same_on_several_processes(alone, together, strategy):
    for figure, expected in alone["windows"].items():
        found = together[0]["chunked"][strategy][figure]
        assert difference(found, expected) <= LARGEST_DIFFERENCE * max(1, *expected), figure


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_go_on_from_the_checkpoint_of_one(alone, together, strategy):
    found, expected = (losses["loss"] for losses in (together[0][f"{strategy} resumed"], alone["windows"]))
    assert difference(found, expected) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_process_goes_on_from_the_checkpoint_of_two(alone, folder, together, strategy):
    out = folder / strategy / "windows"
    shutil.rmtree(out / "checkpoints" / "step-00000012")
    found = several.train(several.windows(), out=out, resume=True)["loss"]
    assert difference(found, alone["windows"]["loss"]) <= LARGEST_DIFFERENCE


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_signal_to_one_process_stops_all_at_the_same_step_with_one_checkpoint(folder, together, strategy):
    assert [len(seen[f"{strategy} stopped"]["loss"]) for seen in together] == [3, 3]
    assert [path.name for path in (folder / f"stopped-{strategy}" / "checkpoints").iterdir()] == ["step-00000003"]


NARROW = {"bf16": 4e-3, "fp16": 4e-4}  # nats per token in 12 steps; bfloat16 has 8 bits of fraction, float16 11


@pytest.mark.parametrize("precision", several.PRECISIONS)
@pytest.mark.parametrize("parts", several.PARTS)
def test_shards_fetched_in_16_bits_give_the_losses_of_autocast_in_one_process(together, parts, precision):
    expected = several.narrow(parts, precision)
    found = [seen["narrow"][f"{parts} {precision}"] for seen in together]
    assert found[0] == found[1]
    assert difference(found[0]["loss"], expected["loss"]) <= NARROW[precision]
    assert difference(found[0]["loss"], several.narrow(parts, "fp32")["loss"]) > LARGEST_DIFFERENCE


def test_blocks_are_fetched_in_16_bits_and_kept_in_float32(folder, together):
    for seen in together:
        assert seen["narrow"]["seen"] == ["stream torch.float32", "torch.bfloat16"]
        assert seen["narrow"]["kept"] == ["torch.float32"]
    saved = load_checkpoint(folder / "narrow-gpt2-bf16" / "checkpoints")
    assert {t.dtype for t in (*saved.model.values(), *saved.optimizer.values())} == {torch.float32}


def test_a_run_in_16_bits_goes_on_on_shards_and_from_them(folder, together):
    expected = several.narrow("gpt2", "bf16")["loss"]
    assert difference(together[0]["narrow, resumed"], expected) <= NARROW["bf16"]
    out = folder / "narrow-gpt2-bf16"
    shutil.rmtree(out / "checkpoints" / "step-00000012")
    assert difference(several.narrow("gpt2", "bf16", out=out, resume=True)["loss"], expected) <= NARROW["bf16"]


@pytest.mark.parametrize("loss", ["logits", "chunked"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_process_without_a_target_that_counts_changes_nothing(together, strategy, loss):
    expected = several.train(several.half_silent(), label_smoothing=0.1, loss=loss, eval_every=0)
    for seen in together:
        for figure in expected:
            found = seen["silences"][f"{strategy} {loss}"][figure]
            assert difference(found, expected[figure]) <= LARGEST_DIFFERENCE * max(1, *expected[figure]), figure


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_batch_without_a_target_that_counts_ends_all_processes_with_its_step(together, strategy):
    for seen in together:
        assert seen["silences"][f"{strategy} message"].startswith("step 2: no target of the batch counts: all are -100")


def test_two_processes_go_on_from_shards(alone, together):
    found = together[0]["fsdp sharded, resumed"]["loss"]
    assert difference(found, alone["windows"]["loss"]) <= LARGEST_DIFFERENCE


def test_processes_that_do_not_share_a_folder_write_no_shards(folder, together):
    for rank in range(2):
        message = f"the processes do not all see the folder {folder}/apart-{rank}/checkpoints, where rank 0 saves"
        assert together[rank]["apart"].startswith(message)
    assert list((folder / "apart-0" / "checkpoints").iterdir()) == []


def test_one_process_goes_on_from_the_shards_of_two(alone, folder, together):
    out = folder / "sharded"
    shutil.rmtree(out / "checkpoints" / "step-00000012")
    found = several.train(several.windows(), out=out, resume=True)["loss"]
    assert difference(found, alone["windows"]["loss"]) <= LARGEST_DIFFERENCE


def test_shards_hold_the_same_bits_as_what_rank_0_gathers(folder, together):
    shards, gathered = (load_checkpoint(folder / out / "kept") for out in ("sharded", "fsdp/windows"))
    for found, expected in ((shards.model, gathered.model), (shards.optimizer, gathered.optimizer)):
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_each_process_writes_about_half_of_the_shards_and_no_pickle(folder, together):
    files = {path.name: path.stat().st_size for path in (folder / "sharded" / "kept" / "step-00000006").iterdir()}
    shards = [files.pop(f"shard-0000{i}-model-00001-of-00001.safetensors") for i in (1, 2)]
    assert files.keys() == {"MANIFEST.json", "state.json"}
    assert 0.8 < shards[0] / shards[1] < 1.25


def test_a_damaged_shard_is_noticed(folder, together, tmp_path):
    shutil.copytree(folder / "sharded" / "kept", tmp_path, dirs_exist_ok=True)
    shard = tmp_path / "step-00000006" / "shard-00002-model-00001-of-00001.safetensors"
    data = bytearray(shard.read_bytes())
    data[-9] ^= 1
    shard.write_bytes(data)
    with (
        pytest.warns(UserWarning, match=r"shard-00002.* does not match the sha256"),
        pytest.raises(ValueError, match="no usable checkpoint"),
    ):
        load_checkpoint(tmp_path)


def test_the_model_of_shards_is_a_plain_one(folder, together):
    model, tokenizer = mg.load_model(folder / "sharded")
    assert type(model) is mg.GPT and mg.generate(model, tokenizer, "the ", max_new_tokens=3).startswith("the ")


def test_a_step_that_is_not_finite_in_one_process_is_skipped_by_all(together):
    found = [seen["poisoned"] for seen in together]
    assert all(run["finite"] and math.isnan(run["loss"][1]) for run in found)
    assert found[0]["loss"][2:] == found[1]["loss"][2:]


def test_the_log_has_each_step_once(folder, together):
    lines = (folder / "ddp-log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(12))


def test_dropout_differs_between_the_processes(together):
    assert together[0]["first logits"] != together[1]["first logits"]


def test_gradients_travel_once_an_update(together):
    blocks_and_the_rest = 3
    assert together[0]["gradient travels"] == {"ddp": 1, "fsdp": blocks_and_the_rest}


def test_sharded_gradients_whose_squares_are_too_large_are_clipped(together):
    found = together[0]["huge gradients"]
    assert found == together[1]["huge gradients"]
    norm, clipped = found["usual"]
    assert norm > 0.3 and clipped == pytest.approx(0.25, rel=1e-5)
    assert found["huge"] == pytest.approx([1e25 * norm, 0.25], rel=1e-5)
    assert not any(map(math.isfinite, found["infinite"]))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_trained_model_can_be_called_by_all_processes(together, strategy):
    found, other = (seen["called after"][strategy] for seen in together)
    assert found == other
    assert found["shape"] == [2, 16, several.TOKENIZER.vocab_size]
    assert found["names"] == [name for name, _ in several.make_model().named_parameters()]
    assert found["validation"] == pytest.approx(found["history"], abs=LARGEST_DIFFERENCE)
    assert found["logits"] == pytest.approx(together[0]["called after"]["ddp"]["logits"], rel=1e-3)


def test_a_batch_that_cannot_be_shared_is_refused_by_every_process(together):
    assert (
        together[0]["refusals"]
        == together[1]["refusals"]
        == [
            "batch_size=5 can't be shared evenly by 2 processes; try 4 or 6",
            "batch_size=1 can't be shared evenly by 2 processes; try 2",
            "batch_size=12 must be a multiple of micro_batch_size · processes = 4 · 2; try micro_batch_size=2",
        ]
    )


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("the training data", r'the training data \("\w{16}", "\w{16}"\)'),
        ("the validation data", r'the validation data \("\w{16}", null\)'),
        ("settings", r"weight_decay \(0\.1, 0\.5\); seed \(0, 7\)"),
        ("the shape", r"n_layers \(1, 2\)"),
        ("the tokenizer", r"the tokenizer \(\w{16}, \w{16}\)"),
    ],
)
def test_processes_that_were_started_differently_all_say_what_differs(together, what, told):
    messages = {seen["disagreements"].get(what, "it trains") for seen in together}
    assert len(messages) == 1
    assert re.fullmatch(
        rf"the processes were started differently, in the order of their ranks: {told}\. Give all of them the same "
        "command, files and version of minigpt",
        messages.pop(),
    )


@pytest.mark.parametrize("name", ["RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"])
@pytest.mark.parametrize("value", ["x", "", "-1", "1.5"])
def test_a_variable_of_torchrun_that_is_no_number_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with (
        pytest.raises(ValueError, match=f"the environment variable {name}={value!r} must be a whole number"),
        join_world("cpu"),
    ):
        pass


def together_at(monkeypatch, port, rank="0"):
    for name, value in (("RANK", rank), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port)):
        monkeypatch.setenv(name, value)


def test_a_rank_beyond_the_world_is_named(monkeypatch):
    together_at(monkeypatch, "0", rank="2")
    with pytest.raises(ValueError, match="RANK=2 must be less than WORLD_SIZE=2"), join_world("cpu"):
        pass


def test_a_port_in_use_is_one_clear_line(monkeypatch):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        together_at(monkeypatch, port)
        meets = pytest.raises(ValueError, match=f"can't meet at 127.0.0.1:{port}: .*--master-port")
        with meets as refused, join_world("cpu"):
            pass
    assert "\n" not in str(refused.value)


def test_without_torchrun_the_world_is_one_process():
    with join_world("cpu") as world:
        assert world == World() and world.is_main
        assert world.sum(1.5, 2) == [1.5, 2] and world.any(True) and not world.any(False)
        assert (world.micro_batch(12, None), world.micro_batch(12, 4)) == (12, 4)


@pytest.mark.parametrize("restarts", ["0", "1"])
@pytest.mark.parametrize("has_checkpoint", [False, True])
def test_a_run_is_resumed_if_asked_or_if_torchrun_restarted_it(tmp_path, monkeypatch, has_checkpoint, restarts):
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", restarts)
    if has_checkpoint:
        (tmp_path / "checkpoints" / "step-00000005").mkdir(parents=True)

    def resumes(resume):
        with RunFolder.open(tmp_path, resume) as folder:
            return folder.resumes

    assert resumes(True)
    assert resumes("auto") == has_checkpoint
    if has_checkpoint and restarts == "0":
        with pytest.raises(ValueError, match="already holds a run"):
            resumes(False)
    else:
        assert resumes(False) == has_checkpoint


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    monkeypatch.setattr(distributed, "choose_device", torch.device)
    for local_rank in (0, 1):
        monkeypatch.setenv("LOCAL_RANK", str(local_rank))
        assert distributed.device_of_rank("auto") == torch.device("cuda", local_rank)
    with pytest.raises(ValueError, match="device='cuda:0' is one GPU for all processes; with torchrun use"):
        distributed.device_of_rank("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match=r"process 2 of this machine finds no GPU of its own.*--nproc-per-node 2"):
        distributed.device_of_rank("cuda")
