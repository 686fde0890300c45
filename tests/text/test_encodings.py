import shlex
import subprocess
import sys

import pytest

from minigpt.text.reading import read_text

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such commands")


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


@posix
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
def test_the_command_that_is_given_converts_the_file(tmp_path, encoding):
    text = "Häuser, Gärten und Straßen.\n"
    path = tmp_path / "it's a text.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=r"is not UTF-8: byte 0x.* convert it first") as caught:
        read_text(path)
    command = shlex.split(str(caught.value).split("for example: ")[1].split(" > ")[0])
    assert command[-1] == str(path)
    assert subprocess.run(command, capture_output=True, check=True).stdout.decode("utf-8-sig") == text


def test_chinese_in_utf16_without_a_mark_is_recognised_by_its_line_ends(tmp_path):
    (tmp_path / "a.txt").write_bytes("我们在这里\n你好，世界\n".encode("utf-16-le"))
    with pytest.raises(ValueError, match="iconv -f UTF-16LE -t UTF-8"):
        read_text(tmp_path / "a.txt")


@posix
def test_a_zero_byte_is_in_no_text_and_the_command_that_is_given_removes_it(tmp_path):
    (tmp_path / "a.txt").write_bytes("naïve\0 text, long enough\n".encode())
    with pytest.raises(
        ValueError, match=r"a\.txt is not a text: byte 0x00 at offset 6; .* remove such bytes: tr -d"
    ) as caught:
        read_text(tmp_path / "a.txt")
    command = str(caught.value).split("bytes: ")[1].split(" > ")[0]
    done = subprocess.run(command, shell=True, capture_output=True, check=True)
    assert done.stdout == "naïve text, long enough\n".encode()


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("GB18030", "从前有一只猫。球在哪里？\n"),
        ("GB18030", "the word 模型 is Chinese\n"),
        ("LATIN1", "naïve café, déjà vu\n"),
    ],
)
def test_the_command_that_is_given_reads_the_text_in_its_encoding(tmp_path, encoding, text):
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    with pytest.raises(ValueError, match=f"iconv -f {encoding} -t UTF-8"):
        read_text(tmp_path / "a.txt")


def test_a_program_is_no_text_and_no_command_makes_it_one(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\x7fELF\x02\x01\0\0\xb4\xff" + bytes(range(256)))
    with pytest.raises(ValueError, match=r"is not a text: byte 0x00 at offset 6; leave the file out$"):
        read_text(tmp_path / "a.txt")
