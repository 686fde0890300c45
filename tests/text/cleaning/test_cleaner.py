import pytest

import minigpt as mg
from minigpt.text.cleaning import Cleaner, ExactDuplicates, QualityFilter, clean

GOOD = "The model reads the text, and predicts the next word. It is trained on many documents, each of them new to it."
OTHER = "A duplicate document adds nothing that could be learned, and costs as much time in training as any other one."


def test_the_report_counts_documents_and_characters_by_reason():
    report = mg.clean([GOOD, "Short.", GOOD, OTHER, GOOD.replace("new", "old"), "short."])
    assert report.kept == [0, 3, 4]
    assert (report.n_documents, report.removed) == (6, {"few words": 1, "exact copy": 2})
    assert report.kept_characters == 2 * len(GOOD) + len(OTHER)
    assert report.n_characters == 3 * len(GOOD) + len(OTHER) + 12
    printed = str(report)
    assert "6 documents, 3 of them kept" in printed and "2 (33.3%) exact copy" in printed
    assert "document 2: the text of document 0" in printed


def test_default_stages_find_each_kind():
    changed = (GOOD + " " + OTHER) * 3
    report = mg.clean([changed, changed.replace("costs", "takes", 1), changed, "…"])
    assert report.removed == {"near copy": 1, "exact copy": 1, "few words": 1}


def test_only_a_few_examples_of_a_reason_are_kept():
    report = clean(["x"] * 100, [ExactDuplicates()])
    assert report.removed["exact copy"] == 99
    assert [each.document for each in report.examples["exact copy"]] == ["document 1", "document 2", "document 3"]


def test_documents_are_read_once_and_one_at_a_time():
    alive = []

    def stream():
        for i in range(3):
            alive.append(i)
            yield f"{i}: {GOOD}"

    cleaner = Cleaner([QualityFilter()])
    for seen, text in enumerate(stream(), start=1):
        assert cleaner.removal("x", text) is None and len(alive) == seen
    assert clean(stream(), [QualityFilter()]).n_documents == 3


def test_the_same_documents_give_the_same_report():
    texts = [GOOD, OTHER, GOOD + "!", OTHER * 2]
    assert clean(texts).as_json() == clean(texts).as_json() and clean(texts).kept == clean(list(texts)).kept


def test_no_documents_are_a_report_of_nothing():
    assert str(clean([])) == "0 documents, 0 of them kept; 0 characters, 0 of them kept"


@pytest.mark.parametrize("given", ["one text", b"bytes", 3])
def test_what_is_no_series_of_texts_is_refused(given):
    with pytest.raises(ValueError, match=r"documents=.* must be a list or another series of texts"):
        clean(given)


def test_a_document_that_is_no_text_is_refused_by_its_name():
    with pytest.raises(ValueError, match="document 1 is None, expected a text"):
        clean([GOOD, None])


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (None, False), (False, False)])
def test_a_bar_is_shown_if_asked_for_or_if_it_takes_long(capsys, progress, shown):
    clean([GOOD], progress=progress)
    assert ("documents" in capsys.readouterr().err) == shown


def test_a_bar_that_is_not_wanted_is_never_shown(monkeypatch):
    given = {}
    monkeypatch.setattr("tqdm.tqdm", lambda items, **options: given.update(options) or items)
    clean([GOOD], progress=False)
    assert given["disable"]


@pytest.mark.parametrize("stages", ["x", 3, [ExactDuplicates]])
def test_what_is_no_series_of_stages_is_refused(stages):
    with pytest.raises(ValueError, match="must be a list of stages"):
        clean(["a text"], stages)
