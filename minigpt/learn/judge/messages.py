"""What the judge says when a call did not give a result that can be compared, and around a diagnosis."""

import re
from typing import Any

from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.notes import result_names
from minigpt.learn.judge.attempts import Outcome
from minigpt.learn.judge.compare import Call, unchanged
from minigpt.learn.judge.found import Found
from minigpt.learn.judge.places import entry_details, number_text, shape_text
from minigpt.settings.language import Language

#: What can be wrong with a call, in the order in which it is said.
RUNNING = ("processes", "loading", "timeout", "slow", "died", "garbage", "exception")
FAULTS = (*RUNNING, "none", "structure", "ragged", "shape", "dtype", "nan", "changed", "random", "values")
#: Those that are reported as they are, without a diagnosis of the values.
FAILURES = (*RUNNING, "none", "structure", "ragged", "changed", "random")

SENTENCES = {
    "loading": Words("It could not be read: {error}.", "无法读取：{error}。"),
    "timeout": Words(
        "It did not return within {limit:g} seconds and was stopped; look for a loop that never ends, or for far more "
        "work than the task needs.",
        "运行超过 {limit:g} 秒，已被停止；请检查是否有不会结束的循环，或计算量远超所需。",
    ),
    "slow": Words(
        "All calls together took more than {limit:g} seconds and were stopped; each has to be faster.",
        "全部调用共耗时超过 {limit:g} 秒，已被停止；请加快每次调用。",
    ),
    "processes": Words(
        "It started another process with fork; the function should compute its result in its own process.",
        "它用 fork 启动了另一个进程；函数应在自己的进程中计算结果。",
    ),
    "died": Words("It ended its own process{code}, so there is no result.", "它结束了自己的进程{code}，因此没有结果。"),
    "garbage": Words(
        "What it sent back is not readable as a result; the function should only return it.",
        "返回的内容无法作为结果读取；函数只需要返回结果。",
    ),
    "exception": Words("It raised {error}.", "运行时出现异常 {error}。"),
    "not-written": Words(
        "The function is not written yet: replace the line that raises NotImplementedError.",
        "函数尚未编写：请替换引发 NotImplementedError 的那一行。",
    ),
    "none": Words("It returned None: a line with return is missing.", "它返回了 None：缺少 return 语句。"),
    "printed": Words(
        "It printed its result instead of returning it.", "它把结果打印了出来，而没有返回。"
    ),
    "structure": Words("It returned {got}; what is wanted is {wanted}.", "它返回了{got}；需要的是{wanted}。"),
    "ragged": Words(
        "It returned {got}, or a list whose rows have different lengths; what is wanted is {wanted}.",
        "它返回了{got}，或各行长度不同的列表；需要的是{wanted}。",
    ),
    "shape": Words("The result has shape {got}; the formula gives {wanted}.", "结果形状是 {got}；公式给出 {wanted}。"),
    "dtype": Words("The result has the dtype {got}; it should be {wanted}.", "结果类型是 {got}；应为 {wanted}。"),
    "nan": Words(
        "The result has NaN{at}, where the formula gives {wanted}.", "结果{at}是 NaN，而公式给出 {wanted}。"
    ),
    "changed": Words(
        "It changes its input {name}; what the caller gave should stay as it was, so work on a copy.",
        "它修改了输入 {name}；调用者传入的数据应保持不变，请在副本上操作。",
    ),
    "random": Words(
        "The same call gave two different results; the result should follow from the inputs alone.",
        "同样的调用给出了两个不同的结果；结果应只取决于输入。",
    ),
    "values": Words(
        "{at} result is {got}, where the formula gives {wanted}.", "{at}结果是 {got}，而公式给出 {wanted}。"
    ),
}  # fmt: skip
#: What to do about an exception, by its type, and about a result that is no array, by its type.
REMEDIES = {
    "SystemExit": Words("a function ends with return, not with exit", "函数应以 return 结束，而不是 exit"),
    "EOFError": Words("there is nobody to type an input", "这里没有人输入"),
    "BdbQuit": Words("remove breakpoint()", "请删去 breakpoint()"),
    "coroutine": Words("write def in place of async def", "请用 def 代替 async def"),
    "async_generator": Words("write return in place of yield, and def", "请用 return 代替 yield，并用 def 定义"),
    "generator": Words("write return in place of yield, or put it into a list", "请用 return 代替 yield，或转换成列表"),
    "function": Words("call it, and return what it gives", "请调用它并返回所得的值"),
    "Tensor": Words(
        "its numbers cannot be read: it is nested, quantised or on meta",
        "其中的数无法读取（嵌套、量化或位于 meta 设备）",
    ),
    "ndarray": Words("its entries are not numbers", "其元素不是数"),
}


