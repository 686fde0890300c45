"""What type checkers and editors see of an installed minigpt: a user who copies from the pages sees no error."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCED = re.compile(r"^(?P<reason><!-- no-run: .+ -->\n+)?```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = [ROOT / "README.md", ROOT / "docs" / "index.md", ROOT / "docs" / "install.md"]
PAGES += sorted([*(ROOT / "docs" / "howto").glob("*.md"), *(ROOT / "docs" / "explanation").glob("*.md")])

# What the signatures promise; the pages use little of it.
PROMISES = """
from typing import assert_type

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

import minigpt as mg
from minigpt.equations import Equation
from minigpt.text.datasets.items import Items


class Pairs(Dataset[tuple[Tensor, Tensor]]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return torch.arange(4), torch.arange(1, 5)


class Net(nn.Module):
    def forward(self, ids: Tensor) -> Tensor:
        return ids


def decorated(x: Tensor, evaluation: mg.Evaluation, model: mg.GPT) -> None:
    assert_type(mg.softmax(x), Tensor)
    assert_type(mg.softmax.equation, Equation)
    assert_type(mg.GPT.equation, Equation)
    assert_type(model.equation, Equation)
    assert_type(mg.Muon.equation, Equation)
    assert_type(evaluation.perplexity, float)
    assert_type(mg.GPT(model.config), mg.GPT)
    mg.softmax("x")  # type: ignore[arg-type]
    mg.softmax(x, 1)  # type: ignore[call-arg]
    mg.scaled_attention(x, x, x, scale=1)


def trained(data: mg.TokenDataset) -> None:
    net = Net()
    mg.train(net, data)
    mg.train(net, Pairs(), validation=Pairs())
    mg.train(net, [torch.arange(5)])
    mg.train(net, 5)  # type: ignore[arg-type]
    assert_type(mg.load_model("run"), tuple[mg.GPT, mg.Tokenizer])
    assert_type(mg.load_model("run", net), tuple[Net, mg.Tokenizer])
    assert_type(mg.load_pretrained("gpt2"), tuple[mg.GPT, mg.Tokenizer])
"""


def snippets(folder: Path) -> list[str]:
    """Write the examples of each page into a file of its own, and the promises into another; the names of the files."""
    found = {"promises.py": PROMISES}
    for page in PAGES:
        code = [match["code"] for match in FENCED.finditer(page.read_text(encoding="utf-8")) if not match["reason"]]
        if code:
            found[f"{page.stem.replace('-', '_').lower()}.py"] = "\n\n".join(code)
    for name, code in found.items():
        (folder / name).write_text(code, encoding="utf-8")
    return list(found)


def errors_of_mypy(folder: Path, files: list[str], python: Path | str = sys.executable) -> str:
    """What mypy says of files in ``folder``, to a user of that Python; nothing if it has no complaint."""
    # torch is read once, for all tests; a user's own settings say nothing
    settings = [
        "--config-file=",
        "--warn-unused-ignores",
        "--no-error-summary",
        f"--cache-dir={ROOT}/.mypy_cache/pages",
    ]
    command = [sys.executable, "-m", "mypy", *settings, f"--python-executable={python}", *files]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


@pytest.fixture
def installed():
    """The install that these tests run in, if type checkers can follow it."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed: install the dev extra")
    if not (ROOT / ".editable" / "minigpt" / "kernels").is_dir():
        pytest.skip("git wrote the links as text: type checkers can't follow such an editable install")


@pytest.mark.slow
def test_mypy_has_no_complaint_about_the_pages(installed, tmp_path):
    files = snippets(tmp_path)
    assert {"readme.py", "write_your_own_attention.py"} < set(files)
    assert errors_of_mypy(tmp_path, files) == ""


@pytest.mark.slow
def test_pyright_has_no_complaint_about_the_pages(installed, tmp_path):
    pytest.importorskip("pyright", reason="pyright is not installed: pip install pyright, which fetches it from npm")
    snippets(tmp_path)
    promises = tmp_path / "promises.py"  # pyright's own words for what it should refuse
    promises.write_text(re.sub(r"# type: ignore\[.*\]", "# pyright: ignore", promises.read_text("utf-8")), "utf-8")
    (tmp_path / "pyrightconfig.json").write_text('{"reportUnnecessaryTypeIgnoreComment": "error"}', "utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--project", "."]
    result = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert result.returncode == 0, result.stdout
