"""The tests import the modules beside them, and are skipped, visibly, where the package ``gguf`` is missing."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("gguf")
sys.path.append(str(Path(__file__).parent))
from tiny_gguf import random_llama, write


@pytest.fixture(scope="session")
def theirs():
    """A small Llama of transformers, every weight random."""
    return random_llama()


@pytest.fixture
def make(theirs, tmp_path):
    """Write it as a GGUF file, with any field, type or tensor changed."""

    def make_file(**changes):
        return write(tmp_path / "tiny.gguf", theirs, **changes)

    return make_file
