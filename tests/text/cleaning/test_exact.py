from minigpt.text.cleaning import ExactDuplicates, clean


def test_the_first_of_equal_texts_stays_and_the_others_name_it():
    report = clean({"a": "One  text.", "b": "Another.", "c": "one\ntext.", "d": "One text"}, [ExactDuplicates()])
    assert report.kept == [0, 1, 3]
    (removal,) = report.examples["exact copy"]
    assert (removal.document, removal.detail, removal.excerpt) == ("c", "the text of a", "one text.")


def test_texts_under_one_name_are_told_apart():
    stage = ExactDuplicates()
    found = [stage.removal("same name", text) is None for text in ("x", "y", "x")]
    assert found == [True, True, False]
