import json
import shutil

import pytest

import minigpt as mg
from minigpt.files import sampled
from minigpt.runs import RunConfig, open_splits
from minigpt.runs.read_files import check_unchanged, write_read_files

TEXT = "the cat sat on the mat, and the dog sat on the log. " * 40


@pytest.fixture
def source(tmp_path, request):
    """A source of each kind: a file, a folder of files, shards."""
    texts = tmp_path / "texts"
    texts.mkdir()
    for name in ("a.txt", "b.md"):
        (texts / name).write_text(TEXT)
    mg.prepare(
        texts, mg.CharTokenizer.train(TEXT + "\n"), tmp_path / "data", workers=1, shard_tokens=1000, progress=False
    )
    names = {"file": {"text": texts / "a.txt"}, "folder": {"text": texts}, "shards": {"data": tmp_path / "data"}}
    return RunConfig.of(**names[request.param], context_length=8).source


def opened(source):
    _, data, validation = open_splits(RunConfig(source=source).changed(context_length=8))
    return data, validation


def check(tmp_path, source, **options):
    check_unchanged(tmp_path / "run", source, *opened(source), **options)


def write(tmp_path, source):
    (tmp_path / "run").mkdir()
    write_read_files(tmp_path / "run", source, *opened(source), resumes=False)


KINDS = pytest.mark.parametrize("source", ["file", "folder", "shards"], indirect=True)


@KINDS
def test_what_is_unchanged_is_accepted_and_so_is_a_run_that_kept_nothing(tmp_path, source):
    check(tmp_path, source, verify=True)
    write(tmp_path, source)
    check(tmp_path, source)
    check(tmp_path, source, verify=True)


@pytest.mark.parametrize(
    ("source", "name"),
    [("file", "texts/a.txt"), ("folder", "texts/b.md"), ("shards", "data/train/00001.bin")],
    indirect=["source"],
)
def test_a_file_that_has_changed_is_named_with_what_to_do(tmp_path, source, name):
    write(tmp_path, source)
    file = tmp_path / name
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(ValueError, match=rf"{file} has changed since the run in .*run was started; put back what was"):
        check(tmp_path, source)


@pytest.mark.parametrize(
    ("source", "name"), [("folder", "texts/b.md"), ("shards", "data/validation/00000.bin")], indirect=["source"]
)
def test_a_file_that_came_or_went_is_named(tmp_path, source, name):
    write(tmp_path, source)
    splits, file = opened(source), tmp_path / name
    new = file.with_stem("new")
    shutil.copy(file, new)
    with pytest.raises(ValueError, match=f"{new} is new since"):
        check_unchanged(tmp_path / "run", source, *splits)
    new.unlink()
    file.unlink()
    with pytest.raises(ValueError, match=f"{file} is missing since"):
        check_unchanged(tmp_path / "run", source, *splits)


def test_of_a_folder_the_files_of_the_glob_are_kept(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("a.txt", "b.py"):
        (folder / name).write_text(TEXT)
    source = RunConfig.of(text=folder, glob="*.py", context_length=8).source
    write(tmp_path, source)
    (folder / "a.txt").write_text("another text")
    check(tmp_path, source)
    (folder / "b.py").write_text(TEXT[::-1])
    with pytest.raises(ValueError, match=r"b\.py has changed since"):
        check(tmp_path, source)


@pytest.mark.parametrize("source", ["shards"], indirect=True)
def test_of_a_large_shard_blocks_are_compared_and_the_whole_if_that_is_asked_for(tmp_path, source, monkeypatch):
    monkeypatch.setattr(sampled, "BLOCK", 8)  # bytes, of about 2000 in a shard
    write(tmp_path, source)
    shard = tmp_path / "data" / "train" / "00000.bin"
    whole = bytearray(shard.read_bytes())
    whole[20] ^= 1  # between two blocks
    shard.write_bytes(whole)
    check(tmp_path, source)
    with pytest.raises(ValueError, match=r"00000\.bin is damaged: its SHA-256 is not the one in its header"):
        check(tmp_path, source, verify=True)


def test_a_corpus_that_reads_differently_is_named(tmp_path, monkeypatch):
    source = RunConfig().source
    monkeypatch.setattr("minigpt.runs.splits.load_corpus", lambda name: TEXT)
    write(tmp_path, source)
    monkeypatch.setattr("minigpt.runs.splits.load_corpus", lambda name: TEXT + "more")
    with pytest.raises(ValueError, match=r"the corpus python-docs gives other tokens than .*use the versions of mini"):
        check(tmp_path, source)


@KINDS
@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"files": [], "fingerprints": {}}'])
def test_a_damaged_record_is_one_error(tmp_path, source, content):
    write(tmp_path, source)
    (tmp_path / "run" / "data.json").write_text(content)
    with pytest.raises(ValueError, match=r"data\.json (is|should)"):
        check(tmp_path, source)


@pytest.mark.parametrize("source", ["file"], indirect=True)
def test_what_was_kept_first_stays_when_a_run_continues_and_is_replaced_when_one_starts(tmp_path, source):
    write(tmp_path, source)
    kept = json.loads((tmp_path / "run" / "data.json").read_text())
    source.text.write_text(TEXT + "more")
    write_read_files(tmp_path / "run", source, *opened(source), resumes=True)
    assert json.loads((tmp_path / "run" / "data.json").read_text()) == kept
    write_read_files(tmp_path / "run", source, *opened(source), resumes=False)
    check(tmp_path, source)
