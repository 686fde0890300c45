"""Puts this folder on the path: its tests share the models of every kind and the planted circuit."""

import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def make_model():
    """Build one: a kind, and any field changed."""
    return import_module("microscope_models").build


@pytest.fixture
def ids():
    return torch.randint(17, (2, 9), generator=torch.Generator().manual_seed(3))
