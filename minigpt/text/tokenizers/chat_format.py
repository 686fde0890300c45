"""How a conversation is written for a model that was trained to chat: its template, a small program in Jinja.

A template comes with a model's files, so it runs in Jinja's sandbox, out of reach of Python and of the machine. What a
person typed is no part of the program: :meth:`ChatFormat.parts` keeps the two apart, so that a user who types
``<|im_end|>`` ends nothing. What a template may do is bounded: the lines that run, and the size of what is computed.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from minigpt.settings import shown

Message = dict[str, str]  # "role" ("system", "user" or "assistant") and "content"
LONGEST_TEMPLATE = 100_000  # characters
MOST_LINES = 10**6  # that run, of the program into which Jinja turns a template
LARGEST = 10**7  # characters of a text, elements of a list or bits of a number that a template computes
TOO_LARGE = f"it computes something larger than {LARGEST:,} characters, elements or bits"

_MARK = re.compile("\ue000([0-9]+)\ue001")  # stands for the content of a message while the template runs


@dataclass(frozen=True, kw_only=True)
class ChatFormat:
    """The chat template of a model, and the tokens that go with it.

    Attributes:
        template: in Jinja, as in the field ``chat_template`` of Hugging Face and of GGUF.
        end: special tokens at which an answer ends.
        bos_token: what the template calls so, at the start of a text; "" for none.
        eos_token: what the template calls so, at the end of a text; "" for none.
    """

    template: str
    end: tuple[str, ...]
    bos_token: str = ""
    eos_token: str = ""

    def __post_init__(self) -> None:
        if not all(isinstance(each, str) for each in (self.template, self.bos_token, self.eos_token, *self.end)):
            raise ValueError(f"a chat format should hold texts, got {shown(asdict(self))}")
        if len(self.template) > LONGEST_TEMPLATE:
            raise ValueError(f"a chat template has {len(self.template):,} characters; at most {LONGEST_TEMPLATE:,}")

    def parts(self, messages: Sequence[Message], *, answer: bool = True) -> list[tuple[str, bool]]:
        """A conversation as it is written for the model, in parts.

        The whole conversation is rendered at once: a template may treat its start differently, for instance add a
        system message where the first message is another.

        Args:
            messages: what was said, each ``{"role": …, "content": …}``.
            answer: whether the start of the assistant's next message is written after them.

        Returns:
            Texts in order, each with whether it is the template's own; the others are contents of messages.

        Raises:
            ValueError: if the messages are of another form, or the template can't be used, refuses them or changes
                their contents.
        """
        check_messages(messages)
        marked = [{**message, "content": f"\ue000{i}\ue001"} for i, message in enumerate(messages)]
        pieces = _MARK.split(self._render(marked, answer))
        whole = self._render(messages, answer)
        for said in ([m["content"] for m in messages], [m["content"].strip() for m in messages]):
            parts = [(said[int(piece)] if i % 2 else piece, i % 2 == 0) for i, piece in enumerate(pieces)]
            if "".join(text for text, _ in parts) == whole:
                return [(text, own) for text, own in parts if text]
        raise ValueError("the chat template changes what the messages say, so the two can't be told apart")

    def _render(self, messages: Sequence[Message], answer: bool) -> str:
        from jinja2 import TemplateError  # comes with PyTorch

        names = {"bos_token": self.bos_token, "eos_token": self.eos_token, "add_generation_prompt": answer}
        try:
            program: Any = _sandbox().from_string(self.template)
            program.root_render_func.__globals__["str_join"] = _joined  # what ~ calls
            with _bounded():
                return _joined(program.generate(messages=messages, **names))
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError) as error:
            raise ValueError(f"the chat template can't be used: {str(error)[:300]}") from None

    def to_json(self) -> dict[str, Any]:
        """The fields, as a JSON object."""
        return {**asdict(self), "end": list(self.end)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The format that :meth:`to_json` described.

        Args:
            data: an object of JSON.

        Raises:
            ValueError: if it is something else.
        """
        names = {"template", "end", "bos_token", "eos_token"}
        if not isinstance(data, dict) or data.keys() != names or not isinstance(data["end"], list):
            raise ValueError(f"a chat format should be an object with {', '.join(sorted(names))}, found {shown(data)}")
        return cls(**{**data, "end": tuple(data["end"])})


