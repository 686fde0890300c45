"""What is said of a formula, in both languages."""

from minigpt.learn.exercises.exercise import Words

WHOLE_SYMBOL = Words(", which is a whole number: a length, an index or a bound", "（它是整数：长度、下标或上下界）")
NO_EQUATION = Words("no equation {name!r}; did you mean {near}?", "没有名为 {name!r} 的公式；是不是 {near}？")
NO_SYMBOL = Words(
    "{equation} has no derivative with respect to {symbol}{whole}; it has one for each of {names}",
    "{equation} 没有对 {symbol} 的导数{whole}；可以求导的变量有 {names}",
)
RIGHT_DERIVATIVE = Words(
    "It equals the numerical derivative of the equation at {n} random draws.",
    "在 {n} 组随机取值上，它都等于该公式的数值导数。",
)
READ_AS = Words("It was read as {name}.", "按 {name} 来理解。")
PARTS_AT = Words("They first differ here:", "最先不同之处：")
YOURS = Words("yours", "你的结果")
NUMERICAL = Words("the derivative", "导数")
TWO_SHAPES = Words("shape: yours {yours}, the derivative {derivative}", "形状：你的结果 {yours}，导数 {derivative}")
UNKNOWN_SLIP = Words("It isn't the derivative of the equation.", "这不是该公式的导数。")
NOT_FINITE = Words("Your formula has entries that are not finite numbers.", "你的公式有非有限的值。")

SIGN = Words("Every entry has the opposite sign.", "每一项的符号都相反。")
MISSING_SUM = Words(
    "An index is left over: summed over it, your formula is the derivative. A symbol that is used in several terms "
    "collects the derivatives of all of them.",
    "多出了一个指标：对它求和之后就是所求导数。一个符号出现在多项里时，各项的导数要加起来。",
)
MISSING_SUM_AND = Words(
    "An index is left over that has to be summed over. And one thing more:", "多出了一个指标，应当对它求和。此外："
)
EXTRA_SUM = Words(
    "You summed over an index that the derivative keeps: it has one entry for each entry of the symbol.",
    "你对导数应当保留的指标求了和：符号的每一个分量都对应导数的一个分量。",
)
AXES = Words(
    "The derivative has an entry for each entry of the result and each of the symbol; your formula has another shape.",
    "导数的形状由结果的形状和符号的形状组成；你的公式的形状与此不同。",
)
TRANSPOSED = Words(
    "The axes are exchanged: transposed, your formula is the derivative.", "轴的次序互换了：转置之后就是所求导数。"
)
FACTOR_MISSING = Words("The factor {factor} is missing.", "少了因子 {factor}。")
FACTOR_EXTRA = Words("The factor {factor} is too much.", "多了因子 {factor}。")
MEAN_MISSING = Words("The mean is missing: a factor 1/{factor}.", "少了求平均：还应有因子 1/{factor}。")
MEAN_EXTRA = Words(
    "There is a mean that the equation doesn't take: a factor 1/{factor} too much.",
    "多求了一次平均：多了因子 1/{factor}。",
)
AND_SIGN = Words("And the sign is the opposite.", "而且符号相反。")
NOT_CHAINED = Words(
    "This is the derivative with respect to {other}. The chain rule goes on: {other} depends on {symbol}, and its "
    "derivative is a further factor.",
    "这是对 {other} 的导数。链式法则还没有用完：{other} 依赖于 {symbol}，还要乘上它的导数。",
)
OTHER_SYMBOL = Words(
    "This is the derivative with respect to {other}; asked for was that with respect to {symbol}.",
    "这是对 {other} 的导数；要求的是对 {symbol} 的导数。",
)
AS_CONSTANT = Words(
    "Kept constant, though it depends on {symbol}: {names}. That path is missing.",
    "把 {names} 当成了常数，但它也依赖于 {symbol}：少了这条路径上的导数。",
)
ONE_PATH = Words(
    "Only the path through {names} is there; {symbol} also acts on the result directly.",
    "只算了经过 {names} 的路径；{symbol} 还直接影响结果。",
)
ONLY_DIAGONAL = Words(
    "Only the diagonal of the Jacobian of {name} is used; every entry of the symbol changes every entry of {name}.",
    "只用了 {name} 的雅可比矩阵的对角线；而符号的每个分量都会影响 {name} 的每个分量。",
)
NO_DIAGONAL = Words(
    "The Jacobian of {name} is used without its diagonal part, where both indices are equal.",
    "{name} 的雅可比矩阵少了对角线部分，即两个指标相等的那一部分。",
)
TERM = Words(
    "Your formula differs from the derivative by {term} alone: a term is missing or too much.",
    "你的公式与导数恰好相差 {term}：少了一项或多了一项。",
)
TERM_SIGN = Words("The term {term} has the opposite sign.", "{term} 这一项的符号相反。")
CONSTANT = Words("Every entry is off by {number}.", "每一项都相差 {number}。")
