"""The changes of one place of a function's syntax tree, each with the kind of mistake that it is."""

import ast
import re
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.diagnoses.regroupings import whole_changes
from minigpt.learn.judge.diagnoses.rewrites import (
    MASKING,
    Rewrite,
    TreePlace,
    label,
    of_call,
    of_comparison,
    of_constant,
    of_operation,
    of_slice,
    of_statement,
)  # fmt: skip

CONCERNS = {
    "a step": "其中一步",
    "another axis": "另一个轴",
    "a power": "乘方",
    "range": "循环范围",
    "a comparison": "比较",
    "the beginning of a slice": "切片的起点",
    "the end of a slice": "切片的终点",
    "one case": "一种情况",
    "a switch": "一个开关",
    "another size": "另一个轴的长度",
    "two factors": "两个因子",
    "a division by the root of a size": "除以某个长度的平方根",
    "the diagonal is hidden": "对角线被遮住",
    "later positions are hidden": "后面的位置被遮住",
    "a condition": "一个条件",
}
#: Functions that a formula may have, by the names that code gives them.
KNOWN = {"for", "and", "exp", "exp2", "log", "log2", "log10", "sqrt", "square", "abs", "softmax", "log_softmax", "sum"}
KNOWN |= {"mean", "max", "min", "sin", "cos", "tanh", "sigmoid", "tril", "triu", "amax", "amin", "var", "std", "norm"}
#: In how many places a change is made at once.
MOST_PLACES = 4
EXTRA_CALLS = ("exp", "log", "sqrt", "square", "abs", "softmax")


class Edit:
    """One change of a tree, made on entry and undone on exit.

    Args:
        place: the node above, the name of its field, and the index in it, or ``None``.
        new: what is put there; ``None`` takes a statement out.
        kind: of mistake.
        concerns: what it is about.
        is_plain: whether it changes what is there; otherwise it puts something around it.
    """

    def __init__(
        self, place: TreePlace, new: ast.AST | None, kind: str, concerns: Words, *, is_plain: bool = True
    ) -> None:
        self.place, self.new, self.kind, self.concerns, self.is_plain = place, new, kind, concerns, is_plain
        self.old: Any = None

    def __enter__(self) -> None:
        above, field, index = self.place
        self.old = getattr(above, field)
        if index is None:
            setattr(above, field, self.new)
        else:
            new = [] if self.new is None else [self.new]
            setattr(above, field, [*self.old[:index], *new, *self.old[index + 1 :]] or [ast.Pass()])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        setattr(self.place[0], self.place[1], self.old)


class EditEverywhere:
    """The same change in all places with the same form, such as in both moments.

    Args:
        each: the change of each place.
    """

    def __init__(self, each: Sequence[Edit]) -> None:
        self.each = each
        self.kind, self.concerns, self.is_plain = each[0].kind, each[0].concerns, True

    def __enter__(self) -> None:
        for edit in self.each:
            edit.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for edit in reversed(self.each):
            edit.__exit__(kind, error, at)


def every_edit(function: ast.FunctionDef) -> Iterator[Edit | EditEverywhere]:
    """All changes of one place of a function, then those that are made in several places at once.

    Args:
        function: its syntax tree.
    """
    groups: dict[tuple[str, str, str], list[Edit]] = {}
    for edit in edits(function):
        yield edit
        above, field, index = edit.place
        old = getattr(above, field)
        old = old if index is None else old[index]
        if edit.is_plain and edit.new is not None and not isinstance(old, ast.Name | ast.Constant):
            group = groups.setdefault((edit.kind, form_of(old), form_of(edit.new)), [])
            if not any(edit.place == other.place or contains(old, other) for other in group):
                group.append(edit)
    yield from (EditEverywhere(group) for group in groups.values() if 2 <= len(group) <= MOST_PLACES)


def form_of(node: ast.AST) -> str:
    """A part without the names in it: equal for ``m / (1 - b)`` and ``v / (1 - c)``."""
    names: dict[str, int] = {}
    return re.sub(r"id='(\w+)'", lambda found: f"id={names.setdefault(found[1], len(names))}", ast.dump(node))


def contains(node: ast.AST, edit: Edit) -> bool:
    """Whether the place of an edit is below a node."""
    return any(each is edit.place[0] for each in ast.walk(node))


def edits(function: ast.FunctionDef) -> Iterator[Edit]:
    """All changes of one place of a function.

    Args:
        function: its syntax tree.
    """
    given = [argument.arg for argument in function.args.args]
    stored = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    names = list(dict.fromkeys([*given, *stored]))
    given = [name for name in given if name not in stored]  # a name that is assigned anew is no longer the argument
    for place, node in list(places(function)):
        for kind, concerns, new in changes_of(node, names, place):
            yield Edit(place, new, kind, sentence_of(concerns, given))
        for kind, concerns, new in whole_changes(node, given):
            yield Edit(place, new, kind, sentence_of(concerns, given))
    for place, node in list(places(function)):
        if can_be_surrounded(node, place):
            for kind, concerns, new in around(node, names):
                yield Edit(place, new, kind, sentence_of(concerns, given), is_plain=False)


