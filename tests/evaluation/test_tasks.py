from minigpt.evaluation.answers import Score
from minigpt.evaluation.tasks import TaskReport
from minigpt.settings.language import columns_of


def test_the_table_has_the_share_of_answers_and_of_tokens_of_everything_that_writes():
    gpt, ngram = Score(answers=4, exact=3, tokens=10, right_tokens=9), Score(4, 1, 10, 5)
    report = TaskReport({"GPT": {"who": gpt}, "5-gram": {"who": ngram}, "bag of words": {"who": Score(4, 2, 4, 2)}})
    head, who, whole = str(report).splitlines()
    columns = ("exact match", "answers", "GPT", "5-gram", "bag of words", "GPT, tokens", "5-gram, tokens")
    assert [head.index(name) for name in columns] == sorted(head.index(name) for name in columns)
    assert who.split() == ["who", "4", "75.0%", "25.0%", "50.0%", "90.0%", "50.0%"]
    assert whole.split() == ["all", *who.split()[1:]]


def test_in_chinese_only_the_kinds_of_answers_are_english(in_chinese):
    score = Score(answers=4, exact=3, tokens=10, right_tokens=9)
    report = TaskReport({name: {"where is": score} for name in ("GPT", "5-gram", "bag of words")})
    assert in_chinese(str(report)) == {"where"}
    assert len(set(map(columns_of, str(report).splitlines()))) == 1
    assert "词袋" in str(report) and set(report.to_object()) == {"GPT", "5-gram", "bag of words"}
