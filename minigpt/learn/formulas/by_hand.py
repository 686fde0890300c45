"""A derivative that was worked out by hand, held against the numerical derivative of the equation."""

from collections.abc import Sequence

import numpy as np

from minigpt.equations import Equation, EquationError
from minigpt.equations.board import number, plain_name
from minigpt.learn.exercises.draw import SmallDraw
from minigpt.learn.formulas import sentences
from minigpt.learn.formulas.derivative import Drawn, cases, extended
from minigpt.learn.formulas.evidence import Slip, WorkedOut, near
from minigpt.learn.formulas.reading import Reading, fitting, readings, values_at
from minigpt.learn.formulas.slips import find
from minigpt.learn.judge.layout import Paragraph
from minigpt.learn.judge.reply import Reply
from minigpt.settings import shown
from minigpt.settings.language import Language, language

#: So many draws are always compared, and further ones up to so many entries of derivatives.
N_ENOUGH_DRAWS, MAX_ENTRIES = 3, 150
#: Draws of whole numbers that are tried for an example.
N_SMALL_CASES = 3
#: A derivative with larger entries is no example to look at.
TOO_LARGE_TO_SHOW = 50


def derivative_by_hand(
    equation: str, symbol: str, latex: str, lang: str | None = None, *, where: Sequence[str] = ()
) -> Reply:
    r"""Whether a derivative worked out by hand is right, and if it isn't, what went wrong and where it first differs.

    The formula may use everything that the registered equation names, with its own indices, such as
    ``p_i - y_i``. Unbound letters are the indices of the derivative: those of the result first, then those of the
    symbol. A left side, ``\frac{\partial L}{\partial W_{jd}} = …``, says the order of the indices.

    Args:
        equation: the name of a registered equation, such as "cross-entropy-from-logits".
        symbol: with respect to which, as LaTeX: ``z``.
        latex: the derivative.
        lang: "en" or "zh"; the locale decides if it is left out.
        where: definitions that it uses; they may also follow it, each after ``\text{where }``.

    Raises:
        EquationError: at the place of the formula that cannot be read or evaluated.
        ValueError: if there is no such equation, or it has no derivative with respect to the symbol.
    """
    _refuse_what_is_no_text(equation, symbol, latex, where)
    spoken = language(lang)
    whole = _equation_called(equation, spoken)
    output = whole.outputs[-1]
    drawn = cases(whole, output)
    _refuse(equation, symbol, drawn[0], spoken)
    n_entries = np.cumsum([np.size(each.values[symbol]) * each.result({}).size for each in drawn])
    drawn = [each for i, each in enumerate(drawn) if i < N_ENOUGH_DRAWS or n_entries[i] <= MAX_ENTRIES]
    try:
        expected = [each.derivative(symbol) for each in drawn]
    except EquationError as error:  # of the equation, not of the formula
        why = str(error).partition("\n")[0]
        raise ValueError(f"{equation} can't be differentiated with respect to {shown(symbol)}: {why}") from None
    found = readings(latex, where, drawn[0], symbol)
    fits = fitting(found, drawn, expected)
    chosen = fits or found[:1]
    for reading in chosen:
        evidence = WorkedOut(symbol, drawn, values_at(reading, drawn, expected), expected)
        if evidence.is_right:
            return _right(evidence, reading, spoken)
    first = WorkedOut(symbol, drawn, values_at(chosen[0], drawn, expected), expected)
    return _wrong(first, chosen[0], spoken)


def _equation_called(name: str, lang: Language) -> Equation:
    try:
        return extended(name)
    except ValueError as error:
        near = str(error).partition("did you mean ")[2].rstrip("?").replace("one of ", "").replace(" or ", "、")
        told = sentences.NO_EQUATION.zh.format(name=name, near=near) if lang == "zh" else str(error)
        raise ValueError(told) from None


def _refuse_what_is_no_text(equation: object, symbol: object, latex: object, where: object) -> None:
    for name, value in {"equation": equation, "symbol": symbol, "latex": latex}.items():
        if not isinstance(value, str):
            raise ValueError(
                f"{name} must be a text, got {shown(value)}; such as "
                'gradient("cross-entropy-from-logits", "z", "p_i - y_i")'
            )
    if not isinstance(where, list | tuple) or not all(isinstance(each, str) for each in where):
        raise ValueError(f"where must be a list of texts, one for each definition, got {shown(where)}")


