"""Changes of code that are made as a whole: a reshape for a transpose, another size, a mask, functions exchanged."""

import ast
from collections.abc import Iterator, Sequence

from minigpt.learn.judge.diagnoses.rewrites import Rewrite, label

#: Methods that exchange axes, and those that divide an axis into several.
EXCHANGE_AXES = ("transpose", "permute", "swapaxes", "movedim", "moveaxis")
#: Functions with plain names in front of a softmax, before which a mask is put.
BEFORE_A_MASK = ("softmax", "exp")


def whole_changes(node: ast.AST, given: Sequence[str]) -> Iterator[Rewrite]:
    """The changes of one node that are not those of a single operation.

    Args:
        node: of the syntax tree.
        given: the names of the arguments.
    """
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "layout", "a step", _called("reshaped", node.value, node)
    if isinstance(node, ast.Call):
        yield from of_axes(node)
        yield from before_softmax(node, given)
        yield from functions_exchanged(node)
    if is_size(node):
        yield from other_sizes(given)
    if isinstance(node, ast.BinOp):
        yield from factors_exchanged(node)
        yield from later_function(node)


def _called(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(f"_{name}", ast.Load()), list(arguments), [])


def of_axes(node: ast.Call) -> Iterator[Rewrite]:
    """A reshape in the place of a transpose, and an axis divided in the other order."""
    if isinstance(node.func, ast.Attribute) and node.func.attr in EXCHANGE_AXES:
        yield "layout", "a step", _called("reshaped", node.func.value, node)
    if label(node) == "unflatten" and len(node.args) == 2 and isinstance(node.args[1], ast.Tuple):
        sizes = ast.Tuple(node.args[1].elts[::-1], ast.Load())
        yield "layout", "a step", ast.Attribute(ast.Call(node.func, [node.args[0], sizes], []), "mT", ast.Load())
    if label(node) == "softmax" and node.args:
        yield "wrong-operand", "sigmoid for softmax", _called("sigmoid", node.args[0])


def before_softmax(node: ast.Call, given: Sequence[str]) -> Iterator[Rewrite]:
    """A mask or a scale before a softmax that the formula does not have."""
    if label(node) not in BEFORE_A_MASK or not node.args or isinstance(node.args[0], ast.Starred):
        return
    scores, rest = node.args[0], node.args[1:]
    for name, concerns in (("without_diagonal", "the diagonal is hidden"), ("causal", "later positions are hidden")):
        yield "mask", concerns, ast.Call(node.func, [_called(name, scores), *rest], node.keywords)
    for name in given[:1]:
        width = _called("sqrt", _called("size", ast.Name(name, ast.Load()), ast.Constant(-1)))
        yield (
            "extra",
            "a division by the root of a size",
            ast.Call(node.func, [ast.BinOp(scores, ast.Div(), width), *rest], node.keywords),
        )


def functions_exchanged(node: ast.Call) -> Iterator[Rewrite]:
    """Two functions of one argument, applied in the other order."""
    inner = node.args[0] if len(node.args) == 1 else None
    if not isinstance(inner, ast.Call) or len(inner.args) != 1:
        return
    names = [getattr(call.func, "id", "") for call in (node, inner)]
    if all(names) and names[0] != names[1]:
        first = ast.Call(node.func, inner.args, [])
        yield "order", f"{names[0]} and {names[1]}", ast.Call(inner.func, [first], [])


def is_size(node: ast.AST) -> bool:
    """Whether a part is the length of an axis or of a list."""
    if isinstance(node, ast.Call):
        return label(node) in ("len", "numel") and isinstance(node.func, ast.Name)
    return isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"


def other_sizes(given: Sequence[str]) -> Iterator[Rewrite]:
    """The lengths of the arguments."""
    for name in given:
        for axis in (0, -1):
            yield "wrong-operand", "another size", _called("size", ast.Name(name, ast.Load()), ast.Constant(axis))


def factors_exchanged(node: ast.BinOp) -> Iterator[Rewrite]:
    """C b + a d for a b + c d, and c (a + b) for a + c b."""
    if not isinstance(node.op, ast.Add | ast.Sub):
        return
    one, other = node.left, node.right
    match one, other:
        case ast.BinOp(a, ast.Mult(), b), ast.BinOp(c, ast.Mult(), d):
            yield "order", "two factors", ast.BinOp(ast.BinOp(c, ast.Mult(), b), node.op, ast.BinOp(a, ast.Mult(), d))
    if isinstance(other, ast.BinOp) and isinstance(other.op, ast.Mult | ast.Div):
        yield "order", "a step", ast.BinOp(ast.BinOp(one, node.op, other.left), other.op, other.right)
        if isinstance(other.op, ast.Mult):
            yield "order", "a step", ast.BinOp(other.left, other.op, ast.BinOp(one, node.op, other.right))


def later_function(node: ast.BinOp) -> Iterator[Rewrite]:
    """g(a + f(b)) for a + f(g(b)): a function after the sum in the place of before it."""
    outer = node.right
    if not (isinstance(outer, ast.Call) and len(outer.args) == 1 and isinstance(node.op, ast.Add)):
        return
    inner = outer.args[0]
    if isinstance(inner, ast.Call) and len(inner.args) == 1 and isinstance(inner.func, ast.Name):
        total = ast.BinOp(node.left, node.op, ast.Call(outer.func, inner.args, []))
        yield "order", label(inner), ast.Call(inner.func, [total], [])
