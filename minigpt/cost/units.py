"""Numbers as people read them: 124 M, 2.3 GB, 3.4 days."""

from minigpt.settings.language import Language

SI_PREFIXES = (
    (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k"), (1.0, " "), (1e-3, " m"), (1e-6, " µ"), (1e-9, " n"),
    (0.0, " "),
)  # fmt: skip
COUNT_UNITS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
BYTE_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))
YEAR = 86400 * 365.25  # seconds
TIME_SCALES = ((YEAR, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"), (1, "seconds"))

CHINESE_TIMES = {
    "years": "年",
    "days": "天",
    "hours": "小时",
    "minutes": "分钟",
    "seconds": "秒",
    "ms": "毫秒",
    "µs": "微秒",
}


def shown_count(number: float) -> str:
    """A number of things, such as ``300 B``.

    Args:
        number: at least 0.
    """
    return _with_unit(number, COUNT_UNITS, "")


def shown_bytes(number: float) -> str:
    """A number of bytes, such as ``1.5 GB``; a kB is 1,000 bytes.

    Args:
        number: at least 0.
    """
    return _with_unit(number, BYTE_UNITS, "bytes")


def shown_si(number: float, unit: str) -> str:
    """A number of a unit with its prefix, such as ``120 kWh``.

    Args:
        number: at least 0.
        unit: without a prefix, such as ``Wh``.
    """
    factor, prefix = next((f, p) for f, p in SI_PREFIXES if number >= f)
    return f"{three_digits(number / (factor or 1.0))}{prefix}{unit}"


def shown_seconds(seconds: float, lang: Language = "en") -> str:
    """A time in a unit that suits it, such as ``3.4 days``, ``1 second`` or ``20 µs``.

    Args:
        seconds: at least 0.
        lang: of the unit.
    """
    short = TIME_SCALES[-1] if seconds >= 1 else (1e-3, "ms") if seconds >= 1e-3 or not seconds else (1e-6, "µs")
    factor, unit = next(((f, u) for f, u in TIME_SCALES if seconds >= 1.5 * f), short)
    number = three_digits(seconds / factor)
    if lang == "zh":
        return f"{number} {CHINESE_TIMES[unit]}"
    return f"{number} {unit.removesuffix('s') if number == '1' and len(unit) > 2 else unit}"


def shown_dollars(dollars: float) -> str:
    """A price, such as ``$1,230``; cents below ten dollars, ``< $0.01`` below a cent.

    Args:
        dollars: at least 0.
    """
    if 0 < dollars < 0.01:
        return "< $0.01"
    return f"${dollars:,.2f}" if dollars < 10 else f"${float(f'{dollars:.3g}'):,.0f}"


def three_digits(number: float) -> str:
    """A number with three digits, without an exponent where it is not very small or large.

    Args:
        number: any.
    """
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if 100 <= abs(rounded) < 1e15 else f"{rounded:.3g}"


def _with_unit(number: float, units: tuple[tuple[float, str], ...], smallest: str) -> str:
    factor, unit = next(((f, u) for f, u in units if number >= f), (1.0, smallest))
    return f"{three_digits(number / factor)} {unit}".rstrip()
