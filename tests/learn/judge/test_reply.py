"""A reply in a terminal and in a notebook."""

import re
from xml.etree import ElementTree

import pytest

import minigpt as mg
from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.judge import Reply
from minigpt.learn.judge.hints import formula_hint
from minigpt.learn.judge.layout import Paragraph, Section
from minigpt.settings.language import columns_of, language, wrapped


def reply(**given):
    hints = (Section("Hint 1", (Paragraph("Look <here>."),)), Section("Hint 2", (Paragraph("a = b", True, "b"),)))
    defaults = {
        "exercise": "softmax",
        "right": False,
        "id": "softmax.first-axis",
        "says": "Another axis & more.",
        "hints": hints,
    }
    return Reply(**{**defaults, **given})


def parsed(text):
    """The HTML as XML, without its style: every element is closed."""
    return ElementTree.fromstring(f"<all>{re.sub('<style>.*?</style>', '', text, flags=re.DOTALL)}</all>")


def test_it_is_true_if_it_is_right():
    assert reply(right=True, id="right")
    assert not reply()


def test_the_first_line_says_verdict_and_mistake():
    assert str(reply()).split("\n")[0] == "softmax: not right yet. Another axis & more."


def test_the_html_is_whole_and_escapes_what_is_shown():
    tree = parsed(reply()._repr_html_())
    assert [e.text for e in tree.iter("summary")] == ["Hint 1", "Hint 2"]
    assert "Look <here>." in "".join(tree.itertext())
    assert tree.find(".//mark").text == "b"


def test_the_html_needs_no_network_and_no_script():
    text = reply()._repr_html_()
    assert not re.search(r"https?:|<script|@import|url\(", text)


def test_the_html_can_be_used_with_keyboard_and_screen_reader():
    tree = parsed(reply(lang="zh")._repr_html_())
    (section,) = tree.iter("section")
    assert section.get("lang") == "zh-CN"
    assert section.get("role") == "status"
    assert all(e.get("tabindex") == "0" for e in tree.iter("pre"))


def test_the_html_follows_the_theme_of_the_page_and_else_that_of_the_system():
    text = reply()._repr_html_()
    assert "prefers-color-scheme:dark" in text
    assert '[data-jp-theme-light="false"]' in text


@pytest.mark.parametrize(
    ("variables", "spoken"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB"}, "en"),
        ({"LANG": "en_GB", "LC_ALL": "zh_TW"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_locale(variables, spoken, monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == spoken


def test_another_language_is_refused():
    assert language("zh-CN") == "zh"
    with pytest.raises(ValueError, match="lang='fr' must be"):
        language("fr")


def test_chinese_lines_are_broken_by_the_columns_they_take():
    lines = list(wrapped("沿着最后一个轴做归一化，" * 9))
    assert all(len(line) <= 40 for line in lines)
    assert "".join(lines) == "沿着最后一个轴做归一化，" * 9
    assert not any(line.startswith("，") for line in lines)


def test_the_json_has_the_id_and_no_hint():
    assert reply().to_json() == {
        "exercise": "softmax", "right": False, "id": "softmax.first-axis", "kind": "", "says": "Another axis & more.",
    }  # fmt: skip


def test_a_narrow_page_scrolls_the_table_of_exercises_and_breaks_no_word():
    page = mg.check.all(lang="en")._repr_html_()
    assert '<div class="wide" tabindex="0"><table>' in page.replace("'", '"')
    assert ".mg-reply .wide{overflow-x:auto}" in page
    assert "overflow-wrap:normal" in page


@pytest.mark.parametrize("exercise", CATALOGUE, ids=lambda e: e.name)
def test_the_hint_with_the_formula_takes_80_columns_and_loses_nothing(exercise):
    hint = str(formula_hint(exercise, "en"))
    assert max(map(len, hint.split("\n"))) <= 80
    shown = hint.replace("«", "").replace("»", "")
    assert "".join(exercise.latex.split()) in "".join(shown.split())


def test_what_is_printed_without_a_call_says_how_it_is_called(monkeypatch):
    for lang in ("en", "zh"):
        monkeypatch.setenv("LC_ALL", lang)
        for name in ("all", "gradient"):
            said = str(getattr(mg.check, name))
            assert f"mg.check.{name}(" in said
            assert "object at" not in said
            assert len(said.split("\n")) <= 2
            assert all(columns_of(line) <= 80 for line in said.split("\n"))
            assert (lang == "zh") == bool(re.search("[\u4e00-\u9fff]", said))
        assert "24" in str(mg.check)
        assert "mg.check.softmax(" in repr(mg.check)
    call = re.search(r"mg\.check\.gradient\(.*?\)", str(mg.check.gradient))
    assert eval(call[0], {"mg": mg})
    assert mg.check.all(lang="en")
