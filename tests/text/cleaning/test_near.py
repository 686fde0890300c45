import random

import pytest
from cleaning_campaign import bytes_per_document, campaign
from planted_documents import PLANTS, documents, one_word, reordered

from minigpt.text.cleaning import NearDuplicates, clean, near


@pytest.fixture(scope="module")
def small():
    return campaign(60, 25)


def test_copies_with_another_layout_or_one_word_changed_or_reordered_are_removed_and_originals_are_not(small):
    by_kind, _, precision, recall = small
    for kind in ("exact", "one_word", "reordered"):
        assert by_kind[kind, True] == 0 and by_kind[kind, False] == 25
    assert by_kind["original", False] == 0
    assert by_kind["every_tenth_word", True] > 20  # the others are copies of a text of which a copy was changed alike
    assert precision == recall == 1


def test_the_plants_are_as_alike_as_their_names_say():
    (text,) = documents(1)
    found = {}
    for kind, plant in PLANTS.items():
        copy = plant(text, random.Random(0))
        a, b = near_shingles(text), near_shingles(copy)
        found[kind] = len(a & b) / len(a | b)
    assert found["exact"] == 1 and 0.8 < found["reordered"] < 1 and 0.8 < found["one_word"] < 1
    assert found["every_tenth_word"] < 0.5


def near_shingles(text):
    parts = text.casefold().replace("\n", " ").split()
    return {tuple(w.strip(".") for w in parts[i : i + 5]) for i in range(len(parts) - 4)}


def test_chinese_is_compared_by_its_characters():
    text = "机器学习模型的训练需要大量的数据和计算资源,因此数据的清洗十分重要,重复的文本应当删除。" * 2
    changed = text.replace("重要", "关键", 1)
    report = clean([text, changed, text[::-1]], [NearDuplicates(0.7)])
    assert report.kept == [0, 2]


def test_the_report_names_the_document_that_stays():
    original = documents(1)[0]
    report = clean({"a": original, "b": one_word(original, random.Random(1))}, [NearDuplicates()])
    (removal,) = report.examples["near copy"]
    assert removal.document == "b" and removal.detail.endswith("with a")
    similarity = float(removal.detail.split()[2])
    assert 0.8 <= similarity < 1


def test_texts_without_words_stay_and_short_texts_are_compared_whole():
    assert clean(["…", "…", "Hello there", "hello, there!", "hello"], [NearDuplicates()]).kept == [0, 1, 2, 4]


def test_the_threshold_decides():
    original = documents(1)[0]
    changed = reordered(original, random.Random(0))
    assert clean([original, changed], [NearDuplicates(1.0)]).kept == [0, 1]
    assert clean([original, changed], [NearDuplicates(0.7)]).kept == [0]


def test_of_several_candidates_the_most_similar_one_decides():
    first, second = (" ".join(f"{name}{i}" for i in range(60)) for name in "ab")
    mixed = first[: len(first) // 3] + " " + second
    stage = NearDuplicates(0.7, shingle=1, bands=60, rows=1)  # nearly everything meets
    assert stage.removal("first", first) is None and stage.removal("second", f"{second} {first[:40]}") is None
    assert stage.removal("mixed", mixed).detail.endswith("with second")


def test_a_bucket_remembers_few_documents(monkeypatch):
    monkeypatch.setattr(near, "BUCKET", 2)
    stage = NearDuplicates(1.0, shingle=1, bands=8, rows=1)
    common = " ".join(f"w{i}" for i in range(10))  # in half of the cases one of these has the least hash
    for i in range(30):
        assert stage.removal(str(i), f"{common} " + " ".join(f"own{i}_{j}" for j in range(10))) is None
    assert max(len(bucket) for table in stage._tables for bucket in table.values()) == 2


def test_a_document_that_stays_takes_a_few_kilobytes():
    assert bytes_per_document(40) < 10_000


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"similarity": 0}, "similarity=0 must lie above 0"),
        ({"similarity": 1.5}, "similarity=1.5 must lie above 0"),
        ({"similarity": 80}, r"similarity=80 must lie above 0 and be at most 1; did you mean 0\.8\?"),
        ({"similarity": float("nan")}, "similarity=nan must lie above 0"),
        ({"shingle": 0}, "shingle=0 must be a whole number, at least 1"),
        ({"bands": 0}, "bands=0 must be a whole number, at least 1"),
        ({"bands": 1.5}, "bands=1.5 must be a whole number"),
        ({"bands": 10**6, "rows": 10**6}, "must be at most 16,384 hashes"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        NearDuplicates(**options)
