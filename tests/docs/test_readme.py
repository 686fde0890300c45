"""README lists the course."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LISTED = r"^- \[(.+)\]\(notebooks/(.+\.ipynb)\)$"


def test_readme_lists_every_notebook_by_its_title_in_order():
    listed = re.findall(LISTED, (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    notebooks = sorted((ROOT / "notebooks").glob("[0-9][0-9]-*.ipynb"))
    assert [path.name for path in notebooks] == [name for _, name in listed]
    for path, (title, _) in zip(notebooks, listed, strict=True):
        first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
        assert "".join(first).startswith(f"# {title}\n"), path.name