def sentence_of(concerns: str, given: Sequence[str]) -> Words:
    """What a change is about, if it has a name that the reader knows: of an argument, a function or a number."""
    named = re.findall(r"[A-Za-z_]\w*", concerns)
    if concerns in CONCERNS:
        return Words(concerns, CONCERNS[concerns])
    if concerns.startswith("+ ") and concerns[2:] in given:
        return Words(f"the addition of {concerns[2:]}", f"与 {concerns[2:]} 的相加")
    if concerns and all(name in given or name in KNOWN for name in named):
        return Words(concerns, f" {concerns.replace(' for ', ' 代替 ').replace(' and ', ' 与 ')} ")
    return Words("a step", CONCERNS["a step"])


def places(node: ast.AST) -> Iterator[tuple[tuple[ast.AST, str, int | None], ast.AST]]:
    """Every place below a node, but for annotations, docstrings and the targets of assignments."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "args", "targets", "target") and isinstance(
            node, ast.FunctionDef | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For | ast.comprehension | ast.arg
        ):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST):
                yield (node, field, index), child
                yield from places(child)


def changes_of(node: ast.AST, names: Sequence[str], place: TreePlace) -> Iterator[Rewrite]:
    """The changes of one node: kind, what they are about, and what is put in its place."""
    if isinstance(node, ast.UnaryOp) and isinstance(place[0], ast.Call) and label(place[0]) in MASKING:
        yield "mask", "a condition", ast.Constant(0.0)
    if isinstance(node, ast.BinOp):
        yield from of_operation(node)
    elif isinstance(node, ast.Call):
        yield from of_call(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant) and is_argument(place):
        yield from (("axis", "another axis", ast.Constant(axis)) for axis in (0, 1, -2, -3, None))
    elif isinstance(node, ast.UnaryOp):
        yield ("mask" if isinstance(node.op, ast.Invert | ast.Not) else "sign"), label(node.operand), node.operand
    elif isinstance(node, ast.Constant):
        yield from of_constant(node, place)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield from of_comparison(node)
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transposed", label(node.value), node.value
    elif isinstance(node, ast.Slice):
        yield from of_slice(node)
    elif isinstance(node, ast.IfExp):
        yield "missing", "one case", node.body
        yield "missing", "one case", node.orelse
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.If | ast.Return):
        yield from of_statement(node, place)
    if isinstance(place[0], ast.Return) and isinstance(node, ast.BinOp | ast.Call):
        for name in names:
            yield "extra", f"+ {name}", ast.BinOp(node, ast.Add(), ast.Name(name, ast.Load()))
    if isinstance(place[0], ast.Subscript):  # a tensor that is indexed by anything else may crash
        return
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in names:
        yield from (("wrong-operand", f"{name} for {node.id}", ast.Name(name, ast.Load())) for name in names
                    if name != node.id)  # fmt: skip


def can_be_surrounded(node: ast.AST, place: TreePlace) -> bool:
    """Whether a part is a value, around which something can be put."""
    if isinstance(place[0], ast.Subscript) or is_function(place):
        return False
    if isinstance(place[0], ast.Call) and label(place[0]) in ("len", "range"):
        return False
    return isinstance(node, ast.BinOp | ast.Call | ast.Name | ast.Subscript)


def is_argument(place: TreePlace) -> bool:
    """Whether a place is that of an argument of a call."""
    return isinstance(place[0], ast.Call | ast.keyword | ast.Tuple)


def is_function(place: TreePlace) -> bool:
    """Whether a place is that of the function of a call, or of what an attribute is taken from."""
    return isinstance(place[0], ast.Call | ast.Attribute) and place[1] in ("func", "value")


def around(node: Any, names: Sequence[str]) -> Iterator[Rewrite]:
    """Something more around a part."""
    if isinstance(node, ast.Name) and node.id not in names:
        return
    yield "sign", f"-{label(node)}", ast.UnaryOp(ast.USub(), node)
    for name in EXTRA_CALLS:
        yield "extra", name, ast.Call(ast.Name(f"_{name}", ast.Load()), [node], [])
    yield "scale", "2", ast.BinOp(node, ast.Mult(), ast.Constant(2))
    yield "scale", "1/2", ast.BinOp(node, ast.Div(), ast.Constant(2))
    yield "transposed", label(node), ast.Attribute(node, "mT", ast.Load())
    for step in (1, -1):
        yield "shift", label(node), ast.BinOp(node, ast.Add(), ast.Constant(step))