def _refuse(equation: str, symbol: str, drawn: Drawn, lang: Language) -> None:
    if symbol not in drawn.symbols:
        names = ("、" if lang == "zh" else ", ").join(drawn.symbols)
        whole = sentences.WHOLE_SYMBOL[lang] if symbol in drawn.whole else ""
        told = sentences.NO_SYMBOL[lang]
        raise ValueError(told.format(equation=equation, symbol=shown(symbol), whole=whole, names=names))


def derivative_name(evidence: WorkedOut, reading: Reading, at: Sequence[int] | None = None) -> str:
    """The derivative as text, ``∂L/∂z_i``, with the letters of a reading or with an entry's indices in their place."""
    drawn = evidence.drawn[0]
    n_result = drawn.result({}).ndim
    letters: Sequence[object] = at if at is not None else reading.letters or ()
    above, below = (_indexed(part) for part in (letters[:n_result], letters[n_result:]))
    return f"∂{plain_name(drawn.output)}{above}/∂{plain_name(evidence.symbol)}{below}"


def _indexed(indices: Sequence[object]) -> str:
    comma = "," if any(isinstance(index, int) for index in indices) else ""
    return f"_{comma.join(map(str, indices))}" if indices else ""


def _right(evidence: WorkedOut, reading: Reading, lang: Language) -> Reply:
    says = sentences.RIGHT_DERIVATIVE[lang].format(n=len(evidence.drawn))
    if reading.letters:
        says += ("" if lang == "zh" else " ") + sentences.READ_AS[lang].format(name=derivative_name(evidence, reading))
    return Reply(exercise=_asked(evidence), right=True, id="right", says=says, lang=lang)


def _asked(evidence: WorkedOut) -> str:
    return f"∂{plain_name(evidence.drawn[0].output)}/∂{plain_name(evidence.symbol)}"


def _wrong(evidence: WorkedOut, reading: Reading, lang: Language) -> Reply:
    finite = all(np.isfinite(value).all() for value in evidence.found)
    slip = find(evidence) if finite else Slip("gradient.not-finite", "unstable", sentences.NOT_FINITE)
    slip = slip or Slip("gradient.values", "", sentences.UNKNOWN_SLIP)
    parts = [Paragraph(sentences.PARTS_AT[lang]), Paragraph(_place(evidence, reading, lang), is_block=True)]
    return Reply(
        exercise=_asked(evidence), right=False, id=slip.id, kind=slip.kind, says=slip.says[lang], parts=tuple(parts),
        lang=lang,
    )  # fmt: skip


def _place(evidence: WorkedOut, reading: Reading, lang: Language) -> str:
    """The inputs of the smallest draw at which the two differ, the first entry that differs, and both values."""
    drawn, found, expected = _smallest(evidence, reading)
    inputs = {name: value for name, value in drawn.given.items() if not callable(value)}
    lines = [f"{plain_name(name)} = {number(value)}" for name, value in inputs.items()]
    colon, comma = ("：", "，") if lang == "zh" else (": ", ", ")
    if found.shape == expected.shape:
        at = tuple(map(int, np.argwhere(~np.isclose(found, expected, rtol=1e-6, atol=1e-9))[0]))
        name = derivative_name(evidence, reading, [i + 1 for i in at])
        yours = f"{sentences.YOURS[lang]} {number(found[at])}"
        lines.append(f"{name}{colon}{yours}{comma}{sentences.NUMERICAL[lang]} {number(expected[at])}")
    else:
        lines.append(sentences.TWO_SHAPES[lang].format(yours=found.shape, derivative=expected.shape))
    return "\n".join(lines)


def _smallest(evidence: WorkedOut, reading: Reading) -> tuple[Drawn, np.ndarray, np.ndarray]:
    """Whole numbers if the two differ there; else the first draw at which they differ."""
    first = evidence.drawn[0]
    for drawn in cases(first.equation, first.output, SmallDraw)[:N_SMALL_CASES]:
        try:
            expected = drawn.derivative(evidence.symbol)
            found = values_at(reading, [drawn], [expected])[0]
        except EquationError:
            continue
        if np.abs(expected).max(initial=0) < TOO_LARGE_TO_SHOW and not near(found, expected):
            return drawn, found, expected
    triples = zip(evidence.drawn, evidence.found, evidence.expected, strict=True)
    return next(each for each in triples if not near(each[1], each[2]))
