import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
import torch
from planted_circuit import CLEAN, CORRUPT, planted

import minigpt as mg
from minigpt.microscope import Patching, attribute, head_scores, logit_difference, logit_lens, patch
from minigpt.microscope.views.table import Cell, number_table
from minigpt.settings.language import Bilingual, columns_of

NOTHING = Bilingual("", "")
NASTY = ["</script><b>", "\n", "词", "\u202e", "&amp;", '"q"', "$x$"]


class Reader(HTMLParser):
    """The tags, the texts of the cells and headings, and the scripts of a page, in English or in Chinese."""

    def __init__(self, html, lang="en"):
        super().__init__(convert_charrefs=True)
        self.tags, self.cells, self.heads, self.scripts, self.into = [], [], [], [], None
        self.other, self.is_other = {"en": "zh-CN", "zh": "en"}[lang], False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.is_other |= tag == "span" and dict(attributes).get("lang") == self.other
        kept = {"td": self.cells, "th": self.heads, "script": self.scripts}
        if tag in kept:
            self.into = kept[tag]
            self.into.append("")

    def handle_endtag(self, tag):
        self.is_other &= tag != "span"
        self.into = None if tag in ("td", "th", "script") else self.into

    def handle_data(self, data):
        if self.into is not None and not self.is_other:
            self.into[-1] += data


@pytest.fixture
def record():
    return mg.look(planted(), CLEAN)


def views(record, labels=NASTY):
    return {
        "attention": record.attention_view(labels),
        "lens": logit_lens(planted(), CLEAN).view(labels),
        "patching": patch(planted(), CLEAN, CORRUPT, logit_difference(2, 5)).view(labels),
    }


@pytest.mark.parametrize("kind", ["attention", "lens", "patching"])
def test_a_view_needs_nothing_else_and_no_token_is_taken_for_markup(record, kind):
    html = views(record)[kind]._repr_html_()
    page = Reader(html)
    assert not re.search(r"https?:|src=|@import|url\(|<link", html)
    assert "b" not in [tag for tag, _ in page.tags]
    places = ["0 </script><b>", "1 ↵", "2 词", "3 \\u{202e}", "4 &amp;", '5 "q"', "6 $x$"]
    assert page.heads[1:8] == places
    assert page.heads[8:] == places or kind != "attention"
    assert "\u202e" not in html
    assert len(html) < 30_000


@pytest.mark.parametrize("kind", ["attention", "lens", "patching"])
def test_a_view_has_what_a_screen_reader_and_a_keyboard_need(record, kind):
    page = Reader(views(record)[kind].html)
    assert [a["scope"] for tag, a in page.tags if tag == "th"].count("col") == 8
    assert ("table", {}) in page.tags and ("caption", {}) in page.tags
    (region,) = [a for tag, a in page.tags if a.get("role") == "region"]
    assert region["tabindex"] == "0"
    caption = page.tags[page.tags.index(("caption", {})) + 1]
    assert caption == ("div", {"id": region["aria-labelledby"]})


