"""Paragraphs and blocks, as lines for a terminal and as HTML for a notebook."""

import html
import textwrap
from dataclasses import dataclass

from minigpt.settings.language import wrapped

#: The columns of a terminal.
TERMINAL_WIDTH = 80
INDENT = "    "


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, or a block of code or numbers, which keeps its lines.

    Args:
        text: plain.
        is_block: whether it keeps its lines.
        mark: a part of the text that is highlighted, if any.
        breaks: whether the lines of a block may be broken at spaces, as those of a formula.
    """

    text: str
    is_block: bool = False
    mark: str = ""
    breaks: bool = False

    def lines(self) -> list[str]:
        """The lines for a terminal of 80 columns; what is highlighted is in «quotation marks»."""
        text = self.text.replace(self.mark, f"«{self.mark}»", 1) if self.mark else self.text
        if self.breaks:
            text = "\n".join(wrapped(text, TERMINAL_WIDTH - len(INDENT)))
        return textwrap.indent(text, INDENT).split("\n") if self.is_block else list(wrapped(text))

    def html(self) -> str:
        """A paragraph or a block of HTML."""
        text = html.escape(self.text)
        if self.mark:
            text = text.replace(html.escape(self.mark), f"<mark>{html.escape(self.mark)}</mark>", 1)
        return f'<pre tabindex="0">{text}</pre>' if self.is_block else f"<p>{text}</p>"


@dataclass(frozen=True)
class Section:
    """A heading and what is below it: a hint, or a solution.

    Args:
        title: one line.
        parts: in order.
    """

    title: str
    parts: tuple[Paragraph, ...]

    def __str__(self) -> str:
        return "\n".join([*wrapped(self.title), *(line for part in self.parts for line in part.lines())])

    __repr__ = __str__

    def html(self) -> str:
        """A section that opens with a click or the Enter key."""
        below = "".join(part.html() for part in self.parts)
        return f"<details><summary>{html.escape(self.title)}</summary>{below}</details>"

    def _repr_html_(self) -> str:
        below = "".join(part.html() for part in self.parts)
        return in_page(f"<p><strong>{html.escape(self.title)}</strong></p>{below}")


STYLE = """
.mg-reply{--text:#1b1b1f;--back:#fff;--edge:#8a8a94;--block:#f2f3f5;--right:#00664a;--wrong:#a33a00;--mark:#ffe08a;
color:var(--text);background:var(--back);border-left:4px solid var(--edge);padding:.4em .9em;max-width:52em;
font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
.mg-reply.right{border-color:var(--right)}.mg-reply.wrong{border-color:var(--wrong)}
.mg-reply.right strong{color:var(--right)}.mg-reply.wrong strong{color:var(--wrong)}
.mg-reply p{margin:.35em 0}.mg-reply summary{cursor:pointer;padding:.2em 0}
.mg-reply pre{background:var(--block);color:inherit;padding:.5em .7em;margin:.35em 0;overflow-x:auto;
font:13px/1.45 ui-monospace,monospace}
.mg-reply mark{background:var(--mark);color:#1b1b1f;padding:0 .15em}
.mg-reply .wide{overflow-x:auto}
.mg-reply table{border-collapse:collapse;overflow-wrap:normal}.mg-reply :is(th code,td:last-child){white-space:nowrap}
.mg-reply :is(th,td){padding:.15em .7em .15em 0;text-align:left;
background:none;color:inherit}
.mg-reply :focus-visible{outline:2px solid var(--edge);outline-offset:2px}
"""
DARK = "--text:#e6e6ea;--back:#18181c;--edge:#9a9aa6;--block:#26262c;--right:#5fd3ab;--wrong:#ff9e66;--mark:#e3b93c"
# A notebook or a site that says which theme it has is right; otherwise the system is asked.
LIGHT_PAGES = '[data-jp-theme-light="true"],[data-theme="light"],.vscode-light'
DARK_PAGES = '[data-jp-theme-light="false"],[data-theme="dark"],.vscode-dark'
THEMES = f"""@media (prefers-color-scheme:dark){{:root:not(:has({LIGHT_PAGES})) .mg-reply{{{DARK}}}}}
:is({DARK_PAGES}) .mg-reply{{{DARK}}}"""


def in_page(body: str, *, kind: str = "", lang: str = "en") -> str:
    """A fragment of HTML with its style, for a notebook.

    Args:
        body: HTML.
        kind: "right", "wrong" or nothing.
        lang: of the text, "en" or "zh".
    """
    name = f"mg-reply {kind}".strip()
    language = "zh-CN" if lang == "zh" else lang
    return f'<style>{STYLE}{THEMES}</style><section class="{name}" lang="{language}" role="status">{body}</section>'
