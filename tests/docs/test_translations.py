"""The Chinese keeps step with the English, and the site shows it.

When a test here is red, run `make translations` (or `python docs/translations.py <page>`), translate what it lists in
the page's catalogue, and run it again; CONTRIBUTING says how.
"""

import importlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")
jinja2 = pytest.importorskip("jinja2")

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
translations = importlib.import_module("translations")
sys.path.remove(str(DOCS))

HEADER = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'


@pytest.fixture(scope="module")
def english():
    return translations.english()


# The catalogues


@pytest.mark.parametrize("page", [page for page in translations.pages() if page not in translations.NOT_YET])
def test_a_page_is_translated_as_it_is_now(english, page):
    assert translations.left_to_do(page, english[page]) == []


def test_what_waits_for_its_chinese_is_a_page_that_lacks_it(english):
    for page in translations.NOT_YET:
        assert page in english, f"{page} is no page: delete it from NOT_YET in docs/translations.py"
        assert translations.left_to_do(page, english[page]), f"{page} is translated: delete it from NOT_YET"


def test_every_catalogue_belongs_to_a_page():
    found = {path.relative_to(translations.CATALOGUES).with_suffix("").as_posix() for path in catalogues()}
    assert found - {"sphinx"} <= set(translations.pages())


def catalogues():
    return translations.CATALOGUES.rglob("*.po")


def test_messages_are_paragraphs_pictures_folds_and_worded_formulas(english):
    messages = english["tutorials/05-self-attention-as-written"]
    assert "Three arrows: to the right, up, and along the diagonal." in messages
    assert "Answers" in messages
    assert any("\\text{what head }" in message for message in messages)
    assert not any(message.startswith("a_{ij}") or "import" in message.split() for message in messages)


@pytest.mark.parametrize("page", ["reference/cli", "reference/equations", "reference/api/index"])
def test_what_directives_write_from_the_code_is_not_asked_for(english, page):
    text = " ".join((DOCS / f"{page}.md").read_text("utf-8").split())
    asked_for = set(english[page]) - {"The code and its check"}
    assert asked_for and all(message in text for message in asked_for)


