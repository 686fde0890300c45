"""The exercises as cells: what a learner finds there, the reply to the stub, and the reply to a solution."""

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

import minigpt as mg
from minigpt.learn import questions
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise
from minigpt.learn.judge.attempts import Submission

jupytext = pytest.importorskip("jupytext", reason="notebooks need the notebook extra")

FOLDER = Path(__file__).parents[2] / "notebooks"
CALL = re.compile(r"\bmg\.check\.(\w+)\(")
FENCED = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FOLD = re.compile(r"<details>\n<summary>(Hint \d): [^<]*</summary>\n\n(.*?)\n\n</details>", re.DOTALL)
NOT_YET: set[str] = set()  # their exercises are still to be put in; this list only gets shorter


@dataclass(frozen=True)
class ExerciseCell:
    """The cell of an exercise, with the texts around it and the code of the rest of its notebook."""

    exercise: Exercise
    page: str
    code: str
    before: str
    after: str
    elsewhere: tuple[str, ...]

    def reply(self, answer=None):
        """Run the cell, with another function in place of the stub if there is one."""
        tree = ast.parse(self.code)
        namespace = {"__name__": "__main__", "mg": mg}
        if answer is not None:
            tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef)]
            namespace[self.exercise.name] = answer
        exec(compile(tree, self.page, "exec"), namespace)
        return namespace["reply"]


def exercise_cells(source):
    cells = jupytext.read(source, fmt="py:percent").cells
    codes = [[cell.source] if cell.cell_type == "code" else FENCED.findall(cell.source) for cell in cells]
    for i, cell in enumerate(cells):
        if cell.cell_type == "code" and (name := CALL.search(cell.source)):
            others = tuple(code for k, part in enumerate(codes) if k != i for code in part if code[0] != "%")
            yield ExerciseCell(
                exercise=exercise_named(name[1]),
                page=f"notebooks/{source.stem}",
                code=cell.source,
                before=cells[i - 1].source,
                after=cells[i + 1].source,
                elsewhere=others,
            )


CELLS = [cell for source in sorted(FOLDER.glob("[0-9][0-9]-*.py")) for cell in exercise_cells(source)]
each_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.exercise.name)


@pytest.fixture
def in_place(monkeypatch):
    """Run attempts in this process: they are ours, and no limit of time can end them on a busy machine."""
    monkeypatch.setattr(questions, "Submission", functools.partial(Submission, isolated=False))


def parts(latex):
    """The equations in a line of several, without the spaces."""
    return {re.sub(r"\s", "", part) for part in re.split(r"[,;]\s*\\q?quad", latex)}


def test_every_exercise_has_its_cell_in_the_notebook_that_teaches_it():
    found = {(cell.exercise.name, cell.page) for cell in CELLS}
    assert len(found) == len(CELLS)
    taught = {(exercise.name, exercise.page) for exercise in CATALOGUE if exercise.page.startswith("notebooks/")}
    assert found <= taught
    assert {page for _, page in taught - found} == NOT_YET


@each_cell
def test_the_stub_gets_a_reply_that_says_what_is_missing(cell, in_place):
    reply = cell.reply()
    assert not reply
    assert reply.id == "failure.none"
    assert "return is missing" in reply.says
    assert str(reply.hint(1)) and str(reply.hint(2))


@each_cell
def test_the_short_solution_in_place_of_the_stub_is_right(cell, in_place):
    reply = cell.reply(cell.exercise.solutions[0])
    assert reply, str(reply)
    assert reply.solutions


@each_cell
def test_the_stub_has_the_arguments_of_the_exercise(cell):
    (stub,) = (node for node in ast.parse(cell.code).body if isinstance(node, ast.FunctionDef))
    assert stub.name == cell.exercise.name
    assert [argument.arg for argument in stub.args.args] == list(cell.exercise.arguments)


@each_cell
def test_the_notebook_neither_solves_the_exercise_nor_uses_its_name(cell):
    nodes = [node for code in cell.elsewhere for node in ast.walk(ast.parse(code))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    assert cell.exercise.name not in used


@each_cell
def test_the_task_shows_the_equation_of_the_exercise(cell):
    task = cell.before[cell.before.rindex("**Exercise:") :]
    assert task.startswith(f"**Exercise: `{cell.exercise.name}`.** ")
    (shown,) = re.findall(r"\$\$\n(.*?)\n\$\$", task, re.DOTALL)
    assert parts(shown) <= parts(cell.exercise.latex)


@each_cell
def test_three_hints_are_folded_and_the_second_has_the_term_of_the_equation(cell):
    hints = FOLD.findall(cell.after)
    assert [title for title, _ in hints] == ["Hint 1", "Hint 2", "Hint 3"]
    question, term, example = (" ".join(text.split()) for _, text in hints)
    assert question.endswith("?")
    assert f"${cell.exercise.term}$" in term
    assert "`reply.hint(1)`" in example
