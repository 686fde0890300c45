"""The import rule: data flows through the rooms in one direction, and what is heavy or optional is imported late."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A room imports only from itself and from rooms of a lower number.
ORDER = {
    "version": 0,
    "interrupts": 0,
    "limits": 0,
    "settings": 0,
    "files": 1,
    "equations": 1,
    "text": 2,
    "model": 2,
    "pretrained": 3,
    "training": 4,
    "generation": 4,
    "evaluation": 5,
    "checks": 6,
    "runs": 7,
    "microscope": 8,
    "learn": 8,
    "cost": 8,
    "bench": 9,
    "__init__": 9,
    "cli": 10,
    "__main__": 11,
}
ALLOWED_IN_KERNELS = {"torch", "triton", "minigpt.kernels", *sys.stdlib_module_names}
KERNEL_SITES = {  # the modules that may import minigpt.kernels, and what for
    "minigpt/model/fused.py": "a model runs them",
    "minigpt/bench/attention/contenders.py": "they are timed",
    "minigpt/bench/attention/correctness.py": "their error is measured",
    "minigpt/bench/attention/tiles.py": "their tiles are timed",
    "minigpt/bench/compiled/jobs.py": "they are compiled for GPUs that are not here",
    "minigpt/bench/compiled/compilation.py": "their tiles are compiled",
    "minigpt/bench/compiled/bounds.py": "their products are counted",
    "minigpt/bench/compiled/inspection.py": "their names have bars",
    "minigpt/cli/measuring/kernels.py": "names the row of their table that is tuned",
}
NOT_AT_IMPORT = (
    "matplotlib",
    "lark",
    "triton",
    "transformers",
    "datasets",
    "huggingface_hub",
    "requests",
    "sphinx",
    "tyro",
    "IPython",
)


@dataclass(frozen=True)
class Import:
    """One imported module: who imports it, where and when."""

    room: str  # the part of minigpt/ or "kernels"
    path: str
    line: int
    target: str  # absolute, dotted
    when: str  # "start": with the importing module; "late": inside a function; "never": for type checkers only

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


def imports(root: Path) -> Iterator[Import]:
    """Every import of minigpt/ and kernels/ under ``root``, wherever it stands in a file."""
    for folder, package in (("minigpt", "minigpt"), ("kernels", "minigpt.kernels")):
        for file in sorted((root / folder).rglob("*.py")):
            parts = file.relative_to(root / folder).with_suffix("").parts
            if folder == "minigpt" and parts[0] == "kernels":  # the link to kernels/
                continue
            room = "kernels" if folder == "kernels" else parts[0]
            module = [*package.split("."), *parts]
            for node, when in statements(ast.parse(file.read_text(encoding="utf-8"))):
                for target in targets(node, module):
                    yield Import(room, file.relative_to(root).as_posix(), node.lineno, target, when)


def statements(tree: ast.AST, when: str = "start") -> Iterator[tuple[ast.stmt | ast.Call, str]]:
    """The imports below ``tree``, calls of ``import_module`` included, each with when it happens."""
    for node in ast.iter_child_nodes(tree):
        inside = when
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            yield node, when
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inside = "late"
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            inside = "never"
        yield from statements(node, inside)


def targets(node: ast.stmt | ast.Call, module: list[str]) -> list[str]:
    """The absolute names that ``node`` imports when it stands in ``module``, whose last part is the file's name."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=name, names=names, level=level):
            # One dot is the package that the file lies in; `__init__` is a name in its package like any other.
            base = [*module[: len(module) - level], *filter(None, [name])] if level else [name]
            return [".".join([*base, alias.name]) for alias in names]
        case ast.Call(func=function, args=[ast.Constant(value=str(name))]) if is_import_module(function):
            return [name]
    return []


def is_import_module(function: ast.expr) -> bool:
    return ast.unparse(function) in ("import_module", "importlib.import_module", "__import__")


def violations(root: Path) -> list[str]:
    """What breaks the rule under ``root``, a line each."""
    return [f"{i}: {reason}" for i in imports(root) if (reason := broken_rule(i))]


def broken_rule(i: Import) -> str | None:
    """Why ``i`` is not allowed, or ``None``."""
    top, *rest = i.target.split(".")
    if i.room == "kernels":
        allowed = any(is_in(i.target, name) for name in ALLOWED_IN_KERNELS)
        return None if allowed else "kernels import torch and triton only"
    if top == "matplotlib" and i.when != "never" and (i.room != "plots" or i.when == "start"):
        return "matplotlib is imported in plots.py only, inside a function"
    if top == "kernels":
        return "the kernels of this project are minigpt.kernels; the plain name is another package"
    return broken_order(i, rest[0] if rest else "__init__") if top == "minigpt" else None