def test_the_attention_view_shows_the_weights_in_percent(record):
    page = Reader(record.attention_view().html)
    weights = record.attention[0][0, 0]
    expected = [str(round(100 * float(weights[t, s])) or "·") if s <= t else "" for t in range(7) for s in range(7)]
    assert page.cells == expected
    data = json.loads(page.scripts[0])
    assert data[1][1][6] == [0, 0, 100, 0, 0, 0, 0]  # the induction head, at the second 1
    assert [len(row) for row in data[0][0]] == [1, 2, 3, 4, 5, 6, 7]
    assert Reader(record.attention_view(layers=[1]).html).cells != page.cells


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_script_shows_the_layer_and_the_head_that_are_chosen(record):
    page = Reader(record.attention_view().html)
    program = f"""
    {page.scripts[1].rsplit("mgAttention(document", 1)[0]}
    const cells = Array.from({{length: 49}}, () => ({{style: {{setProperty(k, v) {{ this[k] = v; }}}}}}));
    const select = (value, at) => ({{value, selectedIndex: at, addEventListener(_, f) {{ this.f = f; }}}});
    const [layer, head] = [select("1", 0), select("1", 0)];
    const [nowLayer, nowHead, choose] = [{{}}, {{}}, {{hidden: true}}], text = {json.dumps(page.scripts[0])};
    const one = {{script: {{textContent: text}}, ".mg-choose": choose}};
    const all = {{select: [layer, head], td: cells, ".mg-layer": [nowLayer], ".mg-head": [nowHead]}};
    mgAttention({{
      querySelector: (name) => one[name],
      querySelectorAll: (name) => all[name],
    }});
    const first = cells.map((cell) => String(cell.textContent));
    layer.selectedIndex = 1; head.selectedIndex = 1; head.f();
    const shown = cells.slice(42).map((cell) => [String(cell.textContent), cell.style["--w"]]);
    const now = [nowLayer.textContent, nowHead.textContent];
    console.log(JSON.stringify({{first, shown, now, hidden: choose.hidden}}));
    """
    seen = json.loads(subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True).stdout)
    assert seen["first"] == page.cells
    assert seen["shown"] == [["100", 1] if key == 2 else ["·", 0] for key in range(7)]
    assert (seen["now"], seen["hidden"]) == (["1", "1"], False)


def test_the_lens_view_names_the_best_token_and_marks_the_one_that_comes():
    lens = logit_lens(planted(), CLEAN)
    page = Reader(lens.view().html)
    chances = torch.softmax(lens.logits[2, 0].float(), -1)
    at_5 = f"{int(chances[5].argmax())} {100 * float(chances[5].max()):.0f}%"
    assert page.cells[14 + 5].removesuffix(" ✓") == at_5
    assert page.cells[14 + 6] == f"2 {100 * float(chances[6].max()):.0f}%"
    marked = [at for at, text in enumerate(page.cells) if text.endswith("✓")]
    best = lens.logits[:, 0].argmax(-1)[:, :-1]
    assert marked == [layer * 7 + t for layer, t in (best == CLEAN[0, 1:]).nonzero().tolist()]


def test_the_patching_view_has_another_colour_below_0():
    found = patch(planted(), CLEAN, CORRUPT, logit_difference(2, 5))
    page = Reader(found.view().html)
    assert page.cells == [f"{x:.2f}".replace("-", "−") for x in found.values.flatten().tolist()]
    markup = number_table(
        Bilingual("", ""), Bilingual("", ""), ["a", "b"], [("r", [Cell("−2.00", -2.0), Cell("0.25", 0.25)])]
    )
    assert '<td class="mg-minus" style="--w:1">' in markup
    assert '<td style="--w:0.25">' in markup


def test_a_number_that_rounds_to_zero_has_no_sign():
    values = torch.tensor([[-0.004, -0.006, 0.0]])
    found = Patching("hook_resid_pre", "head", values, 1.0, 0.0, CLEAN[0])
    html = found.view().html
    assert Reader(html).cells == ["0.00", "−0.01", "0.00"]
    assert html.count('class="mg-minus"') == 1


def test_a_long_token_leaves_room_for_its_probability():
    markup = number_table(NOTHING, NOTHING, ["a"], [("r", [Cell("x" * 50, 0.5, "12% ✓")])])
    assert f"<bdi>{'x' * 50}</bdi> 12% ✓</td>" in markup


