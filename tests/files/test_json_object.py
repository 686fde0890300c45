import os
import threading

import pytest

from minigpt.files.json_object import parse_object, read_object


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
def test_an_object_comes_back(tmp_path, start):
    (tmp_path / "a.json").write_bytes(start + '{"a": [1, "é"]}'.encode())
    assert read_object(tmp_path / "a.json") == {"a": [1, "é"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xed\xa0\x80"}',
        b"[" * 10**6,
        b'{"a":' * 10**5,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
    ],
    ids=["empty", "cut short", "UTF-16", "half a character", "deep", "deep objects", "long number", "pickle"],
)
def test_what_is_not_json_is_one_error_that_names_the_file(tmp_path, data):
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(ValueError, match=r"/a\.json is not JSON \(.+\)$|\\a\.json is not JSON"):
        read_object(tmp_path / "a.json")
    with pytest.raises(ValueError, match=r"^state\.json is not JSON \("):
        parse_object(data, "state.json")


@pytest.mark.parametrize(("data", "found"), [(b"[]", "list"), (b"3", "int"), (b'"a"', "str"), (b"null", "NoneType")])
def test_json_that_is_no_object_is_refused(data, found):
    with pytest.raises(ValueError, match=f"^it should hold a JSON object, found {found}$"):
        parse_object(data, "it")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"training": {"steps": 3}, "training": {"steps": 4}}', "'training'"),
        ('{"training": {"seed": 1, "steps": 3, "steps": 3}}', "'steps'"),
        ('{"a": [[{"b": 1}, {"b": 1, "": 2, "": 2}]]}', "''"),
        ('{"é": 1, "\\u00e9": 2}', "'é'"),
        (f'{{"{"a" * 999}": 1, "{"a" * 999}": 2}}', f"'{'a' * 100}'"),
    ],
)
def test_a_name_that_is_given_twice_in_one_object_is_named(text, name):
    with pytest.raises(ValueError, match=f"^it gives {name} twice in one object; leave one of them out$"):
        parse_object(text.encode(), "it")


def test_a_name_may_be_given_in_several_objects():
    assert parse_object(b'{"a": {"a": 1}, "b": [{"a": 2}, {"a": 2}]}', "it") == {"a": {"a": 1}, "b": [{"a": 2}] * 2}


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a\.json is missing"):
        read_object(tmp_path / "a.json")
    with pytest.raises(ValueError, match="is not a plain file"):
        read_object(tmp_path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "a.json").write_bytes(b'{"a": 1}')
    assert read_object(tmp_path / "a.json", limit=8) == {"a": 1}
    with pytest.raises(ValueError, match=r"a\.json has 8 bytes; at most 7 are read"):
        read_object(tmp_path / "a.json", limit=7)
    with (tmp_path / "a.json").open("r+b") as file:
        file.truncate(2**36)  # takes no room on the disk
    with pytest.raises(ValueError, match=r"has 68,719,476,736 bytes; at most 134,217,728 are read"):
        read_object(tmp_path / "a.json")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path, kind):
    if kind == "pipe":
        os.mkfifo(tmp_path / "a.json")
    else:
        (tmp_path / "a.json").symlink_to("/dev/zero")
    errors = []

    def read():
        try:
            read_object(tmp_path / "a.json", "it")
        except ValueError as error:
            errors.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(10)
    assert errors == ["it is not a plain file"]
