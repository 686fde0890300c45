import pytest

from minigpt.text.reading import read_text, split_text, text_files


def test_a_byte_order_mark_is_dropped_at_the_start_and_kept_inside(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone \ufeff two".encode())
    assert read_text(tmp_path / "a.txt") == "one \ufeff two"


def test_crlf_becomes_lf_and_a_lone_cr_stays(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n")
    assert read_text(tmp_path / "a.txt") == "one\ntwo\rthree\n"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_text_that_is_not_utf8_names_the_file_the_byte_and_the_mend(tmp_path, mark):
    (tmp_path / "latin.txt").write_bytes(mark + b"caf\xe9 au lait")
    with pytest.raises(ValueError, match=rf"latin\.txt is not UTF-8: byte 0xe9 at offset {len(mark) + 3}; .*iconv"):
        read_text(tmp_path / "latin.txt")


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \n\n"])
def test_an_empty_file_is_refused(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match="holds no text; give a file that has some"):
        read_text(tmp_path / "a.txt")


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist; give the path"):
        read_text(tmp_path / "nowhere.txt")


def test_a_folder_is_read_in_the_order_of_paths_without_other_files(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.txt").write_text("second")
    (tmp_path / "a.md").write_text("first")
    (tmp_path / "sub" / "c.txt").write_text("third")
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    assert read_text(tmp_path) == "first\n\nsecond\n\nthird"


def test_a_folder_without_text_is_refused(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"has no file ending in \.txt"):
        text_files(tmp_path)


def test_the_two_parts_of_a_text_are_the_text():
    train, validation = split_text("0123456789", 0.3)
    assert (train, validation) == ("0123456", "789")


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_part_of_a_text_is_empty(fraction):
    assert all(split_text("ab", fraction))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_validation_fraction_outside_0_and_1_is_refused(fraction):
    with pytest.raises(ValueError, match=r"validation_fraction=.* must lie between 0 and 1; try 0\.1"):
        split_text("some text", fraction)


def test_a_text_of_one_character_cannot_be_cut():
    with pytest.raises(ValueError, match="a text of 1 characters cannot be cut in two"):
        split_text("x")
