"""The chat template in a folder of Hugging Face, which belongs to its tokenizer."""

from pathlib import Path
from typing import Any, TypeVar

from minigpt.files.json_object import read_object
from minigpt.files.plain import read_plain
from minigpt.text.tokenizers.chat_format import LONGEST_TEMPLATE, ChatFormat
from minigpt.text.tokenizers.tokenizer import Tokenizer

TOKENIZER_CONFIG, TEMPLATE, GENERATION = "tokenizer_config.json", "chat_template.jinja", "generation_config.json"
CHAT_LIMIT = 2**24  # bytes

_Any = TypeVar("_Any", bound=Tokenizer)


def with_chat_of(folder: Path, tokenizer: _Any) -> _Any:
    """The tokenizer of a folder, with the chat format that its files describe, if any.

    Args:
        folder: in the format of Hugging Face.
        tokenizer: of the folder; one whose class has no ``chat`` is left as it is.

    Raises:
        ValueError: if a file is damaged.
    """
    settings = read_object(folder / TOKENIZER_CONFIG, limit=CHAT_LIMIT) if (folder / TOKENIZER_CONFIG).is_file() else {}
    template = settings.get("chat_template")
    if isinstance(template, list):  # several, by name
        template = next((each.get("template") for each in template if _named_default(each)), None)
    if (file := folder / TEMPLATE).is_file():
        template = read_plain(file, str(file), limit=4 * LONGEST_TEMPLATE).decode()
    if not isinstance(template, str) or not hasattr(tokenizer, "chat"):
        return tokenizer
    bos, eos = (_token(settings.get(name)) for name in ("bos_token", "eos_token"))
    specials = tokenizer.special_tokens
    names = {token_id: name for name, token_id in specials.items()}
    ends = [eos, *(names.get(token_id, "") for token_id in _end_ids(folder))]
    tokenizer.chat = ChatFormat(
        template=template,
        end=tuple(dict.fromkeys(end for end in ends if end in specials)),
        bos_token=bos,
        eos_token=eos,
    )
    return tokenizer


def _named_default(each: Any) -> bool:
    return isinstance(each, dict) and each.get("name") == "default"


def _token(value: Any) -> str:
    """The text of a token, which a file may give as such or as an object."""
    value = value.get("content") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""


def _end_ids(folder: Path) -> list[int]:
    file = folder / GENERATION
    ids = read_object(file, limit=CHAT_LIMIT).get("eos_token_id") if file.is_file() else None
    return [each for each in (ids if isinstance(ids, list) else [ids]) if type(each) is int]
