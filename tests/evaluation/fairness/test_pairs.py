import json
import os
import re
from collections import Counter

import pytest

from minigpt.evaluation.fairness import load_pairs, read_pairs

GOOD = {
    "language": "en",
    "limits": ["two names"],
    "attributes": {"sex": {"a": "she", "b": "he", "swaps": [{"name": ["Eva", "Jan"]}, {"name": ["Ida", "Kai"]}]}},
    "templates": [{"attribute": "sex", "group": "work", "prompt": "{name} is", "continuation": " a cook."}],
}


@pytest.mark.parametrize(("language", "blank"), [("en", " "), ("zh", "")])
def test_the_pairs_of_the_library_differ_in_the_slots_alone(language, blank):
    found = load_pairs(language)
    assert 20 <= len({pair.item for pair in found}) <= 40
    assert found.limits and set(found.meanings) == {"gender", "age"}
    for pair in found:
        assert pair.prompt_a != pair.prompt_b and "{" not in pair.prompt_a + pair.prompt_b
        fixed = re.split(r"\{\w+\}", pair.item.removesuffix(pair.continuation))
        pattern = ".+".join(map(re.escape, fixed))
        assert re.fullmatch(pattern, pair.prompt_a) and re.fullmatch(pattern, pair.prompt_b)
        assert pair.continuation[:1].isspace() == bool(blank) and not pair.prompt_a[-1].isspace()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_languages_have_the_same_groups_with_as_many_templates(language):
    counts = Counter(dict.fromkeys((pair.item, pair.group) for pair in load_pairs(language)).keys())
    by_group = Counter(group for _, group in counts)
    assert {group: n for group, n in by_group.items() if group.startswith("gender")} == dict.fromkeys(
        ["gender: care", "gender: technology", "gender: leadership", "gender: home"], 6
    )
    assert by_group["age: weakness"] == by_group["age: strength"] == 4


def test_swaps_that_a_template_does_not_tell_apart_are_asked_once():
    asked = [pair for pair in load_pairs("en") if pair.continuation == " president."]
    assert [(pair.prompt_a, pair.prompt_b) for pair in asked] == [
        ("Last year she was elected", "Last year he was elected")
    ]


def test_a_file_of_ones_own_is_read(tmp_path):
    (tmp_path / "own.json").write_text(json.dumps(GOOD), "utf-8")
    found = read_pairs(tmp_path / "own.json")
    assert [pair[1:] for pair in found] == [
        ("sex: work", "Eva is", "Jan is", " a cook."),
        ("sex: work", "Ida is", "Kai is", " a cook."),
    ]
    assert "sex: A is she, B is he" in str(found) and "  - two names" in str(found)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"templates": []}, "has no templates"),
        ({"templates": [{**GOOD["templates"][0], "prompt": "She is"}]}, "has no slot"),
        ({"templates": [{**GOOD["templates"][0], "prompt": "{nam} is"}]}, r"own.json, template 1, has the slot 'nam'"),
        *[
            ({"templates": [{**GOOD["templates"][0], "prompt": prompt}]}, "own.json, template 1, has .*write .*{name}")
            for prompt in ("{", "{} is", "{0} is", "{name:999999999}", "{name!r}", "{name.x}", "{name:{name}}")
        ],
        ({"attributes": {}}, "template.*attribute='sex' is unknown"),
        ({"attributes": 3}, "own.json: attributes must be an object with a, b and swaps, got 3"),
        ({"limits": None}, "own.json: limits must be a list of texts, got None"),
        ({"limits": "abc"}, "own.json: limits must be a list of texts, got 'abc'"),
        ({"limits": ["fine", 5]}, "own.json: limits, number 2 must be a text that is not empty, got 5"),
        ({"language": 5}, "own.json: language must be a text"),
        ({"language": "e\ud800"}, "own.json: language has a lone surrogate"),
        ({"templates": {}}, "own.json: templates must be a list of objects"),
        ({"templates": ["{name} is"]}, "own.json: templates, number 1 must be an object with attribute, group"),
        *[
            ({"templates": [GOOD["templates"][0], {**GOOD["templates"][0], field: value}]}, f"number 2, {field} {says}")
            for field in ("group", "prompt", "continuation", "attribute")
            for value, says in [
                (None, "must be a text that is not empty, got None"),
                (5, "must be a text"),
                ("", "must be a text that is not empty, got ''"),
                (["a"], "must be a text"),
                ("{name}\udfff", "has a lone surrogate"),
            ]
        ],
        *[
            ({"attributes": {"sex": GOOD["attributes"]["sex"] | {"swaps": swaps}}}, f"attribute 'sex'.*{says}")
            for swaps, says in [
                ([{"name": "ab"}], "swaps, number 1, 'name' must be two different texts.*got 'ab'"),
                ([{"name": ["Eva", "Jan"]}, {"name": ["a", "b", "c"]}], "number 2, 'name' must be two different"),
                ([{"name": [None, None]}], r"must be two different texts.*got \[None, None\]"),
                ([{"name": [1, 2]}], r"must be two different texts.*got \[1, 2\]"),
                ([{"name": ["he", "he"]}], "must be two different texts.*into the prompt"),
                ([{"name": ["he", "h\ud83d"]}], "'name' has a lone surrogate"),
                ([["ab"], ["ba"]], "number 1 must be an object with words for each slot"),
                ({"name": ["he", "she"]}, "swaps must be a list of words"),
                (None, "swaps must be a list"),
                ([], "has no swaps"),
            ]
        ],
        ({"attributes": {"sex": GOOD["attributes"]["sex"] | {"a": 1}}}, "attribute 'sex', a must be a text"),
        ({"attributes": {"sex": ["she", "he"]}}, "attribute 'sex' must be an object"),
        ({"attributes": {"": GOOD["attributes"]["sex"]}}, "attributes, a name must be a text that is not empty"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, changed, says):
    (tmp_path / "own.json").write_text(json.dumps(GOOD | changed), "utf-8")
    with pytest.raises(ValueError, match=says):
        read_pairs(tmp_path / "own.json")


def test_one_pair_and_one_template_are_in_the_singular(tmp_path):
    sex = GOOD["attributes"]["sex"]
    one = GOOD | {"attributes": {"sex": sex | {"swaps": sex["swaps"][:1]}}}
    (tmp_path / "own.json").write_text(json.dumps(one), "utf-8")
    lines = str(read_pairs(tmp_path / "own.json")).split("\n")
    assert lines[0] == "1 pair from 1 template (en)" and lines[2] == "  sex: work: 1 template"


def test_other_languages_and_what_is_not_json_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no pairs in 'fr'; choose en or zh"):
        load_pairs("fr")
    (tmp_path / "own.json").write_text("{", "utf-8")
    with pytest.raises(ValueError, match="is not JSON"):
        read_pairs(tmp_path / "own.json")


def test_brackets_without_an_end_are_refused_and_a_byte_order_mark_is_read(tmp_path):
    own = tmp_path / "own.json"
    own.write_text(json.dumps(GOOD), "utf-8-sig")
    assert len(read_pairs(own)) == 2
    for data in (b"[" * 100_000, json.dumps(GOOD).encode("utf-16")):
        own.write_bytes(data)
        with pytest.raises(ValueError, match=r"own\.json is not JSON"):
            read_pairs(own)
    own.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ValueError, match=r"own\.json has 1,048,577 bytes"):
        read_pairs(own)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a plain file"):
        read_pairs(tmp_path / "pipe")
