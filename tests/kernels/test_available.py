"""kernels/__init__.py: whether a kernel can run here."""

import builtins
import importlib.util

import pytest
import torch

from minigpt import kernels


def test_here_the_kernels_run():
    pytest.importorskip("triton", reason="the tests of the kernels need triton, which is for Linux")
    assert kernels.available()


def test_without_triton_they_do_not(monkeypatch):
    monkeypatch.setattr(kernels, "find_spec", lambda name: None)
    monkeypatch.setattr(builtins, "__import__", None)  # and nothing is imported to find out
    assert kernels.available() is False


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="needs triton")
def test_with_triton_alone_they_do_not(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr("triton.knobs.runtime.interpret", False)
    assert kernels.available() is False
