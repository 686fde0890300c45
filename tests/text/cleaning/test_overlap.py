import json
import random

import pytest

import minigpt as mg
from minigpt.cli import main
from minigpt.text.cleaning import contamination
from minigpt.text.cleaning.words import words


def literal(train, test, n):
    """The places of each test document at which n words in a row are in the training text; by comparing tuples."""
    known = {tuple(found[i : i + n]) for text in train for found in [words(text)] for i in range(len(found) - n + 1)}
    return [
        [tuple(found[i : i + n]) in known for i in range(len(found) - n + 1)]
        for found in (words(text) for text in test)
    ]


def text_of(rng, n, vocabulary="abcdef"):
    return " ".join(rng.choice(vocabulary) for _ in range(n))


@pytest.mark.parametrize("n", [1, 2, 5, 13])
def test_the_counts_are_those_of_a_literal_comparison(n):
    rng = random.Random(n)
    train = [text_of(rng, rng.randrange(40)) for _ in range(30)]
    test = [text_of(rng, rng.randrange(30)) for _ in range(20)]
    test[3] = train[5] + " z"
    found, report = literal(train, test, n), contamination(train, test, n, worst=100)
    assert report.n_ngrams == sum(map(len, found)) and report.n_found == sum(map(sum, found))
    assert report.n_documents == 20 and report.n_short == sum(not each for each in found)
    hit = {i: each for i, each in enumerate(found) if any(each)}
    assert report.n_contaminated == len(hit) == len(report.worst)
    assert {each.document: (each.n_ngrams, each.n_found) for each in report.worst} == {
        f"document {i}": (len(each), sum(each)) for i, each in hit.items()
    }
    shares = [each.share for each in report.worst]
    assert shares == sorted(shares, reverse=True)


def test_a_planted_passage_is_found_from_n_words_on_in_any_layout():
    words_ = [f"w{i}" for i in range(60)]
    train = ["nothing here", "x " * 20 + " ".join(words_) + " y " * 20]
    test = {
        "copy": "ahead of it " + "\n".join(words_[20:33]).upper() + "! And more after that.",
        "one short": "other words " + " ".join(words_[40:52]) + " and more of them",
        "changed": " ".join([*words_[:7], "zebra", *words_[8:15]]),
    }
    report = contamination(train, test)
    (worst,) = report.worst
    assert (worst.document, worst.n_found) == ("copy", 1) and worst.excerpt == " ".join(words_[20:33])
    assert report.n_contaminated == 1 and report.n == 13
    assert [each.document for each in contamination(train, test, 12).worst] == ["copy", "one short"]


def test_chinese_is_compared_by_its_characters():
    train = ["今天天气很好，我们去公园散步，然后回家吃饭。"]
    test = {"a": "他说：我们去公园散步，然后回家！", "b": "明天再说这件事情好不好呢朋友们"}
    report = contamination(train, test, 11)
    assert (report.n_found, report.n_contaminated, report.worst[0].document) == (1, 1, "a")
    assert report.worst[0].excerpt == " ".join("我们去公园散步然后回家")
    assert contamination(train, test, 12).n_found == 0


def test_sets_without_text_have_no_contamination():
    for train, test in ([], ["a " * 20]), (["a " * 20], []), ([""], [""]):
        report = contamination(train, test)
        assert report.share == 0 and report.n_found == 0 and report.worst == ()
    assert "0 of 0 13-grams" in str(contamination([], []))


def test_training_text_is_read_once_as_a_stream():
    report = contamination((text for text in ["a " * 20]), (text for text in ["a " * 15]))
    assert report.share == 1 and report.n_ngrams == 3


def test_the_report_lists_the_worst_documents_in_words():
    report = mg.contamination(["a b c d e"], {"all of it": "b c d", "half": "c d e x y", "none": "x y z"}, 2)
    assert str(report).splitlines() == [
        "4 of 8 2-grams of the test (50.0%) are in the training text;",
        "2 of 3 test documents have at least one of them, and 0 have fewer than 2 words",
        "   100.0% of all of it: b c",
        "    50.0% of half: c d",
    ]
    assert len(mg.contamination(["a b"], ["a b"] * 9, 2, worst=3).worst) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", ["text"]), "train='text' must be a list"),
        ((["text"], "text"), "test='text' must be a list"),
        ((["text"], ["text"], 0), "n=0 must be a whole number, at least 1"),
        ((["text"], [None]), "document 0 is None, expected a text"),
        (([3], ["text"]), "document 0 is 3, expected a text"),
    ],
)
def test_what_is_not_a_set_of_texts_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        contamination(*arguments)


@pytest.mark.parametrize("worst", [-1, 1.5, True])
def test_a_number_of_worst_documents_that_is_none_is_refused(worst):
    with pytest.raises(ValueError, match=f"worst={worst} must be a whole number"):
        contamination(["a b"], ["a b"], 1, worst=worst)


def test_the_command_prints_the_report_of_the_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "train/a.txt": "a b c d e",
        "train/b/c.md": "u v w",
        "test.txt": "b c d ### c d e x y ### u v",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    main(["contamination", "train", "test.txt", "--n", "2", "--separator", "###", "--worst", "2"])
    test = {"test.txt#0": "b c d", "test.txt#1": "c d e x y", "test.txt#2": "u v"}
    report = mg.contamination(["a b c d e", "u v w"], test, 2, worst=2)
    printed = capsys.readouterr().out
    assert printed == f"{report}\n" and "100.0% of test.txt#0: b c" in printed and report.n_found == 5
    main(["contamination", "train", "test.txt", "--n", "3", "--glob", "*.txt", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert (figures["n"], figures["n_documents"], figures["n_found"], figures["n_ngrams"]) == (3, 1, 2, 8)
    assert figures["share"] == pytest.approx(0.25) and figures["worst"][0]["document"] == "test.txt"


def test_the_command_says_what_is_wrong_in_a_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a b")
    for given, says in (
        (["a.txt", "none.txt"], "none.txt"),
        (["a.txt", "a.txt", "--n", "0"], "n=0 must be"),
        (["a.txt", "a.txt", "--separator", ""], "separator='' cuts a text nowhere"),
    ):
        with pytest.raises(SystemExit, match="2"):
            main(["contamination", *given])
        said = capsys.readouterr().err
        assert said.startswith("minigpt: ") and says in said and said.count("\n") == 1
