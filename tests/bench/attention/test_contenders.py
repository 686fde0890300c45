import pytest
import torch

from minigpt.bench.attention.contenders import CONTENDERS
from minigpt.bench.attention.setting import Setting

CPU = torch.device("cpu")


def test_on_the_cpu_the_contenders_compute_the_same():
    for causal in (False, True):
        here = Setting(8, 4, causal, torch.float32, 2, 3)
        q, k, v, _ = here.draw(CPU)
        outputs = [make(here, CPU)(q, k, v) for make in CONTENDERS["cpu"].values()]
        torch.testing.assert_close(*outputs)


def test_a_gpus_contenders_are_our_kernel_and_its_known_peers():
    assert list(CONTENDERS["cuda"]) == ["flash", "cudnn", "flex", "triton", "formula"]


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("name", ["flash", "flex", "triton"])
def test_what_a_gpu_runs_is_the_formula(name, monkeypatch):
    """Those of them that also run here: Triton's interpreter, PyTorch's CPU kernels, FlexAttention uncompiled."""
    if name == "triton":
        pytest.importorskip("triton", reason="needs triton, which is for Linux")
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    for causal in (False, True):
        here = Setting(32, 16, causal, torch.float32, 1, 2)
        q, k, v, _ = (x.detach() for x in here.draw(CPU))
        expected = CONTENDERS["cpu"]["formula"](here, CPU)(q, k, v)
        torch.testing.assert_close(CONTENDERS["cuda"][name](here, CPU)(q, k, v), expected)
