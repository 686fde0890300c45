import pytest

import minigpt as mg
from minigpt.text.cleaning import QUALITY_RULES, QualityFilter, QualityRule, clean
from minigpt.text.cleaning.quality import (
    letter_share,
    mean_word_length,
    repeated_line_share,
    sentence_end_share,
    word_count,
)

ENGLISH = "The model reads the text, and predicts the next word.\nIt is trained on many documents, each of them new.\n"
CHINESE = "模型读入文本,并预测下一个词。\n训练语料包含大量文档,其中重复的文档应当删除,否则模型会背诵它们。\n"
GERMAN = "Die Grundstücksverkehrsgenehmigungszuständigkeit wurde übertragen.\nDas war schon lange eine Forderung der "
GERMAN += "Gemeinden, die nun endlich erfüllt worden ist, wenn auch recht spät."
HINDI = "हिन्दी भारत की राजभाषा है और इसे देवनागरी लिपि में लिखा जाता है।\nयह विश्व की सबसे अधिक बोली जाने वाली भाषाओं में से एक है!"
THAI = "ภาษาไทยเป็นภาษาราชการของประเทศไทย:\nและเป็นภาษาแม่ของคนไทย!"
KOREAN = "나는 오늘 아침에 학교에 갔다. 그리고 친구를 만나서 같이 점심을 먹었다.\n" * 1 + "비가 많이 와서 우산을 썼다. "
KOREAN += "집에 와서 책을 읽고 음악을 들었다. 저녁에는 가족과 함께 밥을 먹었다."


@pytest.mark.parametrize("text", [ENGLISH, CHINESE, GERMAN, HINDI, THAI, KOREAN], ids=range(6))
def test_prose_of_many_languages_stays(text):
    assert clean([text], [QualityFilter()]).kept == [0]


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("few words", "Chapter one."),
        ("few words", "第一章：引言。"),
        ("few letters", "\n".join(f"{i}: 0.{i}71 | 1{i}.02 | {i}e-3 x." for i in range(30))),
        ("few letters", "一 12,345.67 二 98,765.43 三 55,555.55 元 " * 10 + "。"),
        ("word length", "aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ " * 30 + "."),
        ("word length", "s p a c e d o u t l e t t e r s a r e h a r d t o r e a d ."),
        ("repeated lines", "Home, sweet home.\nAbout this page.\n" * 10),
        ("repeated lines", "首页与关于我们。\n联系方式在此处。\n" * 10),
        ("no sentences", "\n".join(f"keyword number {word}" for word in "abcdefghijklmn")),
        ("no sentences", "\n".join(f"关键词{word}" for word in "甲乙丙丁戊己庚辛")),
    ],
)
def test_each_rule_removes_what_it_is_meant_for(reason, text):
    report = clean([text], [QualityFilter()])
    assert report.removed == {reason: 1}


def test_the_measures_of_a_text_worked_out_by_hand():
    text = "One two.\n\n  One two.  \nthree 44\n"
    assert word_count(text) == 6
    assert letter_share(text) == 17 / 21
    assert mean_word_length(text) == (3 + 3 + 3 + 3 + 5 + 2) / 6
    assert repeated_line_share(text) == pytest.approx(1 / 3)
    assert sentence_end_share(text) == pytest.approx(2 / 3)


def test_a_measure_says_nothing_where_there_is_nothing_to_measure():
    for measure in (letter_share, mean_word_length, repeated_line_share, sentence_end_share):
        assert measure(" \n ") is None
    assert mean_word_length("机器学习 model") is None  # mostly characters of a script without spaces
    assert mean_word_length("the best model 机器") == pytest.approx(4)
    assert mean_word_length("हिन्दी में") == pytest.approx(4.5)  # a mark belongs to its letter's word


@pytest.mark.parametrize(
    "line", ['He said: "Go!"', "(See there.)", "他说：“好。”", "完了！」", "`code`:", "吗？**", "a. B"]
)
def test_a_sentence_may_end_within_the_line_or_in_a_quotation_mark_or_bracket(line):
    assert sentence_end_share(line) == 1


def test_the_bounds_themselves_stay():
    (rule,) = [rule for rule in QUALITY_RULES if rule.name == "few words"]
    assert rule.violation("word " * 20) is None
    assert rule.violation("word " * 19) == "number of words 19, below 20"


def test_rules_of_ones_own_say_what_they_found():
    shouting = QualityRule(
        name="shouting",
        why="advertising",
        what="share of capitals",
        measure=lambda text: sum(map(str.isupper, text)) / len(text),
        high=0.5,
    )
    report = clean(["BUY NOW", "calm"], [QualityFilter([shouting])])
    (removal,) = report.examples["shouting"]
    assert removal.detail == "share of capitals 0.857, above 0.5"


@pytest.mark.parametrize("line", ["version 3.11 of it", "a file.txt", "12:30", "no end", "，"])
def test_punctuation_within_a_word_or_number_ends_no_sentence(line):
    assert sentence_end_share(line) == 0


def test_the_manual_that_comes_with_the_library_stays_but_for_its_grammars_and_listings():
    paragraphs = [part for part in mg.load_corpus("python-docs").split("\n\n") if len(part.split()) >= 60]
    prose = [part for part in paragraphs if "::=" not in part and ">>>" not in part]
    assert len(clean(prose, [QualityFilter()]).kept) > 0.97 * len(prose)
