import pytest
import torch

import minigpt as mg
from minigpt.training import RunState, TrainConfig
from minigpt.training.safety import memory_advice as advice_module
from minigpt.training.safety.memory import StepMemory, step_memory
from minigpt.training.safety.memory_advice import spare_bytes

CUDA = "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 23.64 GiB."
CPU = "err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes. Error code 12"


def full(model, error, most=2):
    """The model, with a layer that finds no memory for more than ``most`` sequences."""

    def check(module, inputs, output):
        if len(output) > most:
            raise error
        return output

    model.blocks[0].mlp.register_forward_hook(check)
    return model


def config(**changes):
    return TrainConfig(**{"steps": 3, "batch_size": 12, "device": "cpu", **changes})


def message(model, data, settings):
    with pytest.raises(MemoryError) as caught:
        mg.train(model, data, settings, progress=False)
    return str(caught.value)


@pytest.mark.parametrize(
    ("error", "asked"), [(torch.OutOfMemoryError(CUDA), "20 GiB"), (RuntimeError(CPU), "4 KiB")], ids=["cuda", "cpu"]
)
def test_what_was_asked_for_is_told(make_model, data, error, asked):
    words = message(full(make_model(), error), data, config())
    assert words.startswith(f"out of memory on cpu, which was asked for {asked} more. A step needs about ")


def test_the_largest_micro_batch_that_fits_is_suggested(make_model, data, monkeypatch):
    model = make_model()
    run = RunState(model.train(), config(), data)
    needs = step_memory(run)
    there = needs.total(5) / advice_module.MARGIN
    monkeypatch.setattr(advice_module, "spare_bytes", lambda device: int(there) - needs.weights - needs.moments)
    words = message(full(make_model(), torch.OutOfMemoryError(CUDA)), data, config())
    assert "Try micro_batch_size=4 (about " in words  # of 12: 6 would be too large
    assert 'activation_checkpointing=True, which changes none either; precision="bf16"' in words
    settings = config(micro_batch_size=4, activation_checkpointing=True, precision="bf16")
    assert len(mg.train(full(make_model(), torch.OutOfMemoryError(CUDA), 4), data, settings, progress=False)) == 3


def test_what_is_switched_on_already_is_not_suggested(make_model, data):
    settings = config(micro_batch_size=1, activation_checkpointing=True, precision="bf16")
    words = message(full(make_model(), torch.OutOfMemoryError(CUDA), 0), data, settings)
    assert words == (
        "out of memory on cpu, which was asked for 20 GiB more. Try a shorter context_length or a smaller model"
    )


def test_another_error_is_left_alone(make_model, data):
    with pytest.raises(RuntimeError, match="something else"):
        mg.train(full(make_model(), RuntimeError("something else")), data, config(), progress=False)


def test_a_step_is_told_in_readable_units():
    needs = StepMemory(weights=2**20, gradients=2**20, moments=2**21, fixed=0, activations=2**19)
    assert advice_module._needed(needs, 12, 5 * 2**30) == (
        " A step needs about 10 MiB, and there are 5 GiB: weights 1 MiB, gradients 1 MiB, moments 2 MiB, activations "
        "of 12 sequences 6 MiB."
    )


def test_the_spare_memory_of_the_cpu_is_a_number_or_unknown():
    spare = spare_bytes(torch.device("cpu"))
    assert spare is None or spare > 2**20
    assert spare_bytes(torch.device("meta")) is None


def test_a_step_that_is_timed_before_the_first_gets_the_same_advice(make_model, data, monkeypatch):
    monkeypatch.setattr("minigpt.training.execution.compiling._can_compile", lambda device: True)
    words = message(full(make_model(), torch.OutOfMemoryError(CUDA)), data, config(compile="auto"))
    assert "20 GiB" in words and "micro_batch_size" in words
