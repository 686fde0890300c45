"""A conversation as token ids: the template's own words may be special tokens, what was typed never is."""

from collections.abc import Sequence

from minigpt.text.tokenizers.chat_format import ChatFormat, Message
from minigpt.text.tokenizers.patterns import special_splitter
from minigpt.text.tokenizers.tokenizer import Tokenizer


def chat_format_of(tokenizer: Tokenizer) -> ChatFormat:
    """The chat format that came with a tokenizer.

    Args:
        tokenizer: of a model.

    Raises:
        ValueError: if none did.
    """
    found: ChatFormat | None = getattr(tokenizer, "chat", None)
    if found is None:
        raise ValueError(f"the {tokenizer.name} tokenizer has no chat template: its model was not trained to chat")
    return found


def encode_chat(
    tokenizer: Tokenizer, messages: Sequence[Message], *, answer: bool = True, form: ChatFormat | None = None
) -> list[int]:
    """The ids of a conversation.

    Text between two special tokens is encoded in one piece, as the model saw it in training, also where the template
    wrote a part of it and a person the rest.

    Args:
        tokenizer: of the model.
        messages: what was said, each ``{"role": …, "content": …}``.
        answer: whether the start of the assistant's next message is written after them.
        form: how it is written; ``None`` takes the format that came with the tokenizer.

    Raises:
        ValueError: if there is no such format, or as :meth:`ChatFormat.parts`.
    """
    form = chat_format_of(tokenizer) if form is None else form
    specials = tokenizer.special_tokens
    split = special_splitter(specials)
    ids: list[int] = []
    plain = ""
    for text, own in form.parts(messages, answer=answer):
        for piece in split(text) if own else [text]:
            if own and piece in specials:
                ids += [*(tokenizer.encode(plain) if plain else ()), specials[piece]]
                plain = ""
            else:
                plain += piece
    return ids + (tokenizer.encode(plain) if plain else [])
