import pytest

from minigpt.training.processes.device import choose_device


@pytest.mark.parametrize("name", ["meta", "meta:0", "warp", "cuda:97", "hpu", "privateuseone", "xla", "cpu ", ""])
def test_a_device_that_computes_nothing_here_is_one_message_that_names_those_that_do(name):
    with pytest.raises(ValueError, match=r"is not on this machine; it has .*cpu \(try device='auto'\)$"):
        choose_device(name)


def test_the_cpu_is_there():
    assert choose_device("cpu").type == "cpu"
