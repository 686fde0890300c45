import os
import sys

import pytest

from minigpt.files.plain import open_plain, read_plain

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes and links")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "state.json"
    path.write_bytes(b"{}")
    return path


def swapped_after_the_check(monkeypatch, file, put):
    """From here on, ``put`` takes the file's place between the look at it and its opening."""
    opened = os.open

    def swap_and_open(path, *rest, **options):
        file.unlink()
        put(file)
        return opened(path, *rest, **options)

    monkeypatch.setattr(os, "open", swap_and_open)


@pytest.mark.parametrize(
    ("put", "found"),
    [
        (os.mkfifo, "is not a plain file"),
        (lambda path: path.symlink_to("/dev/zero"), "is (not a plain file|a symbolic link)"),
        (lambda path: path.mkdir(), "(can't be read: Is a directory|is not a plain file)"),
    ],
    ids=["pipe", "device", "folder"],
)
@pytest.mark.parametrize("links", [True, False])
def test_what_takes_the_place_of_the_file_after_the_check_is_refused(file, monkeypatch, put, found, links):
    swapped_after_the_check(monkeypatch, file, put)
    with pytest.raises(ValueError, match=rf"^it {found}"):
        read_plain(file, "it", links=links)


def test_a_link_is_followed_only_where_it_may_be(file, tmp_path):
    (tmp_path / "link").symlink_to(file)
    assert read_plain(tmp_path / "link", "it") == b"{}"
    with pytest.raises(ValueError, match=r"^it is a symbolic link; put the file itself there$"):
        read_plain(tmp_path / "link", "it", links=False)


def test_a_link_that_takes_the_place_of_the_file_after_the_check_is_not_followed(file, tmp_path, monkeypatch):
    (tmp_path / "secret").write_bytes(b"secret")
    swapped_after_the_check(monkeypatch, file, lambda path: path.symlink_to(tmp_path / "secret"))
    with pytest.raises(ValueError, match=r"^it is a symbolic link"):
        read_plain(file, "it", links=False)


def test_the_limit_holds_for_a_file_that_grows_after_its_size_was_asked_for(file, monkeypatch):
    def grow(opened):
        size = os.fstat(opened.fileno()).st_size
        os.write(writer, b" " * 100)
        return size

    writer = os.open(file, os.O_WRONLY | os.O_APPEND)
    monkeypatch.setattr("minigpt.files.plain.size_of", grow)
    with pytest.raises(ValueError, match=r"^it has more than 10 bytes; at most so many are read$"):
        read_plain(file, "it", limit=10)
    os.close(writer)


def test_the_open_file_is_closed_at_the_end(file):
    with open_plain(file, "it") as opened:
        assert opened.read() == b"{}"
    assert opened.closed
