"""What was removed and why."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

EXAMPLES = 3  # kept for each reason


@dataclass(frozen=True)
class Removal:
    """A document that was removed, and why.

    Args:
        document: its name.
        reason: a word or two, the same for all documents that are removed by one rule.
        detail: what was found in this one.
        excerpt: its beginning.
    """

    document: str
    reason: str
    detail: str
    excerpt: str = ""


class Stage(Protocol):
    """A stage of cleaning: it sees each document once, in order."""

    def removal(self, name: str, text: str) -> Removal | None:
        """Why the document is removed; ``None`` if it stays.

        Args:
            name: of the document.
            text: of the document.
        """


@dataclass
class CleaningReport:
    """Counts of a cleaning, and the first documents that were removed for each reason.

    Attributes:
        kept: the positions of the documents that stay, from 0, in order.
        n_documents: seen.
        n_characters: of all documents.
        kept_characters: of those that stay.
        removed: how many were removed, by reason.
        examples: the first removals of each reason.
    """

    kept: list[int] = field(default_factory=list)
    n_documents: int = 0
    n_characters: int = 0
    kept_characters: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Removal]] = field(default_factory=dict)

    def add(self, text: str, removal: Removal | None) -> None:
        """Count a document.

        Args:
            text: of the document.
            removal: why it is removed; ``None`` if it stays.
        """
        self.n_characters += len(text)
        if removal is None:
            self.kept.append(self.n_documents)
            self.kept_characters += len(text)
        else:
            self.removed[removal.reason] = self.removed.get(removal.reason, 0) + 1
            if len(examples := self.examples.setdefault(removal.reason, [])) < EXAMPLES:
                examples.append(removal)
        self.n_documents += 1

    def as_json(self) -> dict[str, Any]:
        """The counts and examples, without the positions of the documents that stay."""
        return {
            "documents": self.n_documents,
            "kept": len(self.kept),
            "characters": self.n_characters,
            "kept_characters": self.kept_characters,
            "removed": self.removed,
            "examples": {reason: [asdict(each) for each in examples] for reason, examples in self.examples.items()},
        }

    def __str__(self) -> str:
        lines = [
            f"{self.n_documents:,} document{'s' * (self.n_documents != 1)}, {len(self.kept):,} of them kept; "
            f"{self.n_characters:,} characters, {self.kept_characters:,} of them kept"
        ]
        for reason, count in sorted(self.removed.items(), key=lambda pair: -pair[1]):
            lines.append(f"{count:>9,} ({count / self.n_documents:5.1%}) {reason}")
            first = self.examples[reason][0]
            lines.append(f"{'':19}{first.document}: {first.detail}")
        return "\n".join(lines)


def excerpt_of(text: str, length: int = 60) -> str:
    """The beginning of a text, on one line.

    Args:
        text: of a document.
        length: in characters, at most.
    """
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"
