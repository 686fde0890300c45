"""The site: equations rendered at build time, and a build without warnings."""

import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")

DOCS = Path(__file__).parents[2] / "docs"
needs_katex = pytest.mark.skipif(
    shutil.which("node") is None or not (DOCS / "node_modules" / "katex").is_dir(),
    reason="equations need Node.js and KaTeX: run `npm ci` in docs/",
)


@pytest.fixture
def katex(monkeypatch):
    monkeypatch.syspath_prepend(DOCS / "_ext")
    return importlib.import_module("katex")


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    options = ["-n", "-W", "--keep-going", "-q", "-b", "html"]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, source, out], capture_output=True, text=True, encoding="utf-8"
    )


def small_site(folder: Path, page: str) -> Path:
    folder.mkdir()
    configuration = f"""
import sys
sys.path.insert(0, {str(DOCS / "_ext")!r})
extensions = ["myst_parser", "katex"]
myst_enable_extensions = ["dollarmath", "amsmath"]
html_math_renderer = "katex"
"""
    (folder / "conf.py").write_text(configuration, encoding="utf-8")
    (folder / "index.md").write_text(page, encoding="utf-8")
    return folder


@needs_katex
def test_a_formula_becomes_html_and_mathml(katex):
    renderer = katex.Katex()
    html = renderer.render(r"\frac{1}{2}", display=False)
    renderer.close()
    assert 'class="katex"' in html
    assert "<mfrac>" in html


@needs_katex
def test_one_process_renders_every_formula(katex):
    renderer = katex.Katex()
    renderer.render("a", display=False)
    process = renderer._process
    renderer.render("b", display=True)
    assert renderer._process is process
    renderer.close()
    assert process.returncode == 0


@needs_katex
def test_a_bad_macro_stops_the_build_and_names_its_file_and_line(tmp_path):
    source = small_site(tmp_path / "docs", "# Title\n\nA good one, $x$.\n\nA bad one, $\\nonsense{x}$.\n")
    built = build(source, tmp_path / "html")
    assert built.returncode != 0
    assert re.search(r"index\.md:5: .*Undefined control sequence: \\nonsense", built.stderr)


@needs_katex
def test_pages_carry_the_formulas_the_numbers_and_the_fonts_but_no_script(tmp_path):
    page = "# Title\n\nInline $x^2$.\n\n$$\na = b\n$$ (first)\n\n\\begin{align}c &= d \\\\ e &= f\\end{align}\n"
    built = build(small_site(tmp_path / "docs", page), tmp_path / "html")
    assert built.returncode == 0, built.stderr
    html = (tmp_path / "html" / "index.html").read_text(encoding="utf-8")
    assert html.count('class="katex"') == 3
    assert re.findall(r'class="eqno">\((\d)\)', html) == ["1", "2"]
    assert "eqn-num" not in html  # KaTeX's own counter beside Sphinx's numbers
    assert "MathJax" not in html
    assert list((tmp_path / "html" / "_static" / "katex" / "fonts").glob("*.woff2"))


def test_lines_outside_an_environment_are_aligned(katex):
    assert katex.display_form(r"a \\ b") == r"\begin{aligned}a \\ b\end{aligned}"


def test_what_a_formula_uses_stands_a_little_apart(katex):
    spaced = katex.display_form(r"\begin{gathered} a \\ \text{where } b \\ \text{where } c \end{gathered}")
    assert spaced == r"\begin{gathered} a \\ \\[-1.2em] \text{where } b \\ \\[-1.2em] \text{where } c \end{gathered}"


def test_a_formula_on_one_line_is_rendered_as_it_is(katex):
    assert katex.display_form(r"\frac{1}{2}") == r"\frac{1}{2}"


def test_without_node_the_error_says_what_to_install(katex, monkeypatch):
    monkeypatch.setattr(katex.shutil, "which", lambda name: None)
    with pytest.raises(katex.MathError, match=r"node was not found.*Node\.js 18"):
        katex.Katex().render("x", display=False)


