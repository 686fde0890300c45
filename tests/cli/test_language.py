"""The language of what commands print: that of the locale; JSON, settings and errors are English in each."""

import json

import pytest
from tiny_runs import printed_by

LOOKS = ("runs", "info", "eval")


def words(look, run):
    return [look, str(run.out.parent if look == "runs" else run.out)]


@pytest.mark.parametrize(
    ("variables", "lang"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_what_a_command_prints_follows_the_locale(variables, lang, tiny_run, monkeypatch):
    run = tiny_run("names")
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for look, told in zip(
        LOOKS, {"en": ("steps", "of", "perplexity"), "zh": ("步数", "已完成", "困惑度")}[lang], strict=True
    ):
        assert told in printed_by(words(look, run))


@pytest.mark.parametrize("look", LOOKS)
def test_in_chinese_the_json_is_that_of_english(look, tiny_run, in_chinese, monkeypatch):
    chinese = json.loads(printed_by([*words(look, tiny_run("names")), "--json"]))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert json.loads(printed_by([*words(look, tiny_run("names")), "--json"])) == chinese


def test_in_chinese_an_empty_folder_and_a_floor_are_told_in_chinese(in_chinese, tmp_path, monkeypatch):
    assert printed_by(["runs", str(tmp_path)]).startswith(f"{tmp_path} 里没有训练；可以这样开始一次：minigpt train")
    out, sizes = (
        str(tmp_path / "run"),
        ["--n-layers", "1", "--d-model", "8", "--n-heads", "1", "--context-length", "16"],
    )
    printed_by(["train", "--corpus", "tiny-world", "--steps", "1", "--device", "cpu", *sizes, "--out", out])
    assert "\n下界：每词元 " in printed_by(["eval", out])
