"""docs/pictures.py: the pictures of README and the front page come from a run, and a run makes all of them."""

import importlib
import importlib.util
import re
import struct
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the pictures need matplotlib: install the viz extra")

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "docs" / "_static"
LARGEST = 150_000  # bytes of one picture


def shown():
    """The pictures that README and the front page show."""
    pages = [ROOT / "README.md", ROOT / "docs" / "index.md"]
    return set(re.findall(r"_static/([\w-]+\.png)", "".join(page.read_text(encoding="utf-8") for page in pages)))


@pytest.fixture
def pictures(monkeypatch):
    monkeypatch.setenv("MINIGPT_QUICK", "1")
    monkeypatch.setattr(importlib.import_module("minigpt.runs.splits"), "VALIDATED", 8)
    spec = importlib.util.spec_from_file_location("pictures", ROOT / "docs" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_makes_every_picture_that_is_shown(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures.main(tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == shown()


@pytest.mark.parametrize("name", sorted(shown()))
def test_a_picture_is_small_and_of_the_size_that_the_script_makes(name):
    data = (STATIC / name).read_bytes()
    assert len(data) < LARGEST
    assert struct.unpack(">II", data[16:24]) == (840, 532)  # 6 × 3.8 inches at 140 dots an inch
