import pytest

from minigpt.settings.language import columns_of, folded


@pytest.mark.parametrize("columns", [20, 41, 80])
def test_prose_is_folded_to_the_columns_and_loses_no_word(columns):
    text = "  test: compare both losses,   then train a smaller model; 用更小的模型训练，再比较两个损失。"
    lines = folded(text, 8, columns).split("\n")
    assert all(columns_of(line) <= columns for line in lines)
    assert lines[0].startswith("  test:") and all(line.startswith(" " * 8) for line in lines[1:])
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_line_that_fits_and_a_path_stay_whole():
    assert folded("step 1:  loss 2\n\n  end", 4, 30) == "step 1:  loss 2\n\n  end"
    path = "/a/very/long/path/of/a/folder/that/no/terminal/shows/on/one/line"
    assert path in folded(f"figures: {path} and more", 2, 40).split("\n  ")


def test_the_terminal_is_asked_for_its_columns(monkeypatch):
    text = "one two three four five six seven eight nine ten"
    monkeypatch.setenv("COLUMNS", "24")
    assert max(map(len, folded(text).split("\n"))) <= 24
    monkeypatch.setenv("COLUMNS", "200")
    assert folded(text) == text
