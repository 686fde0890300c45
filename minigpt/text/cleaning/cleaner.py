"""Stages of cleaning, one after another, over a stream of documents."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from minigpt.text.cleaning.exact import ExactDuplicates
from minigpt.text.cleaning.near import NearDuplicates
from minigpt.text.cleaning.quality import QualityFilter
from minigpt.text.cleaning.report import CleaningReport, Removal, Stage


def default_stages() -> tuple[Stage, ...]:
    """Exact duplicates, then poor texts, then near duplicates: the cheapest stage first."""
    return ExactDuplicates(), QualityFilter(), NearDuplicates()


class Cleaner:
    """Decides on one document after another, and counts.

    Args:
        stages: each sees the documents that those before it keep; ``None`` takes :func:`default_stages`. A stage
            remembers documents, so it serves one cleaning only.

    Raises:
        ValueError: if ``stages`` is not a series of stages.
    """

    def __init__(self, stages: Sequence[Stage] | None = None) -> None:
        given = default_stages() if stages is None else stages
        if not isinstance(given, Iterable) or not all(map(_is_stage, given := tuple(given))):
            raise ValueError(f"stages={stages!r:.60} must be a list of stages, such as [ExactDuplicates()]")
        self.stages = given
        self.report = CleaningReport()

    def removal(self, name: str, text: str) -> Removal | None:
        """Why the document is removed; ``None`` if it stays. The report counts it.

        Args:
            name: of the document.
            text: of the document.
        """
        found = next((removal for stage in self.stages if (removal := stage.removal(name, text))), None)
        self.report.add(text, found)
        return found


def _is_stage(value: object) -> bool:
    return hasattr(value, "removal") and not isinstance(value, type)


def clean(
    documents: Iterable[str] | Mapping[str, str],
    stages: Sequence[Stage] | None = None,
    *,
    progress: bool | None = None,
) -> CleaningReport:
    """Decide which documents to train on, and say why the others are removed.

    The documents are read once, one at a time; what is kept in memory does not depend on their lengths. The result
    depends on the documents and their order alone. ``[documents[i] for i in report.kept]`` are those that stay.

    Args:
        documents: texts; or texts by their names, which the report then uses.
        stages: such as ``[ExactDuplicates()]``; ``None`` takes :func:`default_stages`.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if the documents are a single text, or one of them is not a text.
    """
    cleaner = Cleaner(stages)
    for name, text in with_bar(with_names(documents, "documents"), progress, "documents"):
        cleaner.removal(name, text)
    return cleaner.report


def with_names(documents: Iterable[str] | Mapping[str, str], argument: str) -> Iterator[tuple[str, str]]:
    """Documents with their names; without names, by their positions.

    Args:
        documents: texts, or texts by their names.
        argument: the name of the argument, for an error.

    Raises:
        ValueError: if it is a single text or no series at all, or a document is not a text.
    """
    if isinstance(documents, str | bytes) or not isinstance(documents, Iterable):
        raise ValueError(f"{argument}={documents!r:.60} must be a list or another series of texts; write [text]")
    pairs = documents.items() if isinstance(documents, Mapping) else _numbered(documents)
    for name, text in pairs:
        if not isinstance(text, str):
            raise ValueError(f"{name} is {text!r:.60}, expected a text; leave out what is none")
        yield name, text


def _numbered(documents: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((f"document {i}", text) for i, text in enumerate(documents))


def with_bar(items: Iterable[Any], progress: bool | None, what: str) -> Iterator[Any]:
    """The same items, with a bar.

    Args:
        items: in order.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.
        what: the items are.
    """
    from tqdm import tqdm

    yield from tqdm(items, desc=what, disable=progress is False, delay=0 if progress else 2, leave=False)
