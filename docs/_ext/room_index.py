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

KEPT = "room-index"  # of a page's metadata, which Sphinx keeps from build to build


class room_index(nodes.General, nodes.Element):  # noqa: N801 - docutils names a node in lower case
    """Stands for the list until all pages are read."""


class RoomIndex(SphinxDirective):
    """Leaves a place for the list."""

    def run(self) -> list[nodes.Node]:
        """The place."""
        return [room_index()]


def note(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the sections of a page: the title of each, and for each entry the anchors and names of what it describes.

    Reading all pages again for the list would take longer than reading them the first time.
    """
    sections = []
    for section in doctree.findall(nodes.section):
        entries = [described(child) for child in section.children if isinstance(child, desc)]
        sections.append((section.next_node(nodes.title).astext(), entries))
    app.env.metadata[app.env.docname][KEPT] = sections


def described(entry: desc) -> list[tuple[str, str]]:
    """The anchor and the name of an entry, then those of its members."""
    signatures = [signature for signature in entry.findall(desc_signature) if signature["ids"]]
    return [(signature["ids"][0], signature["fullname"]) for signature in signatures]


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
    for heading, entries in app.env.metadata[below][KEPT]:
        for entry in entries:
            text += [*links(entry, address), nodes.Text(" ")]
        text.insert(0, nodes.inline(ids=[nodes.make_id(heading)]))
    return nodes.definition_list_item("", nodes.term("", "", title), nodes.definition("", text))


def links(entry: list[tuple[str, str]], address: str) -> Iterator[nodes.Node]:
    """The link to an entry, with the anchor of the entry, and the anchors of its members."""
    for number, (anchor, name) in enumerate(entry):
        if number:
            yield nodes.inline(ids=[anchor])
        else:
            literal = nodes.literal("", name)
            yield nodes.reference("", "", literal, refuri=f"{address}#{anchor}", internal=True, ids=[anchor])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_node(room_index)
    app.add_directive("room-index", RoomIndex)
    app.connect("doctree-read", note)
    app.connect("doctree-resolved", fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
