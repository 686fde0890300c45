r"""Characters that LaTeX does not have, and what to write for each: ``\epsilon`` for ε, ``\le`` for ≤, ``^2`` for ²."""

from __future__ import annotations

import re
import unicodedata

from minigpt.equations.errors import EquationError

GREEK_AND_SIGNS = (
    "alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega "
    "Gamma Delta Theta Lambda Sigma Phi Psi Omega sum prod le ge ne infty partial"
)
#: The word of a macro to the character that shows it.
SIGNS = dict(zip(GREEK_AND_SIGNS.split(), "αβγδεζηθκλμνξπρστφχψωΓΔΘΛΣΦΨΩΣΠ≤≥≠∞∂", strict=True))
_WRITTEN = {
    **{sign: rf"\{word}" for word, sign in SIGNS.items()},
    **dict.fromkeys("·⋅∙•", r"\cdot"),
    **dict.fromkeys("−–—‒", "-"),
    **dict.fromkeys("‖∥", r"\lVert x \rVert"),
    **dict.fromkeys("⊤ᵀᵗ", r"^\top"),
    **dict.fromkeys("’′", "'"),
    **dict.fromkeys("…⋯", r"\sum or \prod with its bounds"),
    **dict.fromkeys("⩽≦", r"\le"),
    **dict.fromkeys("⩾≧", r"\ge"),
    "Σ": r"\sum for a sum, \Sigma for a name",
    "∑": r"\sum",
    "∏": r"\prod",
    "×": r"\cdot, or \odot for a product of elements",
    "÷": r"\frac{a}{b} or a / b",
    "∕": "/",
    "⊙": r"\odot",
    "√": r"\sqrt{x}",
    "⌈": r"\lceil x \rceil",
    "⌊": r"\lfloor x \rfloor",
    "𝟙": r"\mathbb{1}[i = j]",
    "ı": "i",
    "ȷ": "j",
}
#: What a string without an r before it makes of a macro: ``\f`` of ``\frac`` becomes one character.
_ESCAPED = re.compile(r"[\a\b\f\v]|\t(?=heta|au|anh|imes|op|ext|frac)|\r(?=ho|ight|Vert|vert)|\n(?=abla|eq\b)")
_LETTERS = {"\a": "a", "\b": "b", "\f": "f", "\v": "v", "\t": "t", "\r": "r", "\n": "n"}
_NAMES = r"names are letters, such as x, \alpha or \mathrm{loss}"


def refuse_foreign(text: str) -> None:
    """Refuse the first character that LaTeX does not have.

    Args:
        text: a formula.

    Raises:
        EquationError: at the character, with what to write for it.
    """
    if escaped := _ESCAPED.search(text):
        macro = _LETTERS[escaped[0]] + re.findall("[a-zA-Z]*", text[escaped.end() :])[0]
        message = rf"Python read the \{macro[0]} of \{macro} as one character"
        raise EquationError(f'{message}; write r before the string: r"…"', text, escaped.start())
    for position, sign in enumerate(text):
        if not (sign.isascii() and sign.isprintable()) and not sign.isspace():
            raise EquationError(_advice(sign), text, position)


def _advice(sign: str) -> str:
    if not sign.isprintable() or unicodedata.combining(sign):
        return f"the invisible character U+{ord(sign):04X} is not read; delete it"
    plain = unicodedata.normalize("NFKC", sign)
    script = {"<super>": "^", "<sub>": "_"}.get(unicodedata.decomposition(sign).split(" ")[0], "")
    better = _WRITTEN.get(sign) or _WRITTEN.get(plain, plain)
    if better.isascii() and better.isprintable():
        return f"{sign} is not LaTeX; write {script * (sign not in _WRITTEN)}{better}"
    return f"{sign} is not LaTeX; {_NAMES}" if sign.isalpha() else f"{sign} is not LaTeX; delete it or write its macro"
