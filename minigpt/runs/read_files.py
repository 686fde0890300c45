"""What a run read, kept in ``data.json``, so that a text or a shard that has changed since is noticed and named.

::

    {"fingerprints": {"training": "…", "validation": "…"}, "files": {"train/00000.bin": {"size": …, "sha256": …}, …}}

Of a text, which is read whole in any case, the hash is that of the file. Shards may be larger than the memory: their
size is compared, and the hash of blocks spread over the file.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from minigpt.files.atomic import write_atomically
from minigpt.files.json_object import read_object
from minigpt.files.sampled import sampled_entry
from minigpt.files.verified import entry_of_file
from minigpt.runs.source import Source
from minigpt.text import Dataset, open_prepared
from minigpt.text.reading import text_files

DATA_FILE = "data.json"


def write_read_files(out: Path, source: Source, data: Dataset, validation: Dataset, *, resumes: bool) -> None:
    """Keep what a run reads; what is kept of an earlier start is replaced, unless that run continues.

    Args:
        out: the run folder.
        source: what is read.
        data: the training split.
        validation: the validation split.
        resumes: whether a run continues from a checkpoint.
    """
    if not (resumes and _is_kept(out)):
        found = {"fingerprints": _fingerprints(data, validation), "files": dict(_entries(source))}
        write_atomically(out / DATA_FILE, json.dumps(found, indent=1).encode())


def check_unchanged(out: Path, source: Source, data: Dataset, validation: Dataset, *, verify: bool = False) -> None:
    """Refuse data that is no longer what the run was started with; a run that kept no ``data.json`` is not checked.

    Args:
        out: the run folder.
        source: what is read.
        data: the training split.
        validation: the validation split.
        verify: whether prepared shards are read whole and compared with the SHA-256 in their headers.

    Raises:
        ValueError: naming the first file that has changed, or the text, and what to do.
    """
    if verify and source.data is not None:
        open_prepared(source.data, verify=True)
    if not _is_kept(out):
        return
    kept = read_object(out / DATA_FILE)
    files, found = kept.get("files"), dict(_entries(source))
    if not isinstance(files, dict) or not isinstance(kept.get("fingerprints"), dict):
        raise ValueError(f"{out / DATA_FILE} is damaged: it lacks files or fingerprints; delete it to go without it")
    changed = [name for name in {**files, **found} if files.get(name) != found.get(name)]
    if changed:
        name = changed[0]
        how = "is new" if name not in files else "is missing" if name not in found else "has changed"
        raise ValueError(f"{_folder(source) / name} {how} since the run in {out} was started; {_what_to_do(source)}")
    if kept["fingerprints"] != _fingerprints(data, validation):
        raise ValueError(
            f"{_place(source)} gives other tokens than when the run in {out} was started; {_what_to_do(source)}"
        )


def _is_kept(out: Path) -> bool:
    return (out / DATA_FILE).exists()


def _fingerprints(data: Dataset, validation: Dataset) -> dict[str, str]:
    return {"training": data.fingerprint, "validation": validation.fingerprint}


def _entries(source: Source) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each file that is read, by its name in the text's folder or in that of the shards."""
    if source.data is not None:
        for path in sorted(source.data.glob("*/*.bin")):
            yield path.relative_to(source.data).as_posix(), sampled_entry(path)
    elif source.text is not None and (source.text.is_file() or source.text.is_dir()):
        for path in text_files(source.text, source.glob):
            yield path.relative_to(_folder(source)).as_posix(), entry_of_file(path)


def _folder(source: Source) -> Path:
    """Where the files are that a source names."""
    path = source.data or source.text or Path()
    return path.parent if path.is_file() else path


def _place(source: Source) -> str:
    if source.task is not None:
        return f"the task {source.task}"
    return str(source.data or source.text or f"the corpus {source.corpus}")


def _what_to_do(source: Source) -> str:
    if source.data is None and source.text is None:
        return "use the versions of minigpt and Python that it was started with, or start a new run"
    return "put back what was there, or start a new run with another --out"
