"""docs/_ext/accessible.py: what is mended for a keyboard, a screen reader and a phone."""

import importlib
from pathlib import Path

import pytest

nodes = pytest.importorskip("docutils.nodes", reason="the site needs Sphinx: install the docs extra")


@pytest.fixture
def accessible(monkeypatch):
    pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("accessible")


@pytest.mark.parametrize(
    ("written", "mended"),
    [
        ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
        ("<dl>\n<dd>a: int</dd></dl>", '<dl role="presentation">\n<dd>a: int</dd></dl>'),
        ("<dl>\n<dt>term</dt><dd>meaning</dd></dl>", "<dl>\n<dt>term</dt><dd>meaning</dd></dl>"),
        ("<pre><span></span>code</pre>", '<pre tabindex="0"><span></span>code</pre>'),
        (
            '<div class="table-wrapper docutils container">',
            '<div class="table-wrapper docutils container" tabindex="0">',
        ),
    ],
)
def test_html_is_mended_where_it_has_to_be_and_only_once(accessible, written, mended):
    assert accessible.mend(written) == mended
    assert accessible.mend(mended) == mended


@pytest.mark.parametrize(
    ("line", "wraps"),
    [
        ("step 100: loss 2.5, validation 2.6", True),
        ("step  loss\n 100   2.5", False),
        ("a score  exceeds 88.7, so its exponential overflows; " * 3, True),
    ],
)
def test_printed_text_wraps_unless_it_is_a_table(accessible, line, wraps):
    text = f"first\n{line}\nlast"
    assert accessible.is_sentences(nodes.literal_block(text, text, classes=["output", "stream"])) is wraps
    assert accessible.is_sentences(nodes.literal_block(text, text, language="output")) is wraps
    assert not accessible.is_sentences(nodes.literal_block(text, text, language="python"))  # code is never wrapped
