"""docs/zoo_pictures.py: the pictures of "My loss looks like this" are those that the script draws."""

import importlib.util
import re
import struct
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="the pictures need matplotlib: install the viz extra")

DOCS = Path(__file__).parents[2] / "docs"
LARGEST = 60_000  # bytes of one picture


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("zoo_pictures", DOCS / "zoo_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_every_picture_that_is_drawn(pictures):
    page = (DOCS / "howto" / "my-loss-looks-like-this.md").read_text(encoding="utf-8")
    shown = re.findall(r"_static/zoo/([\w-]+)\.png", page)
    assert sorted(shown) == sorted(pictures.NAMES) == sorted(path.stem for path in pictures.STATIC.glob("*.png"))


def test_a_picture_is_small_and_of_the_size_that_the_script_makes(pictures, tmp_path):
    pictures.main(tmp_path, ["dead-initialisation"])
    drawn = (tmp_path / "dead-initialisation.png").read_bytes()
    for data in [drawn, *(path.read_bytes() for path in pictures.STATIC.glob("*.png"))]:
        assert len(data) < LARGEST and struct.unpack(">II", data[16:24]) == (600, 348)
