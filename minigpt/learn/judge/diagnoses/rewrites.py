"""What one node of a syntax tree can be changed into, each with the kind of mistake that it is."""

import ast
from collections.abc import Iterator
from typing import Any

#: Kind of mistake, what it is about, and what is put in the place of a node; ``None`` takes a statement out.
Rewrite = tuple[str, str, ast.AST | None]
TreePlace = tuple[ast.AST, str, int | None]
RENAMED = {
    "sum": [("mean", "scale")], "mean": [("sum", "scale")], "exp": [("exp2", "wrong-operand")],
    "log": [("log2", "scale"), ("log10", "scale")], "sin": [("cos", "order")],
    "cos": [("sin", "order")], "tril": [("triu", "mask")], "triu": [("tril", "mask")],
    "max": [("min", "wrong-operand")], "min": [("max", "wrong-operand")], "amax": [("amin", "wrong-operand")],
    "square": [("abs", "wrong-operand")],
    "norm": [("max", "wrong-operand"), ("sum", "order")],
    "tanh": [("sigmoid", "wrong-operand")], "softmax": [("log_softmax", "extra")],
    "log_softmax": [("softmax", "missing")], "cumsum": [("cumprod", "wrong-operand")],
}  # fmt: skip
KEYWORDS = {"unbiased": "scale", "correction": "scale", "scale": "extra"}
ALONG_AXES = ("dim", "axis", "dims", "keepdim", "keepdims")
#: Functions with an axis among their arguments.
TAKES_AXES = {"sum", "mean", "max", "min", "amax", "amin", "softmax", "log_softmax", "logsumexp", "norm", "var", "std"}
TAKES_AXES |= {"cumsum", "flip", "diff", "sort", "argsort", "argmax", "argmin", "gather", "stack", "cat", "concatenate"}
TAKES_AXES |= {"chunk", "split", "unsqueeze", "squeeze", "transpose", "swapaxes", "movedim", "moveaxis", "expand_dims"}
TAKES_AXES |= {"flatten", "unflatten", "repeat_interleave", "repeat", "narrow", "unbind", "index_select", "select"}
#: Functions whose number takes the place of what a mask hides.
MASKING = ("masked_fill", "masked_fill_", "where", "full", "full_like", "fill_", "fill_diagonal_")
OPPOSITE = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
NEXT_TO = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
CONTRARY = {
    ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq
}  # fmt: skip


