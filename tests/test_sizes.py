"""How long a function and a file may be, how many files a room may have, and how many parameters a function."""

import ast
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BODY, FILE, ROOM, PARAMETERS = 40, 250, 16, 7  # lines without the docstring, lines, files, parameters without self

# What may be larger, by a pattern of its name, and why.
EXCEPTIONS = {
    "body": {},
    "file": {},
    "room": {
        "minigpt/model": "a file for each formula, so that each is read by itself",
    },
    "parameters": {
        "minigpt/training/loop.py:train": "the one call that trains: every part of a run may be given",
        "minigpt/generation/text.py:generate": "the one call that writes: its options are the sampler's",
        "minigpt/generation/text.py:stream": "as generate",
        "minigpt/training/optim/*.py:*.__init__": "optimizers are built as those of torch.optim are, by keywords",
    },
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, Function]]:
    """Every function below ``tree`` with its dotted name, methods and functions within functions included."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function | ast.ClassDef):
            name = f"{within}.{node.name}" if within else node.name
            if isinstance(node, Function):
                yield name, node
            yield from functions(node, name)
        else:
            yield from functions(node, within)


def body_lines(function: Function) -> int:
    """The lines of a body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def n_parameters(function: Function) -> int:
    """The parameters that a caller gives: ``self`` and ``cls`` are not counted, ``*args`` and ``**options`` are."""
    given = function.args
    names = [parameter.arg for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"])) + sum(map(bool, (given.vararg, given.kwarg)))


def is_public(name: str) -> bool:
    return all(not part.startswith("_") or part == "__init__" for part in name.split("."))


def too_large(root: Path) -> dict[str, dict[str, int]]:
    """By kind, what is larger than it should be below ``root``/minigpt, and how large it is."""
    found: dict[str, dict[str, int]] = {kind: {} for kind in EXCEPTIONS}
    rooms: dict[str, int] = {}
    for file in sorted((root / "minigpt").rglob("*.py")):
        path = file.relative_to(root)
        if path.parts[1] == "kernels":  # the link to kernels/
            continue
        rooms[path.parent.as_posix()] = rooms.get(path.parent.as_posix(), 0) + 1
        text = file.read_text(encoding="utf-8")
        found["file"][path.as_posix()] = len(text.splitlines())
        for name, function in functions(ast.parse(text)):
            found["body"][f"{path.as_posix()}:{name}"] = body_lines(function)
            if is_public(name):
                found["parameters"][f"{path.as_posix()}:{name}"] = n_parameters(function)
    found["room"] = rooms
    limits = {"body": BODY, "file": FILE, "room": ROOM, "parameters": PARAMETERS}
    return {kind: {name: n for name, n in sizes.items() if n > limits[kind]} for kind, sizes in found.items()}


@pytest.fixture(scope="module")
def large():
    return too_large(ROOT)


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_nothing_is_too_large_but_what_has_a_reason(kind, large):
    assert {name: n for name, n in large[kind].items() if not any(fnmatch(name, p) for p in EXCEPTIONS[kind])} == {}


@pytest.mark.parametrize(("kind", "pattern"), [(kind, pattern) for kind in EXCEPTIONS for pattern in EXCEPTIONS[kind]])
def test_every_reason_is_still_needed(kind, pattern, large):
    assert any(fnmatch(name, pattern) for name in large[kind])


def written(root, code, path="minigpt/model/some.py"):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code, encoding="utf-8")
    return too_large(root)


def test_a_body_is_counted_without_its_docstring_and_within_classes_and_functions(tmp_path):
    long = "class A:\n    def f(self):\n        '''One.\n\n        Two.\n        '''\n" + "        x = 1\n" * 40
    assert written(tmp_path, long)["body"] == {}
    assert written(tmp_path, long + "        x = 1\n")["body"] == {"minigpt/model/some.py:A.f": 41}
    inner = "def f():\n    def g():\n" + "        x = 1\n" * 41
    assert written(tmp_path, inner)["body"] == {"minigpt/model/some.py:f": 42, "minigpt/model/some.py:f.g": 41}


def test_parameters_are_counted_of_public_functions_without_self(tmp_path):
    code = "class A:\n    def __init__(self, a, b, c, /, d, *e, f, g): pass\n"
    assert written(tmp_path, code)["parameters"] == {}
    assert written(tmp_path, code.replace("g)", "g, **h)"))["parameters"] == {"minigpt/model/some.py:A.__init__": 8}
    assert written(tmp_path, "def _f(a, b, c, d, e, f, g, h): pass")["parameters"] == {}
    assert written(tmp_path, "class _A:\n    def f(a, b, c, d, e, f, g, h): pass")["parameters"] == {}


def test_lines_and_files_are_counted(tmp_path):
    assert written(tmp_path, "x = 1\n" * 250)["file"] == {}
    assert written(tmp_path, "x = 1\n" * 251)["file"] == {"minigpt/model/some.py": 251}
    for i in range(15):
        assert written(tmp_path, "", f"minigpt/model/other_{i}.py")["room"] == {}
    assert written(tmp_path, "", "minigpt/model/sub/some.py")["room"] == {}
    assert written(tmp_path, "", "minigpt/model/one_more.py")["room"] == {"minigpt/model": 17}
