"""docs/reference/glossary.md: each term in two languages, each language with one line of its own."""

import re
from collections import Counter
from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "reference" / "glossary.md"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PUNCTUATION = re.compile(r"[\u4e00-\u9fff][,;:?]|[,;:?] ?[\u4e00-\u9fff]")
UNSPACED = re.compile(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]")


def entries():
    """Each entry as its lines, without blank ones."""
    for block in re.findall(r"```\{glossary\}\n(.*?)```", GLOSSARY.read_text(encoding="utf-8"), re.DOTALL):
        for entry in re.split(r"\n\n(?=\S)", block.strip()):
            yield [line for line in entry.split("\n") if line]


def test_each_entry_is_a_term_and_a_line_in_english_and_in_chinese():
    for english, chinese, meaning, in_chinese in entries():
        assert not CHINESE.search(english + meaning), english
        assert CHINESE.search(chinese) and CHINESE.search(in_chinese), english
        assert meaning.startswith("  ") and in_chinese.startswith("  "), english


def test_each_line_is_a_sentence_that_fits_on_one_line():
    for english, _, meaning, in_chinese in entries():
        assert meaning.endswith(".") and in_chinese.endswith("。"), english
        assert len(meaning) <= 120, english


def test_no_term_has_two_entries():
    counted = Counter(term for english, chinese, *_ in entries() for term in (english, chinese))
    assert [term for term, times in counted.items() if times > 1] == []


def test_chinese_has_its_own_punctuation_and_a_space_beside_latin():
    for _, chinese, _, meaning in entries():
        assert not PUNCTUATION.search(chinese + meaning), meaning
        assert not UNSPACED.search(chinese) and not UNSPACED.search(meaning), meaning
