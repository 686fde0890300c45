"""Sphinx extension: a signature shows the type of a parameter, without the range, rule or mark declared beside it."""

from typing import Annotated, Any, get_args, get_origin

from sphinx.application import Sphinx


def show_plain_types(app: Sphinx, thing: Any, bound_method: bool) -> None:
    """Before autodoc reads the signature of a function, or of the constructor of a class."""
    kinds = getattr(thing, "__annotations__", {})
    for name, kind in kinds.items():
        kinds[name] = get_args(kind)[0] if get_origin(kind) is Annotated else kind


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to autodoc."""
    app.connect("autodoc-before-process-signature", show_plain_types)
    return {"parallel_read_safe": True}