#: The format of SmolLM2 and Qwen, with no system message unless there is one.
CHATML = ChatFormat(
    template=(
        "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    end=("<|im_end|>",),
    eos_token="<|im_end|>",
)


def check_messages(messages: Any) -> None:
    """Refuse what is not a list of messages.

    Args:
        messages: what a caller gave.

    Raises:
        ValueError: saying what a message is.
    """
    of_texts = isinstance(messages, Sequence) and all(
        isinstance(message, dict)
        and message.keys() == {"role", "content"}
        and all(isinstance(value, str) for value in message.values())
        and message["role"].isidentifier()
        for message in messages
    )
    if not of_texts or not messages:
        raise ValueError(
            f"messages={shown(messages)} should be a list of messages such as "
            '{"role": "user", "content": "Hello"}, one at least'
        )


def _sandbox() -> Any:
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        intercepted_binops = frozenset({"+", "*", "**", "%"})
        concat = staticmethod(_joined)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            _check_operation(operator, left, right)
            return _sized(super().call_binop(context, operator, left, right))

        def call(self, context: Any, called: Any, /, *values: Any, **named: Any) -> Any:
            if isinstance(getattr(called, "__self__", None), str):
                _check_widths("", *values, *named.values())
            return super().call(context, called, *values, **named)

        def wrap_str_format(self, value: Any) -> Any:
            wrapped = super().wrap_str_format(value)
            return None if wrapped is None else _with_widths(wrapped, value.__self__)

    sandbox = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    sandbox.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    sandbox.filters["tojson"] = _as_json
    sandbox.filters |= {name: _with_widths(sandbox.filters[name], "") for name in ("center", "indent")}
    sandbox.filters["format"] = _with_widths(sandbox.filters["format"])
    return sandbox


def _as_json(value: Any, indent: int | None = None) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)


@contextmanager
def _bounded() -> Iterator[None]:
    """Refuse more than ``MOST_LINES`` lines of a template: Python asks before each, in whatever loop it is."""
    left, before = MOST_LINES, sys.gettrace()

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename != "<template>":
            return None
        left -= 1
        if left < 0:
            _refuse(f"it runs more than {MOST_LINES:,} lines; are loops nested in it?")
        return count

    sys.settrace(count)
    try:
        yield
    finally:
        sys.settrace(before)


def _joined(pieces: Iterable[Any]) -> str:
    texts, size = [], 0
    for piece in pieces:
        texts.append(str(piece))
        size += len(texts[-1])
        if size > LARGEST:
            _refuse(TOO_LARGE)
    return "".join(texts)


def _check_widths(form: str, *values: Any) -> None:
    """Refuse numbers, and a format with one such as ``"%9999999999d"``, that make a text wider than any should be."""
    numbers = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
    is_wide = any(isinstance(each, int) and each > LARGEST for each in numbers)
    if is_wide or re.search(r"[%{][^%{}]*\d{7}", form):
        _refuse(TOO_LARGE)


def _with_widths(function: Callable[..., Any], form: str | None = None) -> Callable[..., Any]:
    """The same function, whose format is ``form``, or its first argument."""

    def checked(*values: Any, **named: Any) -> Any:
        _check_widths(str(values[0]) if form is None else form, *values, *named.values())
        return _sized(function(*values, **named))

    return checked


def _check_operation(operator: str, left: Any, right: Any) -> None:
    """Refuse a product, power or formatted text that would be too large, before it is computed."""
    if operator == "%" and isinstance(left, str):
        _check_widths(left, right)
    for one, other in ((left, right), (right, left)):
        if operator == "*" and isinstance(one, (str, list, tuple)) and isinstance(other, int):
            size = len(one) * other
        elif operator in ("*", "**") and isinstance(left, int) and isinstance(right, int):
            size = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
        else:
            continue
        if size > LARGEST:
            _refuse(TOO_LARGE)


def _sized(value: Any) -> Any:
    if isinstance(value, (str, list, tuple)) and len(value) > LARGEST:
        _refuse(TOO_LARGE)
    return value
