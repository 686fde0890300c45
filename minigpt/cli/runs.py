"""Commands that look at run folders: `minigpt runs`, `minigpt info` and `minigpt doctor`."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from minigpt.cli.output import print_json
from minigpt.runs.doctor import examine
from minigpt.runs.summary import RunSummary, list_runs, table_of
from minigpt.settings.language import Bilingual, folded

_NO_RUNS = Bilingual(
    "no runs in {}; start one with: minigpt train --out {}", "{} 里没有训练；可以这样开始一次：minigpt train --out {}"
)


@dataclass(frozen=True, kw_only=True)
class Runs:
    """List the runs below a folder: text, shape, steps, loss and when.

    Attributes:
        folder: folder that holds run folders.
        json: print the figures as JSON, and nothing else.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")] = Path("runs")
    json: bool = False

    def __call__(self) -> None:
        """Print a line for each, also for those that can't be read; with --json these are said on stderr."""
        found, wrong = list_runs(self.folder)
        if self.json:
            print_json([run.to_object() for run in found])
            for message in wrong.values():
                print(f"minigpt: {message}", file=sys.stderr)
        elif found or wrong:
            print(table_of(found, wrong, shutil.get_terminal_size().columns))
        else:
            print(_NO_RUNS.spoken().format(self.folder, self.folder / "first"))


@dataclass(frozen=True, kw_only=True)
class Info:
    """Show a run: its settings, how far it is, and its losses.

    Attributes:
        out: run folder.
        json: print the figures as JSON, and nothing else.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    json: bool = False

    def __call__(self) -> None:
        """Print it."""
        summary = RunSummary.of(self.out)
        if self.json:
            print_json(summary.to_object())
        else:
            print(summary)


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Name the symptoms that the log of a run shows, with likely causes, the test that decides, and the fix.

    It reads run.json and log.jsonl alone. Some bugs leave no trace there; the functions of `mg.sanity` look at the
    model and the data themselves.

    Attributes:
        out: run folder.
        json: print the findings as JSON, and nothing else.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    json: bool = False

    def __call__(self) -> None:
        """Print them."""
        found = examine(self.out)
        if self.json:
            print_json([finding.to_object() for finding in found])
        elif found:
            print("\n\n".join(map(str, found)))
        else:
            looks = "mg.sanity looks at the model and the data themselves"
            print(folded(f"the log of {self.out} shows no symptoms; {looks}"))
