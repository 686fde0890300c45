"""README lists the course, and the commands that print JSON."""

import json
import re
from pathlib import Path

from minigpt.cli import COMMANDS

ROOT = Path(__file__).parents[2]
LISTED = r"^- \[(.+)\]\(notebooks/(.+\.ipynb)\)$"


def test_readme_lists_every_notebook_by_its_title_in_order():
    listed = re.findall(LISTED, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    assert [path.name for path in notebooks] == [name for _, name in listed]
    for path, (title, _) in zip(notebooks, listed, strict=True):
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        assert "".join(first).startswith(f"# {title}\n"), path.name


def test_readme_names_the_commands_that_print_json():
    with_json = {name for name, command in COMMANDS.items() if "json" in command.__dataclass_fields__}
    for page in ("README.md", "README.zh-CN.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        sentence = next(line for line in re.split(r"[.。](?=\s|\S)", text.replace("\n", " ")) if "--json" in line)
        named = set(re.findall(r"`(\w+)`", sentence))
        assert named == with_json, page