def test_without_katex_the_error_says_what_to_run(katex, monkeypatch, tmp_path):
    monkeypatch.setattr(katex.shutil, "which", lambda name: "/usr/bin/node")
    monkeypatch.setattr(katex, "DIST", tmp_path / "node_modules" / "katex" / "dist")
    with pytest.raises(katex.MathError, match=rf"npm ci` in {re.escape(str(tmp_path))}"):
        katex.Katex().render("x", display=False)


def test_every_module_has_a_place_in_the_reference():
    pages = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "reference" / "api").rglob("*.md"))
    documented = set(re.findall(r"automodule:: ([\w.]+)", pages))
    package = DOCS.parent / "minigpt"
    files = [path.relative_to(package.parent) for room in [package, *package.iterdir()] for path in room.rglob("*.py")]
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in files}
    shown_elsewhere = {"minigpt", "minigpt.__main__", "minigpt.version", "minigpt.interrupts"}
    # Commands explain themselves on a page of their own; a check says no more than the equation that it checks.
    checks = {module for module in modules if module.startswith("minigpt.checks.")}
    one_by_one = checks - {"minigpt.checks.draw"}
    commands = {module for module in modules if module.startswith("minigpt.cli")}
    # An exercise says no more than `mg.check` shows of it.
    exercises = {module for module in modules if module.startswith("minigpt.learn.exercises.")}
    exercises |= {"minigpt.learn.pure_functions"}
    exercises -= {"minigpt.learn.exercises.exercise", "minigpt.learn.exercises.draw"}
    # What imports triton can't be imported everywhere that the site is built.
    of_triton = {module for module in modules if module.startswith("minigpt.kernels.")}
    of_triton |= {
        f"minigpt.bench.compiled.{name}" for name in ("bounds", "compilation", "inspection", "jobs", "targets")
    }
    assert modules - shown_elsewhere - commands - one_by_one - exercises - of_triton == documented


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "html"
    if (before := DOCS / "_build" / "html").is_dir():  # of `make docs`: only pages that changed since are built again
        shutil.copytree(before, out, ignore=shutil.ignore_patterns("zh"))
    built = build(DOCS, out)
    assert built.returncode == 0, built.stderr
    pages = {page: page.read_text(encoding="utf-8") for page in out.rglob("*.html")}
    # The Chinese site lies beside this one; `make test-browser` opens both.
    return {page: re.sub(r'<a class="other-language[^>]*>', "", html) for page, html in pages.items()}


@needs_katex
@pytest.mark.slow
def test_the_site_builds_without_warnings_and_needs_no_network(site):
    loaded = re.compile(r'<(?:script|img|iframe)[^>]* src="(?:https?:)?//|<link[^>]* href="(?:https?:)?//')
    for page, html in site.items():
        assert not loaded.search(html), f"{page} loads something from the network"


@needs_katex
@pytest.mark.slow
def test_every_link_within_the_site_leads_somewhere(site):
    assert site
    assert not list(links_that_lead_nowhere(site))


def test_a_link_to_no_page_and_one_to_no_anchor_lead_nowhere(tmp_path):
    a, b = tmp_path / "a.html", tmp_path / "b" / "b.html"
    pages = {
        a: '<p id="top"><a href="#top"> <a href="#bottom"> <a href="b/b.html#%E5%B8%B8"> <a href="b/c.html">',
        b: '<p id="常"><a href="../a.html#top"> <a href="../a.html#none"> <a href="https://example.com/none.html">',
    }
    nowhere = {(page.name, link) for page, link in links_that_lead_nowhere(pages)}
    assert nowhere == {("a.html", "#bottom"), ("a.html", "b/c.html"), ("b.html", "../a.html#none")}


def links_that_lead_nowhere(pages: dict[Path, str]) -> Iterator[tuple[Path, str]]:
    """Each page with each of its links to a file or an anchor that is not there."""
    anchors = {page: set(re.findall(r'\sid="([^"]+)"', html)) for page, html in pages.items()}
    for page, html in pages.items():
        for link in set(re.findall(r'<a\s[^>]*?href="([^"]+)"', html)):
            address = urlsplit(unescape(link))
            target = Path(os.path.normpath(page.parent / unquote(address.path))) if address.path else page
            is_there = unquote(address.fragment) in anchors[target] | {""} if target in pages else target.is_file()
            if not address.scheme and not is_there:
                yield page, link
