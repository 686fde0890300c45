import hashlib
import re

import pytest

from minigpt.text import corpora
from minigpt.text.corpora import CORPORA, cache_folder, cached_download, load_corpus
from minigpt.text.tinyworld import TinyWorld


def test_the_python_docs_are_long_prose():
    text = load_corpus("python-docs")
    assert len(text) > 200_000
    assert sum(character.isalpha() or character.isspace() for character in text) > 0.85 * len(text)


def test_the_python_docs_hold_no_paragraph_twice():
    paragraphs = re.split(r"\n{2,}", load_corpus("python-docs"))
    assert len(paragraphs) == len(set(paragraphs))


def test_the_python_docs_have_no_underlined_titles_and_no_table_frames():
    assert not re.search(r"(?m)^(\*{3,}|={3,}|-{3,}|\+[-=+]+\+)$", load_corpus("python-docs"))


def test_the_tiny_world_ends_with_a_tenth_of_held_out_stories():
    lines = load_corpus("tiny-world").splitlines()
    assert lines == TinyWorld().text(6300).splitlines() + TinyWorld(split="validation").text(700).splitlines()


def test_an_unknown_corpus_lists_the_known_ones():
    with pytest.raises(ValueError, match="no corpus 'bible'; choose python-docs or tiny-world or shakespeare"):
        load_corpus("bible")


def test_every_corpus_is_described():
    assert all(corpus.description for corpus in CORPORA.values())


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A small file to download in place of Tiny Shakespeare, and a cache folder."""
    data = b"First Citizen:\r\nBefore we proceed any further, hear me speak.\n"
    (tmp_path / "input.txt").write_bytes(data)
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(corpora, "SHAKESPEARE_URL", (tmp_path / "input.txt").as_uri())
    monkeypatch.setattr(corpora, "SHAKESPEARE_SHA256", hashlib.sha256(data).hexdigest())
    return tmp_path / "input.txt"


def test_shakespeare_is_downloaded_once(published):
    first = load_corpus("shakespeare")
    published.unlink()
    assert load_corpus("shakespeare") == first == "First Citizen:\nBefore we proceed any further, hear me speak.\n"


def test_a_damaged_cache_is_downloaded_again(published):
    text = load_corpus("shakespeare")
    (cache_folder() / "tinyshakespeare.txt").write_bytes(b"half a fi")
    assert load_corpus("shakespeare") == text


def test_a_download_with_another_hash_is_refused_and_not_kept(published):
    published.write_bytes(b"<html>log in to the hotel network</html>")
    with pytest.raises(ValueError, match=r"gave 40 bytes with SHA-256 .*; try again, or put the right file at"):
        load_corpus("shakespeare")
    assert not cache_folder().exists()


def test_a_failed_download_names_the_address_and_the_mend(published):
    published.unlink()
    with pytest.raises(
        ValueError, match=r"could not download file:.*; connect .* or put the file at .*tinyshakespeare"
    ):
        load_corpus("shakespeare")


def test_a_file_put_into_the_cache_by_hand_is_used(tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    found = cached_download("https://invalid.invalid/", hashlib.sha256(b"data").hexdigest(), tmp_path / "file")
    assert found == tmp_path / "file"


def test_the_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIGPT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MINIGPT_CACHE", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "minigpt"