def remedy(kind: str, lang: Language) -> str:
    """What to do about an exception or a result of some type, in parentheses; nothing for most types."""
    return (f"（{REMEDIES[kind].zh}）" if lang == "zh" else f" ({REMEDIES[kind].en})") if kind in REMEDIES else ""


def filled_in(name: str, lang: Language, /, **values: Any) -> str:
    """One of the sentences, filled in.

    Args:
        name: of the fault.
        lang: "en" or "zh".
        values: that it mentions.
    """
    return SENTENCES[name][lang].format(**values)


def fault_sentence(exercise: Exercise, outcome: Outcome, trial: Call, name: str, lang: Language) -> tuple[str, str]:
    """The name and the sentence of a fault.

    Args:
        exercise: what was asked for.
        outcome: of the call that shows it.
        trial: the call.
        name: the fault, one of `FAULTS`.
        lang: "en" or "zh".
    """
    if name in ("exception", "loading") and outcome.error["type"] == "NotImplementedError":
        return "not-written", filled_in("not-written", lang)
    if name == "none" and outcome.printed:
        return "printed", filled_in("printed", lang)
    return name, filled_in(name, lang, **_details(exercise, outcome, trial, name, lang))


def _details(exercise: Exercise, outcome: Outcome, trial: Call, name: str, lang: Language) -> dict[str, Any]:
    if name in ("exception", "loading"):
        return {"error": error_text(outcome.error, lang)}
    if name in ("timeout", "slow"):
        return {"limit": outcome.error["code"]}
    if name == "died":
        code = outcome.error["code"]
        return {"code": "" if code is None else f" ({code})" if lang == "en" else f"（{code}）"}
    if name in ("structure", "ragged"):
        return {"got": structure(outcome.result, lang), "wanted": asked_for(exercise, trial, lang)}
    if name == "changed":
        return {"name": changed_name(exercise, outcome, trial)}
    if name in ("shape", "dtype", "nan", "values"):
        names = result_names(exercise.result, len(trial.expected), lang)
        return entry_details(outcome.result, trial, name, lang, names)
    return {}


def error_text(error: dict[str, Any], lang: Language) -> str:
    """An exception on one line: type, message, and the learner's own line."""
    text = error["type"] + (f": {short(error['message'])}" if error["message"] else "")
    if error.get("line"):
        line, code = error["line"], error.get("code", "")
        comma, place = (", ", f" in line {line}") if lang == "en" else ("，", f"，第 {line} 行")
        text += place + (f"{comma}`{code}`" if code else "")
    return text + remedy(error["type"], lang)


def short(message: str) -> str:
    """A message without its later lines, full stop, or great length."""
    line = message.strip().split("\n")[0].rstrip(".")
    line = re.sub(r"^\[enforce fail at [^\]]*\] \.? ?|^err == 0\. ", "", line)
    return line if len(line) <= 160 else line[:157] + "..."


def structure(found: Found | None, lang: Language) -> str:
    """What was returned, in a few words."""
    if found is None or found.form == "none":
        return "None"
    if found.form == "other":
        kind = f"a value of type {found.dtype}" if lang == "en" else f"类型为 {found.dtype} 的值"
        return kind + remedy(found.dtype, lang)
    if found.form == "list":
        return f"a list of {len(found.items)}" if lang == "en" else f"长度为 {len(found.items)} 的列表"
    return f"one array of shape {shape_text(found.array.shape)}" if lang == "en" else (
        f"一个形状为 {shape_text(found.array.shape)} 的数组"
    )  # fmt: skip


def asked_for(exercise: Exercise, trial: Call, lang: Language) -> str:
    """What should be returned, in a few words."""
    n, result = len(trial.expected), exercise.result
    if not trial.several:
        return f"one array, {result}" if lang == "en" else f"一个数组，{result}"
    return f"{n} result{'s' * (n > 1)}, {result}" if lang == "en" else f"{n} 个结果，{result}"


def changed_name(exercise: Exercise, outcome: Outcome, trial: Call) -> str:
    """The first argument that was changed."""
    kept = unchanged(outcome, trial)
    return next(name for name, same in zip(exercise.arguments, kept, strict=True) if not same)


def called_with(exercise: Exercise, trial: Call) -> str:
    """The arguments of a call in short: shapes of tensors, numbers as they are."""

    def short(value: Any) -> str:
        shape = getattr(value, "shape", None)
        if shape is not None:
            return shape_text(tuple(shape))
        if isinstance(value, list):
            return f"[{', '.join(map(short, value[:4]))}{', ...' if len(value) > 4 else ''}]"
        return number_text(value) if isinstance(value, float) else "f" if callable(value) else str(value)

    return ", ".join(f"{name} {short(v)}" for name, v in zip(exercise.arguments, trial.arguments, strict=False))
