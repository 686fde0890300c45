"""Sphinx extension: the directive ``tutorial`` shows one tutorial in the list: picture, title, minutes, text.

The picture of a notebook is its first figure, made small. The picture of a page without figures is its code, a bar for
each line.
"""

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from PIL import Image, ImageDraw
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

WIDEST = 280  # pixels
HIGHEST = 200
LARGEST = 30_000  # bytes
MINUTES = {"en": "{} minutes", "zh_CN": "{} 分钟"}


class Tutorial(SphinxDirective):
    """The title is that of the page, so it is in the language of the site."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {
        "alt": directives.unchanged_required,
        "minutes": directives.positive_int,
        "code": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """The picture, the title with the minutes, and what the page says about the tutorial."""
        name = self.arguments[0]
        folder = Path(self.env.doc2path(self.env.docname)).parent
        self.env.note_dependency(str(folder / self.options.get("code", f"{name}.ipynb")))
        write_picture(folder, name, self.options.get("code"))
        image = nodes.image(uri=f"pictures/{name}.png", alt=self.options["alt"], classes=["tutorial-picture"])
        image.source, image.line = self.get_source_info()
        title = self.parse_text_to_nodes(f"{{doc}}`{name}`")[0]
        title["classes"], title["translatable"] = ["tutorial-title"], False
        minutes = MINUTES.get(self.config.language, MINUTES["en"]).format(self.options["minutes"])
        title += [nodes.Text(" "), nodes.inline("", minutes, classes=["minutes"])]
        text = nodes.container("", title, *self.parse_content_to_nodes(), classes=["tutorial-text"])
        return [nodes.container("", image, text, classes=["tutorial"])]


def write_picture(folder: Path, name: str, code: str | None) -> None:
    """Put the picture of a tutorial into ``pictures/``, if it is not there as it is now."""
    picture = first_figure(folder / f"{name}.ipynb") if code is None else bars((folder / code).read_text("utf-8"))
    data = small(picture)
    path = folder / "pictures" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)


def first_figure(notebook: Path) -> Image.Image:
    """The first picture among the outputs of a notebook.

    Raises:
        ValueError: if it has none.
    """
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            if found := output.get("data", {}).get("image/png"):
                return Image.open(io.BytesIO(b64decode(found))).convert("RGB")
    raise ValueError(f"{notebook.name} has no figure; name a file of code in the option :code: of its tutorial")


def bars(code: str) -> Image.Image:
    """A file as a picture: for each line a bar, as long as the line and at its indent; comments are pale."""
    picture = Image.new("RGB", (WIDEST, HIGHEST), "white")
    draw = ImageDraw.Draw(picture)
    lines = code.splitlines()
    height = HIGHEST / max(len(lines), 40)
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        colour = "#b8c4d0" if line.lstrip().startswith("#") else "#3b6ea8"
        top = number * height
        if line.strip():
            draw.rectangle((8 + 2 * indent, top, 8 + 2 * min(len(line), 130), top + max(height / 2, 1)), fill=colour)
    return picture


def small(picture: Image.Image) -> bytes:
    """A picture as PNG, in the size of the list, with as many colours as fit into the bytes."""
    picture = picture.copy()
    picture.thumbnail((WIDEST, HIGHEST), Image.Resampling.LANCZOS)
    for colours in (128, 64, 32, 16):
        data = io.BytesIO()
        picture.quantize(colours).save(data, "PNG", optimize=True)
        if data.tell() <= LARGEST:
            break
    return data.getvalue()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("tutorial", Tutorial)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
