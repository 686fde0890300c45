"""The printed table of an estimate, in the language of the locale."""

import re
import textwrap
from typing import Any

from minigpt.cost.hardware import Cluster
from minigpt.cost.machine import Machine
from minigpt.cost.units import shown_bytes, shown_count, shown_dollars, shown_seconds, shown_si, three_digits
from minigpt.settings.language import Bilingual, columns_of, filled, language

TABLE_COLUMNS = 80
WHOLE_HOURS = (1e4, 1e9)  # of one device: from where to where they are shown whole
LEAST_HOURS = 0.1  # of one device that are shown in hours
Line = tuple[str, str, str]  # what, how much, and what that means

_MODEL, _TOKENS, _MEMORY = Bilingual("model", "模型"), Bilingual("tokens", "词元"), Bilingual("memory", "内存")
_PARAMETERS, _FLOPS = Bilingual("parameters", "参数量"), Bilingual("training FLOPs", "训练 FLOPs")
_CACHE, _TIME = Bilingual("KV cache", "KV 缓存"), Bilingual("time", "时间")
_PRICE, _ENERGY, _UNKNOWN = Bilingual("price", "价格"), Bilingual("energy", "能耗"), Bilingual("unknown", "未知")
_SHAPE = Bilingual("{} × {}, context {:,}, vocabulary {:,}", "{} × {}，上下文 {:,}，词表 {:,}")
_BLOCKS = Bilingual("{} without embeddings", "不含嵌入为 {}")
_BEST = Bilingual("best for the size, by Chinchilla's table", "按 Chinchilla 的表，对该规模最优")
_GIVEN, _RATIO = Bilingual("as given", "按给定值"), Bilingual("{}; {} a parameter", "{}；每个参数 {} 个词元")
_EACH = Bilingual("{} a token", "每个词元 {}")
_PARTS = Bilingual(
    "weights {}, gradients {}, moments {}, activations {}; ", "权重 {}，梯度 {}，优化器状态 {}，激活值 {}；"
)
_SEQUENCES = Bilingual("{} sequence{} at once, {}{}", "一次 {0} 个序列，{2}{3}")
_MIXED = Bilingual(" mixed precision", " 混合精度")
_FULL = Bilingual("of one full context, in 16 bits", "一个完整上下文，16 位")
_MEASURED = Bilingual("{}, measured", "{}，实测")
_PEAK = Bilingual("{} at {:.0%} of {} {} peak", "{0}，达到其 {3} 峰值的 {1:.0%}")
_DEVICE_TIME = Bilingual("{} of one device", "单个设备 {}")
_HOURS = Bilingual("{} hours", "{} 小时")
_ASK = Bilingual("{}; give dollars an hour as price", "{}；请用 price 给出每小时的美元价格")
_AT, _READ = Bilingual("{} at ${:,.2f}", "{}，每小时 ${:,.2f}"), Bilingual(", read {}", "，价格读取于 {}")
_UP_TO = Bilingual("; up to ${:,.2f} elsewhere", "；其他地方最高 ${:,.2f}")
_POWER = Bilingual("{:g} W a device, PUE {:g}; CO₂ at {:g} kg/kWh", "每个设备 {:g} W，PUE {:g}；CO₂ 按 {:g} kg/kWh 计")


