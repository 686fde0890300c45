"""Sphinx extension: the page of a notebook has links, below its title, to download it and its source in Python."""

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

LABELS = {
    "en": ("Download:", "notebook (.ipynb)", "Python source (.py)"),
    "zh_CN": ("下载：", "笔记本（.ipynb）", "Python 源文件（.py）"),
}


class Downloads(SphinxTransform):
    """Adds the links to the pages that are copies of notebooks."""

    default_priority = 400

    def apply(self, **kwargs: Any) -> None:
        """Put them after the title."""
        name = Path(self.env.docname).name
        files = [Path(self.env.srcdir).parent / "notebooks" / f"{name}{end}" for end in (".ipynb", ".py")]
        title = self.document.next_node(nodes.title)
        if title is not None and all(path.is_file() for path in files):
            title.parent.insert(title.parent.index(title) + 1, links(files, self.config.language))


def links(files: list[Path], language: str) -> nodes.paragraph:
    """The paragraph: a word, and a link to each file."""
    opening, *labels = LABELS.get(language, LABELS["en"])
    line = nodes.paragraph("", nodes.Text(opening), classes=["downloads"], translatable=False)
    for path, label in zip(files, labels, strict=True):
        target = f"/../notebooks/{path.name}"
        line += [nodes.Text(" "), download_reference("", label, reftarget=target, refdoc="", classes=["download"])]
    return line


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transform."""
    app.add_transform(Downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
