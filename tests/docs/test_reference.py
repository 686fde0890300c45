"""The reference: everything public has an entry, which says what goes in, what comes out and what is refused."""

import ast
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

import pytest

import minigpt

DOCS = Path(__file__).parents[2] / "docs"
ROOMS = ["equations", "text", "text.tinyworld", "model", "pretrained", "training", "training.optim", "generation"]
ROOMS += ["evaluation", "evaluation.fairness", "checks", "runs", "learn", "learn.zoo", "microscope"]
# A page speaks of these in its text, and a list of names has no entry for them.
SPOKEN_OF = {"__version__", "equations", "fairness", "learn", "microscope", "autograd", "sanity", "zoo"}


def public():
    """Every public name with what it is and the room that offers it, each thing once."""
    things = {}
    for room in [minigpt, *(import_module(f"minigpt.{name}") for name in ROOMS)]:
        for name in room.__all__:
            if name not in SPOKEN_OF:
                things[id(getattr(room, name))] = (name, getattr(room, name))
    return sorted(things.values(), key=lambda pair: pair[0].lower())


PUBLIC = public()
CODE = [(name, thing) for name, thing in PUBLIC if inspect.isclass(thing) or inspect.isroutine(thing)]
CONSTANTS = [name for name, thing in PUBLIC if not (inspect.isclass(thing) or inspect.isroutine(thing))]
PAGES = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference" / "api").rglob("*.md"))


def parts(thing):
    """A function itself; of a class its constructor and its public methods, with their docstrings."""
    if not inspect.isclass(thing):
        return [("", thing, thing.__doc__)]
    methods = {name: getattr(m, "__func__", getattr(m, "fget", m)) for name, m in vars(thing).items() if name[0] != "_"}
    own = [(name, method, inspect.getdoc(getattr(thing, name))) for name, method in methods.items()]
    return [("", thing.__init__, thing.__doc__), *(part for part in own if inspect.isfunction(part[1]))]


def refuses(function):
    """Whether a ``raise`` stands in the function itself."""
    if not inspect.isfunction(function) or function.__module__.split(".")[0] != "minigpt":
        return False
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):  # a dataclass's own constructor has no source
        return False
    return any(isinstance(node, ast.Raise) for node in ast.walk(tree))


def entries(docstring, title):
    """The entries of a section, by name."""
    found = re.search(rf"^ *(?:{title}):\n((?: +\S.*\n?|\n(?= +))+)", docstring + "\n", re.MULTILINE)
    return dict(re.findall(r"^ +\*{0,2}(\w+): ((?:.*)(?:\n {12,}.*)*)", found[1] if found else "", re.MULTILINE))


def asks_elsewhere(docstring):
    return re.search(r"same arguments|arguments as|arguments are those of", docstring)


@pytest.mark.parametrize(("name", "thing"), CODE, ids=[name for name, _ in CODE])
def test_every_public_class_and_function_has_an_entry(name, thing):
    listed = re.search(rf"automodule:: {re.escape(thing.__module__)}\n   :members:(.*)", PAGES)
    assert listed, f"{thing.__module__} is on no page with its members"
    assert not listed[1].strip() or thing.__name__ in re.split(r"[,\s]+", listed[1])
    assert thing.__doc__, "without a docstring there is no entry"


@pytest.mark.parametrize("name", CONSTANTS)
def test_every_public_constant_has_an_entry(name):
    pycode = pytest.importorskip("sphinx.pycode", reason="the site needs Sphinx: install the docs extra")
    modules = re.findall(r"automodule:: ([\w.]+)\n   :members:(.*)", PAGES)
    shown = [module for module, listed in modules if not listed.strip() or name in re.split(r"[,\s]+", listed)]
    # Autodoc finds a constant by the comment above it that opens with "#:", in a file that Sphinx can analyse.
    found = [pycode.ModuleAnalyzer.for_module(module).find_attr_docs() for module in shown if "kernels" not in module]
    assert any(("", name) in documented for documented in found)


def test_the_list_of_names_says_of_a_constant_what_it_is_and_not_what_its_type_is(monkeypatch):
    pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
    monkeypatch.syspath_prepend(DOCS / "_ext")
    listed = import_module("public_names").entry("PRESETS")
    assert listed == "{py:obj}`mg.PRESETS <minigpt.model.presets.PRESETS>`\n: The fields of each preset, by its name.\n"


@pytest.mark.parametrize(("name", "thing"), CODE, ids=[name for name, _ in CODE])
def test_every_argument_is_explained_and_a_tensor_has_a_shape(name, thing):
    docstring = inspect.cleandoc(thing.__doc__ or "")
    if asks_elsewhere(docstring) or getattr(thing, "_is_protocol", False):
        return
    explained = {**entries(docstring, "Args"), **entries(docstring, "Attributes")}
    for parameter in inspect.signature(thing).parameters.values():
        assert parameter.name in explained or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        if inspect.isfunction(thing) and "Tensor" in str(parameter.annotation):
            assert "``(" in explained[parameter.name], f"{parameter.name} has no shape"


@pytest.mark.parametrize(("name", "thing"), CODE, ids=[name for name, _ in CODE])
def test_what_raises_says_what_it_refuses(name, thing):
    for part, function, docstring in parts(thing):
        if refuses(function):
            assert re.search(r"[Rr]aises", docstring or ""), f"{name}.{part} does not say what it raises"


def test_every_equation_has_a_source():
    assert [equation.name for equation in minigpt.equations.all() if not equation.source] == []
