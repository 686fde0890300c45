import torch

from minigpt.bench.allocation import peak_allocation


def test_the_allocation_is_the_most_that_is_alive_at_once():
    def step():
        first = torch.zeros(2**18)
        del first
        torch.zeros(2**18)

    assert 4 * 2**18 <= peak_allocation(step) < 2 * 4 * 2**18


def test_on_a_gpu_it_is_what_the_allocator_counted_beyond_what_was_there(monkeypatch):
    for name in ("synchronize", "reset_peak_memory_stats"):
        monkeypatch.setattr(torch.cuda, name, lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 350)
    assert peak_allocation(lambda: None, torch.device("cuda")) == 250


def test_the_profiler_writes_nothing(capfd):
    peak_allocation(lambda: torch.zeros(1))
    assert capfd.readouterr() == ("", "")
