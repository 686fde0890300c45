"""From a folder of texts to a folder of cleaned texts.

The result is a folder::

    …                 the files that stay, under their own names; of a file with several documents, those that stay
    report.json       counts, and examples of each reason
    removed.jsonl     a line for each document that was removed: its name, the reason, the detail, its beginning
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from minigpt.files.folder import whole_folder
from minigpt.files.paths import as_path
from minigpt.text.cleaning.cleaner import Cleaner, with_bar
from minigpt.text.cleaning.report import CleaningReport, Stage
from minigpt.text.reading import TextFiles, read_file
from minigpt.text.shards.partial import only_writer

REPORT, REMOVED = "report.json", "removed.jsonl"


def clean_files(
    source: str | os.PathLike[str] | TextFiles,
    out: str | os.PathLike[str],
    stages: Sequence[Stage] | None = None,
    *,
    separator: str | None = None,
    progress: bool | None = None,
) -> CleaningReport:
    """Copy the documents that stay to another folder, with a report on the others.

    Files are taken in the order of their paths, so of two copies the one that comes first stays.

    Args:
        source: a file, or a folder; or :class:`~minigpt.text.reading.TextFiles`, for files of other names.
        out: a folder that does not exist yet or is empty; it appears when it is complete. What a killed process left
            of it is deleted.
        stages: of the cleaning; ``None`` takes :func:`~minigpt.text.cleaning.cleaner.default_stages`.
        separator: what stands between the documents of a file, such as ``"<|endoftext|>"``; without it, each file is
            one document.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if a file can't be read, no document stays, or ``out`` is not empty or lies in the source.
    """
    _check_separator(separator)
    texts = source if isinstance(source, TextFiles) else TextFiles(source)
    out, full_disk = as_path(out, "out"), f"{out} was not written; free some space and try again"
    _refuse_inside(out, texts.paths)
    cleaner = Cleaner(stages)
    with texts.on_disk() as files, only_writer(out) as place, whole_folder(out, full_disk, partial=place) as partial:
        with (partial / REMOVED).open("w", encoding="utf-8", newline="\n") as removed:
            for file, name in with_bar(_named(files, texts.paths), progress, "files"):
                kept = []
                for document, text in _documents(name, read_file(file), separator):
                    if (removal := cleaner.removal(document, text)) is None:
                        kept.append(text)
                    else:
                        print(json.dumps(asdict(removal), ensure_ascii=False), file=removed)
                if kept:
                    _write(partial / name, (separator or "").join(kept))
        if not cleaner.report.kept:
            raise ValueError(f"no document stays, so {out} was not written:\n{cleaner.report}")
        _write(partial / REPORT, json.dumps(cleaner.report.as_json(), indent=2, ensure_ascii=False) + "\n")
    return cleaner.report


def documents_of(
    source: str | os.PathLike[str] | TextFiles, *, separator: str | None = None
) -> Iterator[tuple[str, str]]:
    """The documents of files with their names, one file at a time in memory, as :func:`clean_files` takes them.

    Args:
        source: a file, or a folder; or :class:`~minigpt.text.reading.TextFiles`, for files of other names.
        separator: what stands between the documents of a file; without it, each file is one document.

    Raises:
        ValueError: if a file can't be read.
    """
    _check_separator(separator)
    texts = source if isinstance(source, TextFiles) else TextFiles(source)
    with texts.on_disk() as files:
        for file, name in _named(files, texts.paths):
            yield from _documents(name, read_file(file), separator)


def _check_separator(separator: object) -> None:
    if separator is not None and not isinstance(separator, str):
        raise ValueError(f"separator={separator!r} must be a text such as '<|endoftext|>', or None")
    if separator == "":
        raise ValueError("separator='' cuts a text nowhere; give one such as '<|endoftext|>', or leave it out")


def _named(files: Sequence[Path], source: object) -> list[tuple[Path, str]]:
    """Each file with its path inside the folder that was given; of a file that was given, its name.

    Raises:
        ValueError: if two files would be written under one name, or a name is not UTF-8.
    """
    folders = _folders(source)
    names: dict[str, Path] = {}
    for file in files:
        inside = next((file.relative_to(folder) for folder in folders if file.is_relative_to(folder)), Path(file.name))
        name = inside.as_posix()
        if any("\ud800" <= letter <= "\udfff" for letter in name):
            raise ValueError(f"the name of the file {name!a} is not UTF-8, so no report can hold it; rename it")
        if name in names or name in (REPORT, REMOVED):
            other = names.get(name, f"the {name} of the result")
            raise ValueError(f"{file} and {other} would get one name, {name}; rename one of them")
        names[name] = file
    return [(file, name) for name, file in names.items()]


def _folders(source: object) -> list[Path]:
    """Those of the given paths that are folders; none of an iterator, which can be read only once."""
    if isinstance(source, Iterator):
        return []
    given = source if isinstance(source, Iterable) and not isinstance(source, str | os.PathLike) else [source]
    return [folder for each in given if (folder := Path(str(each))).is_dir()]


def _refuse_inside(out: Path, source: object) -> None:
    """Refuse a result inside its source: the next cleaning would read it as texts.

    Raises:
        ValueError: if it lies there.
    """
    for folder in _folders(source):
        if out.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{out} lies in {folder}, the texts to clean; choose a folder outside it")


def _documents(name: str, text: str, separator: str | None) -> Iterator[tuple[str, str]]:
    """The documents of a file with their names; an empty one between two separators is none."""
    if separator is None:
        yield name, text
        return
    for i, part in enumerate(text.split(separator)):
        if part.strip():
            yield f"{name}#{i}", part


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
