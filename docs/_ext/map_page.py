"""Sphinx extension: on the site, the map of concepts links within the site and is in the language of the site."""

from typing import Any

import concept_map
from sphinx.application import Sphinx

PAGE = "reference/map"


def rewrite(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the text for readers of the repository by that for readers of the site."""
    if page == PAGE:
        language = app.config.language or "en"
        source[0] = concept_map.markdown(language if language in concept_map.PAGES else "en", on_site=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen."""
    app.connect("source-read", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
