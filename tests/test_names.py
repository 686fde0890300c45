"""One name, one meaning: no two public classes, functions or constants of minigpt have the same name."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Names that are defined in several files, and why.
SHARED = {
    "formula_update": "an optimizer's update as its equation says, in the optimizer's file",
    "fast_update": "the same update in fewer operations, in the optimizer's file",
    "check": "the decorator that pairs a check with its equation, and `mg.check`, which judges an answer",
    "SYMBOLS": "the legend of the equations of one file",
    "EXERCISES": "the exercises of one stage",
    "T": "a type variable",
    "all": "the list of a registry: of equations, of fast twins",
    "train": "learn/one_file.py writes the loop of `minigpt.train` out",
    "main": "the entry of a program",
    "run": "`mg.learn.zoo.run`, and the child process that runs an answer",
    "MLP": "the block's, and the one of learn/autograd on its own tape",
    "SEED": "the seed document in the registry, a random seed in learn/one_file.py",
    "Corpus": "a corpus by name, and the two texts of learn/one_file.py",
    "Estimate": "the command `minigpt estimate` has the name of the report that it prints",
    "Ladder": "the command `minigpt ladder` has the name of the report that it prints",
    "Tokenizer": "the command `minigpt tokenizer` has the name of what it trains",
}


def definitions(file: Path) -> Iterator[str]:
    """The public names that a module defines at its top level; imports, and so re-exports, define nothing.

    A check is left out: it has the name of the equation that it checks, and often that is the name of the function.
    """
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name, decorator_list=decorators):
                names = [] if "check" in map(ast.unparse, decorators) else [name]
            case ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.Assign(targets=targets):
                names = [n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


def shared_names(root: Path) -> dict[str, list[str]]:
    """The names that several modules below ``root``/minigpt define, each with these modules."""
    places = defaultdict(list)
    for file in sorted((root / "minigpt").rglob("*.py")):
        path = file.relative_to(root)
        if path.parts[1] != "kernels":  # the link to kernels/
            for name in dict.fromkeys(definitions(file)):
                places[name].append(path.as_posix())
    return {name: files for name, files in places.items() if len(files) > 1}


def test_no_two_public_names_are_the_same_but_those_that_have_a_reason():
    assert {name: files for name, files in shared_names(ROOT).items() if name not in SHARED} == {}


def test_every_reason_is_still_needed():
    assert set(SHARED) <= set(shared_names(ROOT))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("class Row: pass", "Row = dict[str, float]"),
        ("def train_step(): pass", "def train_step(rounds=9): pass"),
        ("PATIENCE = 3", "PATIENCE: int = 2000"),
        ("A, B = 1, 2", "B = 3"),
    ],
)
def test_a_planted_second_meaning_is_found(tmp_path, one, other):
    for room, code in (("text", one), ("training", other)):
        (tmp_path / "minigpt" / room).mkdir(parents=True)
        (tmp_path / "minigpt" / room / "some.py").write_text(code, encoding="utf-8")
    assert list(shared_names(tmp_path).values()) == [["minigpt/text/some.py", "minigpt/training/some.py"]]


@pytest.mark.parametrize(
    "other",
    ["from minigpt.text.some import Row", "_Row = 1", "@check\ndef Row(function, draw): pass", "class Rows: pass"],
)
def test_an_import_a_private_name_a_check_and_another_name_are_left_alone(tmp_path, other):
    for room, code in (("text", "class Row: pass"), ("training", other)):
        (tmp_path / "minigpt" / room).mkdir(parents=True)
        (tmp_path / "minigpt" / room / "some.py").write_text(code, encoding="utf-8")
    assert shared_names(tmp_path) == {}


def test_no_two_helpers_of_tests_have_one_name():
    """Tests import them by their bare names, so the second of two would get the first."""
    helpers = [path for path in (ROOT / "tests").rglob("*.py") if not path.name.startswith(("test_", "conftest"))]
    assert [name for name, n in Counter(path.name for path in helpers).items() if n > 1] == []