def broken_order(i: Import, target: str) -> str | None:
    """Why room ``i.room`` may not import room ``target``, or ``None``."""
    if target == "kernels" and i.path not in KERNEL_SITES:
        return f"kernels are imported by {', '.join(KERNEL_SITES)} only"
    if i.room == "plots":
        return "plots imports nothing of ours; a report draws itself"
    if target == "plots":
        return None
    if target == "kernels":
        late = i.when != "start" or i.path.startswith("minigpt/bench/compiled/")
        return None if late else "kernels are imported inside a function only"
    if i.room == target:
        return None
    if i.room not in ORDER:
        return f"no place in ORDER for {i.room}"
    # A name that is no room (`from minigpt import GPT`) comes from minigpt/__init__.py.
    place = ORDER.get(target, ORDER["__init__"])
    return None if place < ORDER[i.room] else f"{i.room} stands before {target} or beside it"


def is_in(target: str, package: str) -> bool:
    return target == package or target.startswith(package + ".")


def planted(root: Path, path: str, code: str) -> list[str]:
    """The violations of a tree that holds one file."""
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(code, encoding="utf-8")
    return violations(root)


def test_the_project_keeps_the_import_rule():
    assert violations(ROOT) == []


def test_the_checker_reads_the_files_of_the_project():
    rooms = {i.room for i in imports(ROOT)}
    assert {"generation", "model"} <= rooms


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("minigpt/model/gpt.py", "from minigpt.training import fit"),
        ("minigpt/model/gpt.py", "from ..training import fit"),
        ("minigpt/model/gpt.py", "from .. import training"),
        ("minigpt/model/__init__.py", "from ..training import fit"),
        ("minigpt/model/gpt.py", "import minigpt.training.loop"),
        ("minigpt/model/gpt.py", "def late():\n    from minigpt.training import fit"),
        ("minigpt/model/gpt.py", "if TYPE_CHECKING:\n    from minigpt.training import fit"),
        ("minigpt/model/gpt.py", "try:\n    pass\nfinally:\n    import minigpt.cli"),
        ("minigpt/text/tokenizers/bpe.py", "from minigpt.model import GPT"),
        ("minigpt/model/gpt.py", "from minigpt.text import Tokenizer"),
        ("minigpt/cost/flops.py", "import minigpt.cli"),
        ("minigpt/model/gpt.py", "from minigpt import GPT"),
        ("minigpt/model/gpt.py", "import minigpt as mg"),
        ("minigpt/__init__.py", "from minigpt.cli import main"),
        ("minigpt/attic/old.py", "from minigpt.model import GPT"),
        ("minigpt/plots.py", "def curve():\n    from minigpt.training import History"),
        ("minigpt/plots.py", "if TYPE_CHECKING:\n    from .training import History"),
        ("minigpt/plots.py", "import matplotlib.pyplot as plt"),
        ("minigpt/training/loop.py", "def late():\n    import matplotlib"),
        ("minigpt/model/fused.py", "import minigpt.kernels"),
        ("minigpt/training/loop.py", "def late():\n    from minigpt import kernels"),
        ("minigpt/model/attention.py", "def late():\n    import kernels"),
        ("minigpt/model/fused.py", "import importlib\nfast = importlib.import_module('minigpt.kernels')"),
        ("minigpt/model/gpt.py", "def late():\n    importlib.import_module('minigpt.training')"),
        ("kernels/flash.py", "import numpy"),
        ("kernels/flash.py", "from minigpt.model import softmax"),
        ("kernels/flash.py", "from ..model import softmax"),
    ],
)
def test_a_planted_breach_is_found(tmp_path, path, code):
    assert planted(tmp_path, path, code)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (
            "minigpt/training/loop.py",
            "from minigpt.model import GPT\nfrom ..text import Row\nfrom .log import Log",
        ),
        ("minigpt/training/loop.py", "from minigpt.plots import new_figure"),
        ("minigpt/training/loop.py", "def late():\n    from minigpt.plots import new_figure"),
        ("minigpt/plots.py", "def curve():\n    import matplotlib.pyplot as plt"),
        ("minigpt/plots.py", "if TYPE_CHECKING:\n    from matplotlib.axes import Axes"),
        ("minigpt/training/report/history.py", "if TYPE_CHECKING:\n    from matplotlib.figure import Figure"),
        ("minigpt/model/fused.py", "def late():\n    importlib.import_module('minigpt.kernels')"),
        ("minigpt/bench/attention/tiles.py", "def late():\n    from minigpt.kernels import tile_sizes"),
        ("minigpt/cli.py", "import tyro\nimport minigpt as mg\nfrom minigpt.version import __version__"),
        ("minigpt/__init__.py", "from .model import GPT"),
        ("minigpt/__main__.py", "from minigpt.cli import main"),
        ("kernels/flash.py", "import math\nimport torch\nimport triton.language as tl\nfrom . import tiles"),
    ],
)
def test_what_the_rule_allows_is_left_alone(tmp_path, path, code):
    assert planted(tmp_path, path, code) == []


