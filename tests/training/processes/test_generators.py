"""minigpt/training/processes/generators.py: generators of the CPU stand in for those of two GPUs."""

import pytest
import torch

from minigpt.training.gradients import keyed_dropout
from minigpt.training.processes.generators import seeded_generators


@pytest.fixture
def gpus(monkeypatch):
    """The generators of two GPUs."""
    generators = tuple(torch.Generator().manual_seed(i) for i in (10, 11))
    monkeypatch.setattr(torch.cuda, "default_generators", generators)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: generators[torch.device(device).index].get_state())
    monkeypatch.setattr(
        torch.cuda, "set_rng_state", lambda state, device: generators[torch.device(device).index].set_state(state)
    )
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: [each.manual_seed(seed) for each in generators])
    return generators


def drawn(generator=None):
    return torch.rand(3, generator=generator).tolist()


def test_numbers_are_those_of_the_seed_and_afterwards_the_generators_are_as_they_were(gpus):
    before = [torch.get_rng_state(), *(each.get_state() for each in gpus)]
    expected = drawn(torch.Generator().manual_seed(2**64 - 1))
    with seeded_generators([torch.device("cuda:1"), torch.device("cpu")], 2**64 - 1):
        assert drawn() == drawn(gpus[1]) == expected
    after = [torch.get_rng_state(), *(each.get_state() for each in gpus)]
    assert all(one.equal(other) for one, other in zip(before, after, strict=True))


def test_a_gpu_that_is_not_needed_is_not_asked_and_goes_on_with_its_numbers(gpus):
    """What else computes there may draw while the block runs."""
    twin = torch.Generator().manual_seed(10)
    with seeded_generators([torch.device("cuda:1")], 5):
        assert drawn(gpus[0]) == drawn(twin)
    assert drawn(gpus[0]) == drawn(twin)


def test_dropout_on_a_cpu_touches_no_gpu(gpus, make_model):
    twins = [torch.Generator().manual_seed(i) for i in (10, 11)]
    with keyed_dropout(make_model(dropout=0.5), 0, 1):
        assert [drawn(each) for each in gpus] == [drawn(each) for each in twins]
    assert [drawn(each) for each in gpus] == [drawn(each) for each in twins]


def test_the_generators_are_as_they_were_after_an_error(gpus):
    before = gpus[0].get_state()
    with pytest.raises(KeyError), seeded_generators([torch.device("cuda:0")], 5):
        raise KeyError
    assert gpus[0].get_state().equal(before)


def test_pytorch_is_told_a_type_of_device_where_there_is_none(monkeypatch):
    """Before 2.13 it looked for a device of that type."""
    fork_rng, expected = torch.random.fork_rng, drawn(torch.Generator().manual_seed(5))

    def as_before(devices, device_type="cuda"):
        return fork_rng(devices, device_type=torch.device(device_type).type)

    monkeypatch.setattr(torch.random, "fork_rng", as_before)
    with seeded_generators([torch.device("cpu")], 5):
        assert drawn() == expected
