"""Sphinx extension: ``room-index`` lists the pages below a page of the reference, with what each of them describes.

The names in the list have the anchors of their entries. A link to an entry that was on this page before it was split
leads to the name in the list, which links to the entry.
"""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.addnodes import desc, desc_signature
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class room_index(nodes.General, nodes.Element):  # noqa: N801 - docutils names a node in lower case
    """Stands for the list until all pages are read."""


class RoomIndex(SphinxDirective):
    """Leaves a place for the list."""

    def run(self) -> list[nodes.Node]:
        """The place."""
        return [room_index()]


def fill(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Put the list in its place."""
    for place in list(doctree.findall(room_index)):
        items = [item_of(app, page, below) for below in app.env.toctree_includes[page]]
        place.replace_self(nodes.definition_list("", *items, classes=["room-index"]))


def item_of(app: Sphinx, page: str, below: str) -> nodes.definition_list_item:
    """One page: its title, and the names of its sections."""
    address = app.builder.get_relative_uri(page, below)
    title = nodes.reference("", app.env.titles[below].astext(), refuri=address, internal=True)
    text = nodes.paragraph()
    for section in app.env.get_doctree(below).findall(nodes.section):
        for child in section.children:
            if isinstance(child, desc):
                text += [*names_of(child, address), nodes.Text(" ")]
        text.insert(0, nodes.inline(ids=[nodes.make_id(section.next_node(nodes.title).astext())]))
    return nodes.definition_list_item("", nodes.term("", "", title), nodes.definition("", text))


def names_of(entry: desc, address: str) -> Iterator[nodes.Node]:
    """The link to an entry, with the anchor of the entry, and the anchors of its members."""
    signatures = [signature for signature in entry.findall(desc_signature) if signature["ids"]]
    for number, signature in enumerate(signatures):
        anchor, name = signature["ids"][0], signature["fullname"]
        if number:
            yield nodes.inline(ids=[anchor])
        else:
            literal = nodes.literal("", name)
            yield nodes.reference("", "", literal, refuri=f"{address}#{anchor}", internal=True, ids=[anchor])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(room_index)
    app.add_directive("room-index", RoomIndex)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