def table_rows(made: Any) -> list[Line]:
    """The table: what, how much, and what that means.

    Args:
        made: an :class:`~minigpt.cost.estimates.Estimate`.
    """
    config, step, plan = made.config, made.step_memory, made.assumptions.plan
    assert plan is not None
    a_parameter = made.tokens / made.parameters
    ratio = f"{a_parameter:,.0f}" if a_parameter >= 100 else three_digits(a_parameter)
    sizes = (step.weights, step.gradients, step.moments, made.activations)
    mixed = _MIXED.spoken() if plan.precision != "fp32" else ""
    at_once = _SEQUENCES.spoken().format(plan.n_sequences, "s" * (plan.n_sequences > 1), plan.precision, mixed)
    shape = (config.n_layers, config.d_model, config.context_length, config.vocab_size)
    source = (_BEST if made.are_best else _GIVEN).spoken()
    flops = made.training_flops
    blocks = shown_count(made.parts.non_embedding)
    return [
        (_MODEL.spoken(), _SHAPE.spoken().format(*shape), ""),
        (_PARAMETERS.spoken(), f"{made.parameters:,}", _BLOCKS.spoken().format(blocks)),
        (_TOKENS.spoken(), shown_count(made.tokens), _RATIO.spoken().format(source, ratio)),
        (_FLOPS.spoken(), f"{flops:.3g}", _EACH.spoken().format(shown_count(flops / made.tokens))),
        (_MEMORY.spoken(), shown_bytes(made.memory), _PARTS.spoken().format(*map(shown_bytes, sizes)) + at_once),
        (_CACHE.spoken(), shown_bytes(made.cache), _FULL.spoken()),
        *_time_rows(made),
    ]


def _time_rows(made: Any) -> list[Line]:
    if made.seconds is None or made.on is None:
        return []
    time = shown_seconds(made.seconds, language())
    if isinstance(made.on, Machine):
        return [(_TIME.spoken(), time, _MEASURED.spoken().format(made.on))]
    whose = "its" if made.on.count == 1 else "their"
    note = _PEAK.spoken().format(str(made.on), made.assumptions.mfu, whose, made.on.device.precision)
    return [(_TIME.spoken(), time, note), *_bill_rows(made)]


def _bill_rows(made: Any) -> list[Line]:
    assert made.bill is not None and isinstance(made.on, Cluster)
    bill, device, site = made.bill, made.on.device, made.assumptions.site
    few = bill.device_hours < LEAST_HOURS
    are_whole = WHOLE_HOURS[0] <= bill.device_hours < WHOLE_HOURS[1]
    number = f"{bill.device_hours:{',.0f' if are_whole else ',.4g'}}"
    hours = shown_seconds(3600 * bill.device_hours, language()) if few else _HOURS.spoken().format(number)
    hours = _DEVICE_TIME.spoken().format(hours)
    rows = [(_PRICE.spoken(), _UNKNOWN.spoken(), _ASK.spoken().format(hours))]
    if made.price is not None:
        at = _AT.spoken().format(hours, made.price)
        if made.assumptions.price is None and device.dollars_per_hour is not None:
            high = device.dollars_per_hour[1]
            at += _READ.spoken().format(device.priced.partition(",")[0])
            at += _UP_TO.spoken().format(high) if high > made.price else ""
        rows = [(_PRICE.spoken(), shown_dollars(bill.dollars), at)]
    if device.watts is not None:
        at = _POWER.spoken().format(device.watts, site.pue, site.kg_per_kwh)
        rows.append((_ENERGY.spoken(), shown_si(1000 * bill.kilowatt_hours, "Wh"), at))
        rows.append(("CO₂", shown_si(1000 * bill.kilograms, "g"), ""))
    return rows


def in_lines(rows: list[Line]) -> str:
    """The rows in 80 columns.

    Args:
        rows: of :func:`table_rows`.
    """
    first, second = (max(columns_of(row[i]) for row in rows[1:]) for i in (0, 1))
    lines = []
    for a, b, note in rows:
        start, *more = _wrapped(note, TABLE_COLUMNS - first - second - 4)
        lines += [f"{filled(a, first)}  {filled(b, second)}  {start}".rstrip()]
        lines += [" " * (first + second + 4) + line for line in more]
    return "\n".join(lines)


def _wrapped(note: str, width: int) -> list[str]:
    """A note in lines, which end behind a semicolon where they can."""
    lines = [""]
    for part in re.split(r"(?<=；)|(?<=，)", note) if re.search("[；，]", note) else re.split(r"(?<=;) ", note):
        blank = "" if not lines[-1] or lines[-1][-1] in "；，" else " "
        if lines[-1] and columns_of(lines[-1] + blank + part) > width:
            lines.append("")
            blank = ""
        whole = lines.pop() + blank + part
        lines += [whole] if columns_of(whole) <= width else textwrap.wrap(whole, width)
    return lines
