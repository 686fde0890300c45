"""A text as the bytes of a file."""


def utf_8(text: object, name: str) -> bytes:
    """The bytes of a text in UTF-8.

    Args:
        text: such as a caller gave.
        name: what an error calls it.

    Raises:
        ValueError: if it is not a text, or holds half of a surrogate pair, as Python writes a byte of a file name that
            is not UTF-8; the message has the character and its place.
    """
    if not isinstance(text, str):
        raise ValueError(f"{name} is a {type(text).__name__}; give a text")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{name} has {text[error.start]!a} at place {error.start}, which is no character that UTF-8 has; "
            "replace it: text.encode(errors='replace').decode()"
        ) from None