# Keeping step


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page of two messages whose catalogue is complete."""
    monkeypatch.setattr(translations, "CATALOGUES", tmp_path)
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    (tmp_path / "page.po").write_text(
        HEADER + 'msgid "A title"\nmsgstr "标题"\n\nmsgid "A row of $n$ words."\nmsgstr "一行 $n$ 个词。"\n', "utf-8"
    )
    return tmp_path / "page.po"


MESSAGES = ["A title", "A row of $n$ words."]


def test_a_complete_page_leaves_nothing_to_do(page):
    assert translations.left_to_do("page", MESSAGES) == []


def test_a_page_without_a_catalogue_is_told_what_to_do(page):
    (told,) = translations.left_to_do("other", MESSAGES)
    assert "`make translations PAGES=other`" in told
    assert "other.po" in told


def test_a_changed_paragraph_is_noticed_and_its_old_chinese_is_kept_to_be_mended(page):
    changed = ["A title", "A row of $n$ long words."]
    new, gone = translations.left_to_do("page", changed)
    assert new.startswith("new in English; run `make translations`")
    assert gone.startswith("no longer in English")

    translations.write("page", changed)
    assert "一行 $n$ 个词。" in page.read_text("utf-8")
    (fuzzy,) = translations.left_to_do("page", changed)
    assert fuzzy.startswith("fuzzy: the English changed")


def test_a_new_paragraph_and_one_that_went_are_noticed(page):
    translations.write("page", ["A title", "Something else entirely, about nothing."])
    (left,) = translations.left_to_do("page", ["A title", "Something else entirely, about nothing."])
    assert left.startswith("not translated")


def test_writing_twice_changes_nothing(page):
    translations.write("page", MESSAGES)
    first = page.read_text("utf-8")
    translations.write("page", MESSAGES)
    assert page.read_text("utf-8") == first


def test_an_obsolete_message_is_noticed(page):
    page.write_text(page.read_text("utf-8") + '\n#~ msgid "Old"\n#~ msgstr "旧"\n', "utf-8")
    assert translations.left_to_do("page", MESSAGES) == ["obsolete; delete it: Old"]


# What a translation keeps, and how it is set


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("Take $x$ and `y`, then [read](a.md).", "取 `y` 和 $x$，再[阅读](a.md)。"),
        ("**Back:** one head.", "**返回**：一个头。"),
        ("See {py:obj}`the class <m.C>`.", "见 {py:obj}`这个类 <m.C>`。"),
        (r"y = \text{else } x", r"y = \text{否则 } x"),
        ("bigram, 3-gram", "bigram, 3-gram"),
        ("![A curve](a.png)", "![曲线](a.png)"),
        ("1. `f` fails", r"1\. `f` 失败"),
        ("A file – `a.py` – of 93 MB, in 1:2.", "一个 93 MB 的文件——`a.py`——比例为 1:2。"),
    ],
)
def test_a_good_translation_has_no_faults(english, chinese):
    assert translations.faults(english, chinese) == []


@pytest.mark.parametrize(
    ("english", "chinese", "fault"),
    [
        ("Take $x_1$.", "取 $x_2$。", "lost: formula x_1"),
        ("Take $x$.", "取 $x$ 和 $x$。", "added: formula x"),
        ("Run `f()`.", "运行。", r"lost: code f\(\)"),
        ("[Read](a.md) on.", "继续[阅读](b.md)。", "lost: link a.md"),
        ("See {py:obj}`m.C`.", "见 {py:obj}`m.D`。", "lost: role py:obj m.C"),
        ("a<br>b", "甲乙", "lost: HTML <br>"),
        (r"y = \text{else } x", r"y = \text{否则 } z", "only the words"),
        ("1. First", "1. 首先", "one paragraph"),
        ("First", "首先\n\n其次", "one paragraph"),
        ("**Back:** one.", "**返回：**一个。", "does not close"),
        ("One, two.", "一,二。", "ASCII punctuation"),
        ("One.", "一.", "ASCII punctuation"),
        ("`a`, `b` are.", "`a`, `b` 是。", "ASCII punctuation"),
        ("One (two).", "一(二)。", "ASCII brackets"),
        ('A "word".', '一个"词"。', "ASCII brackets or quotes"),
        ("3 heads", "3个头", "no space"),
        ("A `f` here", "在`f` 处", "no space"),
        ("**Nats** fall", "**Nats**下降", "no space"),
        ("One, $n$.", "一， $n$。", "full-width"),
        ("One – two", "一 – 二", "en dash"),
        ("What the words of it are", "What the words of it are", "still English"),
    ],
)
def test_a_fault_of_a_translation_is_named(english, chinese, fault):
    assert any(re.search(fault, found) for found in translations.faults(english, chinese))


# The Chinese README


def test_the_readme_in_chinese_is_written_from_its_catalogue():
    if "README" in translations.NOT_YET:
        pytest.skip("README waits for its Chinese: see NOT_YET in docs/translations.py")
    text = translations.README.read_text("utf-8")
    chinese = translations.README.with_suffix(".zh-CN.md").read_text("utf-8")
    assert chinese == translations.translated(text, translations.read("README")), "run `make translations`"
    assert shape(chinese) == shape(text)


def shape(markdown):
    """Every block of a page in order, and the whole of its code and equations."""
    verbatim = ("fence", "code_block", "math_block", "html_block")
    return [
        (token.type, token.tag, token.content if token.type in verbatim else "")
        for token in translations.MARKDOWN.parse(markdown)
    ]


def test_only_what_is_read_is_replaced():
    table, code = "| {} | b |\n| --- | --- |\n| {} | {} |\n\n", "```python\na = 'A long line.'\n```\n"
    page = "# Title\n\nA long\nline.\n\n- one\n  two\n\n" + table.format("a", "a", "c") + code
    po = HEADER + "".join(
        f'msgid "{message}"\nmsgstr "{chinese}"\n\n'
        for message, chinese in {"A long line.": "长行。", "one two": "一二", "a": "甲", "c": "丙"}.items()
    )
    assert translations.translated(page, translations.read_po(io.BytesIO(po.encode()), locale="zh_CN")) == (
        "# Title\n\n长行。\n\n- 一二\n\n" + table.format("甲", "甲", "丙") + code
    )


# The site


def write_small_site(folder):
    """A Markdown page and a notebook, each with a catalogue."""
    cells = [
        "# A notebook\n\nTake $x$.",
        "<details><summary>Answer</summary>\n\nIt is `y`.\n\n</details>",
        "$$\ny = \\text{else}\n$$",
    ]
    notebook = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook["cells"] = [
        {"cell_type": "markdown", "id": f"c{i}", "metadata": {}, "source": cell} for i, cell in enumerate(cells)
    ]
    chinese = {
        "index": {"Home": "首页", "Attention": "注意力"},
        "notebook": {
            "A notebook": "一本笔记",
            "Take $x$.": "取 $x$，用自注意力和因果掩码。",
            "Answer": "答案",
            "It is `y`.": "是 `y`。",
            "y = \\\\text{else}": "y = \\\\text{否则}",
        },
    }
    (folder / "locale" / "zh_CN" / "LC_MESSAGES").mkdir(parents=True)
    for page, messages in chinese.items():
        text = HEADER + "".join(f'msgid "{english}"\nmsgstr "{word}"\n\n' for english, word in messages.items())
        (folder / "locale" / "zh_CN" / "LC_MESSAGES" / f"{page}.po").write_text(text, "utf-8")
    (folder / "notebook.ipynb").write_text(json.dumps(notebook), "utf-8")
    (folder / "index.md").write_text("# Home\n\nAttention\n\n```{toctree}\nnotebook\nreference/cli\n```\n", "utf-8")
    (folder / "reference").mkdir()
    (folder / "reference" / "cli.md").write_text(
        "# Commands\n\nSee [the home page](../index.md).\n\n```{note}\nWritten.\n```\n", "utf-8"
    )
    (folder / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(DOCS / '_ext')!r})\n"
        "extensions = ['myst_nb', 'translatable', 'chinese_search']\n"
        "myst_enable_extensions = ['dollarmath']\nnb_execution_mode = 'off'\n"
        "language = 'zh_CN'\nlocale_dirs = ['locale']\ngettext_compact = False\n"
        "html_theme = 'basic'\n",
        "utf-8",
    )


@pytest.fixture(scope="module")
def small_site(tmp_path_factory):
    pytest.importorskip("jieba", reason="the Chinese search needs jieba: install the docs extra")
    folder = tmp_path_factory.mktemp("site")
    write_small_site(folder)
    command = [sys.executable, "-m", "sphinx", "-n", "-W", "-q", "-b", "html", folder, folder / "html"]
    built = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_a_notebook_is_shown_in_chinese_with_its_folds_and_formulas(small_site):
    html = (small_site / "notebook.html").read_text("utf-8")
    assert '<html lang="zh-CN"' in html
    assert re.search(r"<h1>一本笔记", html)
    assert re.search(r'取 <span class="math[^>]*>\\\(x\\\)</span>，用自注意力和因果掩码。', html)
    assert re.search(r"<details>\s*<summary>答案</summary>\s*<p>是 <code", html)
    assert r"y = \text{否则}" in html


def test_a_link_on_a_page_of_the_reference_keeps_its_text(small_site):
    html = (small_site / "reference" / "cli.html").read_text("utf-8")
    assert re.search(r'href="\.\./index\.html"[^>]*>(<[^>]+>)*the home page<', html)
    assert "Written." in html


@pytest.mark.parametrize(
    ("language", "link"),
    [
        ("en", 'href="../zh/tutorials/index.html" hreflang="zh-CN" lang="zh-CN" rel="alternate">简体中文</a>'),
        ("zh-CN", 'href="../../tutorials/index.html" hreflang="en" lang="en" rel="alternate">English</a>'),
    ],
)
def test_each_page_links_to_itself_in_the_other_language(language, link):
    folder = jinja2.Environment(loader=jinja2.FileSystemLoader(DOCS / "_templates"), autoescape=True)
    template = folder.get_template("components/view-this-page.html")  # Furo puts it at the top of each page
    assert link in template.render(language=language, content_root="../", pagename="tutorials/index")


@pytest.mark.skipif(shutil.which("node") is None, reason="the search runs in a browser, or in Node.js")
def test_the_offline_search_cuts_a_query_into_the_words_of_the_index(small_site):
    index = (small_site / "searchindex.js").read_text("utf-8")
    language = (small_site / "_static" / "language_data.js").read_text("utf-8")
    browser = "var window = globalThis, Search = {_index: null, setIndex(index) { this._index = index; }};\n"
    ask = "\nconsole.log(JSON.stringify(['掩码', '自注意力的笔记', '注意力 Adam_2'].map((query) => splitQuery(query))))"
    script = browser + language + index + ask
    shown = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, encoding="utf-8", check=True)
    assert json.loads(shown.stdout) == [["掩码"], ["自注意力", "笔记"], ["注意力", "Adam_2"]]
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert terms["掩码"] == terms["自注意力"] == 1  # the notebook
