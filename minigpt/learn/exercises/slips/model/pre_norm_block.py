"""Mistakes with the wiring of a pre-norm block.

Dimensions: T positions, D width.
"""

from collections.abc import Callable

from torch import Tensor

from minigpt.learn.exercises.slips.mistakes import Mistakes

_mistake = Mistakes("pre_norm_block")
_Layer = Callable[[Tensor], Tensor]


@_mistake(
    "post-norm",
    "order",
    "You normalised the sums, after each residual addition: that is the post-norm block of 2017. In a pre-norm block "
    "the norms are inside the branches, before attention and before the MLP.",
    "归一化放在了每次残差相加之后，那是 2017 年的后归一化（post-norm）块。前归一化块把归一化放在分支内，在注意力和多层"
    "感知机之前。",
)
def _post_norm(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = norm_1(x + attention(x))
    return norm_2(h + mlp(h))


@_mistake(
    "no-residuals",
    "missing",
    "You chained the four functions without any residual connection. The input of each branch is added to its output.",
    "四个函数首尾相接，没有任何残差连接。每个分支的输出都要加上它的输入。",
)
def _no_residuals(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    return mlp(norm_2(attention(norm_1(x))))


@_mistake(
    "no-first-residual",
    "missing",
    "The residual around the attention is missing: h is x plus the attention branch.",
    "缺少注意力分支的残差连接：h 等于 x 加上注意力分支的输出。",
)
def _no_first_residual(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = attention(norm_1(x))
    return h + mlp(norm_2(h))


@_mistake(
    "no-second-residual",
    "missing",
    "The residual around the MLP is missing: the result is h plus the MLP branch.",
    "缺少多层感知机分支的残差连接：结果等于 h 加上多层感知机分支的输出。",
)
def _no_second_residual(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    return mlp(norm_2(x + attention(norm_1(x))))


@_mistake(
    "parallel",
    "wrong-operand",
    "You fed x into the second branch, so attention and MLP run in parallel. The MLP reads h, which already contains "
    "the output of the attention.",
    "第二个分支的输入用了 x，于是注意力与多层感知机成了并行。多层感知机读取的应是 h，其中已包含注意力的输出。",
)
def _parallel(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    return x + attention(norm_1(x)) + mlp(norm_2(x))


@_mistake(
    "second-residual-adds-x",
    "wrong-operand",
    "You added the original x at the second sum. The second residual starts from h, so that the attention branch is "
    "not lost.",
    "第二次相加时加的是最初的 x。第二个残差应从 h 出发，否则注意力分支的直接贡献就丢失了。",
)
def _adds_x(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    return x + mlp(norm_2(x + attention(norm_1(x))))


@_mistake(
    "residual-from-the-norm",
    "wrong-operand",
    "You took the residual after the norm, so the normalised vectors are added. The residual stream itself passes by "
    "unnormalised.",
    "残差取自归一化之后，加上的是归一化过的向量。残差流本身应不经归一化直接通过。",
)
def _from_the_norm(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    n = norm_1(x)
    m = norm_2(n + attention(n))
    return m + mlp(m)


@_mistake(
    "no-second-norm",
    "missing",
    "You fed h into the MLP without the second norm. Each of the two branches begins with a norm of its own.",
    "h 未经第二个归一化就送入了多层感知机。两个分支都应以各自的归一化开头。",
)
def _no_second_norm(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(norm_1(x))
    return h + mlp(h)


@_mistake(
    "no-first-norm",
    "missing",
    "You fed x into the attention without the first norm. The attention branch begins with norm 1.",
    "x 未经第一个归一化就送入了注意力。注意力分支应以归一化 1 开头。",
)
def _no_first_norm(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(x)
    return h + mlp(norm_2(h))


@_mistake(
    "first-norm-twice",
    "wrong-operand",
    "You used norm 1 in both branches. The MLP branch has a norm of its own, norm 2, with other parameters.",
    "两个分支都用了归一化 1。多层感知机分支有自己的归一化 2，参数不同。",
)
def _first_norm_twice(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(norm_1(x))
    return h + mlp(norm_1(h))


@_mistake(
    "norms-exchanged",
    "order",
    "You exchanged the two norms. Norm 1 belongs to the attention, norm 2 to the MLP.",
    "两个归一化互换了。归一化 1 属于注意力，归一化 2 属于多层感知机。",
)
def _norms_exchanged(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(norm_2(x))
    return h + mlp(norm_1(h))


@_mistake(
    "mlp-first",
    "order",
    "You applied the MLP before the attention. The block attends first, and then the MLP works on each position.",
    "先用了多层感知机，后用注意力。块中应先做注意力，再由多层感知机处理每个位置。",
)
def _mlp_first(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + mlp(norm_1(x))
    return h + attention(norm_2(h))


@_mistake(
    "norm-at-the-end-of-the-branch",
    "order",
    "You normalised the outputs of attention and MLP before adding them. The norm stands at the beginning of the "
    "branch, on its input.",
    "归一化作用在了注意力与多层感知机的输出上，然后再相加。归一化应位于分支的开头，作用在输入上。",
)
def _norm_last(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + norm_1(attention(x))
    return h + norm_2(mlp(h))


@_mistake(
    "no-norms",
    "missing",
    "You left both norms out and kept the residuals. Attention and MLP each read a normalised copy of the stream.",
    "保留了残差，但两个归一化都漏掉了。注意力与多层感知机读取的都是残差流归一化之后的副本。",
)
def _no_norms(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(x)
    return h + mlp(h)


@_mistake(
    "x-added-twice",
    "extra",
    "You added x again in the second sum, although h already contains it. The second sum has two terms: h and the MLP "
    "branch.",
    "第二次相加时又加了一次 x，而 h 中已经包含 x。第二个和只有两项：h 与多层感知机分支。",
)
def _x_twice(x: Tensor, norm_1: _Layer, attention: _Layer, norm_2: _Layer, mlp: _Layer) -> Tensor:
    h = x + attention(norm_1(x))
    return x + h + mlp(norm_2(h))


PRE_NORM_BLOCK_MISTAKES = tuple(_mistake.found)
