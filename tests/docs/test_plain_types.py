"""docs/_ext/plain_types.py: a signature shows types, and not what is declared beside them."""

import importlib
import inspect
from pathlib import Path
from typing import Annotated

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")

DOCS = Path(__file__).parents[2] / "docs"


def test_what_is_declared_beside_a_type_is_not_shown(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))

    def function(a: Annotated[int | None, "a mark"], b: float = 1.0) -> Annotated[str, 3]:
        return ""

    importlib.import_module("plain_types").show_plain_types(None, function, False)
    assert str(inspect.signature(function)) == "(a: int | None, b: float = 1.0) -> str"