def test_each_module_that_may_import_the_kernels_does():
    importers = {i.path for i in imports(ROOT) if i.room != "kernels" and is_in(i.target, "minigpt.kernels")}
    assert importers == set(KERNEL_SITES)


def modules(root: Path) -> dict[str, Path]:
    """Every module of the package by its dotted name; a package has that of its folder."""
    found = {}
    for folder, package in (("minigpt", "minigpt"), ("kernels", "minigpt.kernels")):
        for file in sorted((root / folder).rglob("*.py")):
            parts = file.relative_to(root / folder).with_suffix("").parts
            if not (folder == "minigpt" and parts[0] == "kernels"):
                found[".".join([package, *parts]).removesuffix(".__init__")] = file
    return found


def circles(root: Path) -> list[list[str]]:
    """The groups of modules that import each other, late imports and those for type checkers included."""
    names = {file.relative_to(root).as_posix(): name for name, file in modules(root).items()}
    known = set(names.values())
    reaches: dict[str, set[str]] = {name: set() for name in known}
    for i in imports(root):
        target = next((t for t in (i.target, i.target.rpartition(".")[0]) if t in known), None)
        if target is not None and target != names[i.path]:
            reaches[names[i.path]].add(target)
    order = TopologicalSorter(reaches)
    try:
        order.prepare()
    except CycleError as error:
        return [error.args[1]]
    return []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(ROOT) == []


@pytest.mark.parametrize(
    "code",
    [
        "from minigpt.model.b import x",
        "def late():\n    import minigpt.model.b",
        "if TYPE_CHECKING:\n    from minigpt.model.b import x",
        "from minigpt.model import x",
        "from . import b",
    ],
)
def test_a_planted_circle_is_found(tmp_path, code):
    (tmp_path / "minigpt" / "model").mkdir(parents=True)
    (tmp_path / "minigpt" / "model" / "__init__.py").write_text("from minigpt.model.a import y\n")
    (tmp_path / "minigpt" / "model" / "a.py").write_text(code)
    (tmp_path / "minigpt" / "model" / "b.py").write_text("from minigpt.model.a import y\n")
    (circle,) = circles(tmp_path)
    assert "minigpt.model.a" in circle


def test_every_module_can_be_imported_by_its_path():
    skipped = {"minigpt.__main__", *(() if find_spec("triton") else NEED_TRITON)}
    names = [name for name in modules(ROOT) if name not in skipped]
    code = f"""
import sys
for name in {names}:
    exec(f"import {{name}} as module")
    if module is not sys.modules[name]:
        print(f"{{name}} is not the module of that name, but {{module}}")
"""
    assert len(names) > 150
    assert printed_by(code) == ""


NEED_TRITON = [name for name in modules(ROOT) if name.startswith(("minigpt.kernels.", "minigpt.bench.compiled."))]


def test_the_link_to_kernels_is_not_read_twice(tmp_path):
    (tmp_path / "minigpt" / "kernels").mkdir(parents=True)  # a link that a file system has followed
    assert planted(tmp_path, "kernels/flash.py", "import numpy") == [
        "kernels/flash.py:1 imports numpy: kernels import torch and triton only"
    ]


def printed_by(code: str) -> str:
    """What a new Python process prints, errors included, away from the root of the checkout."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT / "tests", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


def test_importing_minigpt_loads_nothing_heavy_or_optional():
    assert printed_by(f"import sys, minigpt; print([m for m in {NOT_AT_IMPORT} if m in sys.modules])") == "[]\n"


def test_training_on_the_cpu_loads_no_compiler():
    """PyTorch would load its own for an optimizer, or where backward is given a gradient, which takes some seconds."""
    code = """
import sys
import minigpt as mg
data = mg.TokenDataset(list(range(9)) * 9, context_length=4, vocab_size=9)
model = mg.GPT(mg.GPTConfig.preset("nano", vocab_size=9, context_length=4))
mg.train(model, data, mg.TrainConfig(steps=2, device="cpu"), progress=False)
print([name for name in ("torch._dynamo", "torch._inductor", "sympy") if name in sys.modules])
"""
    assert printed_by(code) == "[]\n"


def test_importing_minigpt_prints_nothing_and_leaves_the_global_generator_alone():
    code = "import torch; before = torch.get_rng_state(); import minigpt; assert before.equal(torch.get_rng_state())"
    assert printed_by(code) == ""