def test_captions_and_headings_are_in_english_and_in_chinese(record):
    lens = logit_lens(planted(), CLEAN).view().html
    assert [Reader(lens).heads[at] for at in (0, 8, -1)] == ["layer \\ token", "into layer 0", "output"]
    assert [Reader(lens, "zh").heads[at] for at in (0, 8, -1)] == ["层 \\ 词元", "第 0 层的输入", "输出"]
    by_head = patch(planted(), CLEAN, CORRUPT, logit_difference(2, 5), site="attn.hook_z", over="head")
    assert Reader(by_head.view().html, "zh").heads == ["层 \\ 注意力头", "头 0", "头 1", "第 0 层", "第 1 层"]
    assert "修补 attn.hook_z 的恢复率，按注意力头" in by_head.view().html
    assert Reader(record.attention_view().html, "zh").heads[0] == "查询 \\ 键"


@pytest.mark.parametrize(("lang", "attribute"), [(None, None), ("en", "en"), ("zh", "zh-CN")])
def test_a_view_has_the_language_of_the_page_or_the_one_that_is_asked_for(record, lang, attribute):
    patched = patch(planted(), CLEAN, CORRUPT, logit_difference(2, 5))
    for view in (
        record.attention_view(lang=lang),
        logit_lens(planted(), CLEAN).view(lang=lang),
        patched.view(lang=lang),
    ):
        (root,) = [a for tag, a in Reader(view.html).tags if a.get("class") == "mg-explore mg-view"]
        assert root.get("lang") == attribute
    with pytest.raises(ValueError, match="lang='fr' is unknown; choose one of en, zh"):
        record.attention_view(lang="fr")


def test_what_is_too_large_for_a_page_is_refused(record):
    with pytest.raises(ValueError, match="at most 20,000"):
        number_table(NOTHING, NOTHING, ["x"] * 201, [("r", [])] * 100)
    config = mg.GPTConfig(vocab_size=5, context_length=256, d_model=16, n_layers=4, n_heads=4)
    long = mg.look(mg.GPT(config), torch.zeros(1, 256, dtype=torch.int64), "*hook_pattern")
    with pytest.raises(ValueError, match=r"4 layers × 4 heads × 256² weights are too many for a page"):
        long.attention_view()


@pytest.mark.parametrize("kind", ["attention", "lens", "patching"])
def test_a_view_is_a_figure_too(record, kind):
    figure = views(record, [text for text in NASTY if text != "词"] + ["a"])[kind].plot()
    (picture,) = figure.axes[0].images
    assert picture.get_array().shape == {"attention": (7, 7), "lens": (3, 7), "patching": (2, 7)}[kind]
    assert len(figure._repr_png_()) > 1000


def test_elsewhere_a_view_is_text(record):
    texts = {kind: str(view) for kind, view in views(record).items()}
    assert texts["attention"] == "attention weights of 2 layers × 2 heads on 7 tokens"
    assert any(line.startswith("output ") for line in texts["lens"].splitlines())
    assert "0.50" in texts["patching"]
    assert repr(logit_lens(planted(), CLEAN)).splitlines()[-1].startswith("output ")


def test_the_text_is_in_the_language_of_the_locale_or_the_one_that_was_asked_for(record, monkeypatch):
    patching = patch(planted(), CLEAN, CORRUPT, logit_difference(2, 5))
    lens, scores = logit_lens(planted(), CLEAN), head_scores(planted(), period=3, n_sequences=1)
    parts = attribute(planted(), CLEAN, 2)
    shown = [record, record.attention_view(), patching, lens, scores, parts]
    english = list(map(str, shown))
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    chinese = list(map(str, shown))
    for words, en, zh in zip(
        ("激活值", "注意力权重", "修补", "第 0 层的输入", "归纳", "总和"), english, chinese, strict=True
    ):
        assert words in zh and words not in en
        assert re.findall(r"-?\d+\.\d+", zh) == re.findall(r"-?\d+\.\d+", en)
    assert str(lens.view(lang="en")) == english[3] and str(patching.view(lang="en")) == english[2]
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    assert str(lens.view(lang="zh")) == chinese[3] and str(record.attention_view(lang="zh")) == chinese[1]
    assert list(map(columns_of, chinese[4].splitlines()[1:])) == list(map(len, english[4].splitlines()[1:]))