def label(node: ast.AST) -> str:
    """A name for a part: that of a variable or a function, or "a step"."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name or "a step"
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return str(node.value)
    return "a step"


def of_operation(node: ast.BinOp) -> Iterator[Rewrite]:
    """An operand left out, the opposite operation, the operands exchanged, a function applied earlier."""
    is_factor = isinstance(node.op, ast.Mult | ast.Div)
    yield kind_without(node), label(node.right), node.left
    if isinstance(node.op, ast.Sub) and isinstance(node.left, ast.Constant):
        yield "wrong-operand", f"{label(node.right)} for {label(node.left)} - {label(node.right)}", node.right
    elif isinstance(node.op, ast.Add | ast.Mult | ast.MatMult | ast.Sub):
        yield ("scale" if is_factor and is_count(node.left) else "missing"), label(node.left), node.right
    if isinstance(node.op, ast.Div):
        yield "missing", label(node.left), ast.BinOp(ast.Constant(1), ast.Div(), node.right)
    if type(node.op) in OPPOSITE:
        yield (
            "sign",
            f"{label(node.left)} and {label(node.right)}".replace("a step", "…"),
            ast.BinOp(node.left, OPPOSITE[type(node.op)](), node.right),
        )
    if isinstance(node.op, ast.Sub | ast.Div | ast.MatMult | ast.Pow):
        turned = isinstance(node.op, ast.MatMult) and any(map(is_transpose, (node.left, node.right)))
        yield "transposed" if turned else "order", "a step", ast.BinOp(node.right, node.op, node.left)
    for one, other in ((node.left, node.right), (node.right, node.left)):
        inner = one
        if isinstance(inner, ast.Call) and inner.args and not isinstance(inner.args[0], ast.Starred):
            pair = [inner.args[0], other] if one is node.left else [other, inner.args[0]]
            within = ast.BinOp(pair[0], node.op, pair[1])
            yield "order", label(inner), ast.Call(inner.func, [within, *inner.args[1:]], inner.keywords)
        if isinstance(inner, ast.BinOp):
            pair = [inner.left, ast.BinOp(inner.right, node.op, other)]
            if one is node.left:
                yield "order", "a step", ast.BinOp(pair[0], inner.op, pair[1])
                yield "order", "a step", ast.BinOp(ast.BinOp(inner.left, node.op, other), inner.op, inner.right)
    if isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Pow):  # (1 - a)² for 1 - a²
        whole = ast.BinOp(node.left, node.op, node.right.left)
        yield "order", "a power", ast.BinOp(whole, ast.Pow(), node.right.right)
    yield from squared(node)


def kind_without(node: ast.BinOp) -> str:
    """What it is to leave out the right operand: of x / 2 a factor, of i + 1 a place."""
    if isinstance(node.op, ast.Mult | ast.Div) and is_count(node.right):
        return "scale"
    if isinstance(node.op, ast.Pow) and is_count(node.left) and not isinstance(node.left, ast.Constant):
        return "scale"  # the root or the square of a size
    one_more = isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.right, ast.Constant) and node.right.value == 1
    return "shift" if one_more else "missing"


def is_transpose(node: ast.AST) -> bool:
    """Whether a part is the transpose of another one."""
    return isinstance(node, ast.Attribute) and node.attr in ("T", "mT")


def is_count(node: ast.AST) -> bool:
    """Whether a part is a plain number, or a number of things."""
    if isinstance(node, ast.Call):
        return label(node) in ("len", "numel", "size")
    sized = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "shape"
    return sized or (isinstance(node, ast.Constant) and isinstance(node.value, int | float))


def squared(node: ast.BinOp) -> Iterator[Rewrite]:
    """Powers of each term where the power of a sum is meant, and the like."""
    if isinstance(node.op, ast.Pow) and isinstance(node.left, ast.BinOp):
        inner = node.left
        one, other = (ast.BinOp(side, ast.Pow(), node.right) for side in (inner.left, inner.right))
        yield "order", "a power", ast.BinOp(one, inner.op, other)
    if isinstance(node.op, ast.Pow):
        yield "wrong-operand", "a power", ast.Call(ast.Name("_abs", ast.Load()), [node.left], [])


def of_call(node: ast.Call) -> Iterator[Rewrite]:
    """A function left out, another one, other arguments, or the function within it applied last."""
    method = isinstance(node.func, ast.Attribute)
    name = label(node)
    plain = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
    if plain and name != "range":
        yield ("scale" if name == "sqrt" and is_count(plain[0]) else "missing"), name, plain[0]
    if isinstance(node.func, ast.Attribute) and not is_module(node.func.value):
        yield "missing", name, node.func.value
        inner = node.func.value
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) and not is_module(inner.func.value):
            first = ast.Call(ast.Attribute(inner.func.value, node.func.attr, ast.Load()), node.args, node.keywords)
            yield "order", name, ast.Call(ast.Attribute(first, inner.func.attr, ast.Load()), inner.args, inner.keywords)
    if len(plain) > 1:
        yield "order", name, ast.Call(node.func, [plain[1], plain[0], *node.args[2:]], node.keywords)
    for other, kind in RENAMED.get(name, []):
        func = ast.Attribute(node.func.value, other, ast.Load()) if method else ast.Name(other, ast.Load())  # type: ignore[attr-defined]
        yield kind, f"{other} for {name}", ast.Call(func, node.args, node.keywords)
    for i, keyword in enumerate(node.keywords):
        rest = [*node.keywords[:i], *node.keywords[i + 1 :]]
        kind = "axis" if keyword.arg in ALONG_AXES else KEYWORDS.get(keyword.arg or "", "order")
        yield kind, name, ast.Call(node.func, node.args, rest)
    if plain and isinstance(plain[0], ast.BinOp):
        within = plain[0]
        one, other_side = (ast.Call(node.func, [side, *node.args[1:]], node.keywords) for side in
                           (within.left, within.right))  # fmt: skip
        yield "order", name, ast.BinOp(one, within.op, within.right)
        yield "order", name, ast.BinOp(one, within.op, other_side)
        yield "order", name, ast.BinOp(within.left, within.op, other_side)
    if name == "range":
        yield from of_range(node)


def is_module(node: ast.AST) -> bool:
    """Whether a name is that of a library."""
    return (isinstance(node, ast.Name) and node.id in ("torch", "np", "math", "F")) or isinstance(node, ast.Attribute)


def of_range(node: ast.Call) -> Iterator[Rewrite]:
    """A range that begins or ends one place earlier or later."""
    last = node.args[1] if len(node.args) > 1 else node.args[0]
    first = node.args[0] if len(node.args) > 1 else ast.Constant(0)
    for start, stop in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1)):
        bounds = [plus(first, start), plus(last, stop)]
        yield ("shift" if start and stop else "border"), "range", ast.Call(node.func, [*bounds, *node.args[2:]], [])


def plus(node: Any, step: int) -> Any:
    """A number and a step more."""
    return ast.BinOp(node, ast.Add(), ast.Constant(step)) if step else node


def of_slice(node: ast.Slice) -> Iterator[Rewrite]:
    """A slice without its beginning or its end, or moved by one place."""
    if node.lower is not None:
        yield "border", "the beginning of a slice", ast.Slice(None, node.upper, node.step)
        for step in (1, -1):
            yield "border", "the beginning of a slice", ast.Slice(plus(node.lower, step), node.upper, node.step)
    if node.upper is not None:
        yield "border", "the end of a slice", ast.Slice(node.lower, None, node.step)
        for step in (1, -1):
            yield "border", "the end of a slice", ast.Slice(node.lower, plus(node.upper, step), node.step)


def of_constant(node: ast.Constant, place: TreePlace) -> Iterator[Rewrite]:
    """Another axis or another number."""
    above, value = place[0], node.value
    if isinstance(value, bool):
        kind = "scale" if isinstance(above, ast.keyword) and above.arg == "unbiased" else "order"
        yield kind, "a switch", ast.Constant(not value)
        return
    if not isinstance(value, int | float) or isinstance(above, ast.UnaryOp):
        return
    if isinstance(above, ast.Call) and label(above) in MASKING:
        yield from (("mask", "a condition", ast.Constant(other)) for other in (0.0, 1.0, -1.0) if other != value)
    along = isinstance(above, ast.Call) and label(above) in TAKES_AXES
    in_call = along or isinstance(above, ast.Tuple) or (isinstance(above, ast.keyword) and above.arg in ALONG_AXES)
    if in_call and isinstance(value, int) and -3 <= value <= 2:
        for other in (-1, 0, -2, 1, -3, None):
            if other != value:
                yield "axis", "another axis", ast.Constant(other)
    for step in (1, -1):
        yield ("shift" if isinstance(value, int) else "constant"), label(node), ast.Constant(value + step)


def of_comparison(node: ast.Compare) -> Iterator[Rewrite]:
    """A bound that is counted or not, and the contrary."""
    op, right = node.ops[0], node.comparators
    if type(op) in NEXT_TO:
        yield "border", "a comparison", ast.Compare(node.left, [NEXT_TO[type(op)]()], right)
    if type(op) in CONTRARY:
        yield "mask", "a comparison", ast.Compare(node.left, [CONTRARY[type(op)]()], right)
        yield "mask", "a comparison", ast.Compare(right[0], [op], [node.left])


def of_statement(node: ast.stmt, place: TreePlace) -> Iterator[Rewrite]:
    """A statement left out."""
    above, field, index = place
    if isinstance(node, ast.If):
        yield "missing", "one case", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "missing", "one case", ast.If(ast.Constant(False), node.body, node.orelse)
    elif (
        isinstance(node, ast.AugAssign | ast.Assign | ast.Expr) and index is not None and len(getattr(above, field)) > 1
    ):
        target = node.target if isinstance(node, ast.AugAssign) else getattr(node, "targets", [node])[0]
        yield "missing", label(target), None
