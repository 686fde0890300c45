"""Run the notebooks: ``python notebooks/build.py [names] [--check]``.

The text sources (``05-….py``, py:percent format) are the truth. Each is run from top to
bottom in a new kernel, and written beside its source as ``.ipynb`` with the outputs of
that run and the sha256 of the source. Equal outputs give an equal file. A notebook that
fails, writes to stderr or grows over 400 kB is refused.

``--check`` runs nothing: it refuses a notebook that is not paired with a source, or
older than it.

``--prose`` runs nothing either: it takes over changes of prose, comments and layout, and
keeps the outputs. It refuses a source whose code would do something else.
"""

import argparse
import ast
import hashlib
import io
import os
import re
import sys
import tempfile
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).parent
NUMBERED = "[0-9][0-9]-*"
MAX_BYTES = 400_000
SECONDS_A_CELL = 600


class ThisInterpreter(KernelSpecManager):
    """Knows one kernel, this interpreter, whatever kernels the machine has installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The same for every name; it leaves the user's command history alone."""
        options = ["--HistoryManager.enabled=False", "--log-level=ERROR"]
        return KernelSpec(
            argv=[
                sys.executable,
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
                *options,
            ]
        )


def read_source(source: Path) -> NotebookNode:
    """The cells of a text source, without outputs, named alike in every run."""
    notebook = jupytext.read(source, fmt="py:percent")
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number:02d}"
    notebook.metadata = NotebookNode(
        kernelspec={
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        language_info={
            "name": "python",
            "file_extension": ".py",
            "pygments_lexer": "ipython3",
        },
        minigpt={"source": source.name, "sha256": fingerprint(source)},
    )
    notebook.nbformat_minor = 5
    return notebook


def fingerprint(source: Path) -> str:
    """The sha256 of a source, whatever line ends the checkout gave it."""
    return hashlib.sha256(source.read_text(encoding="utf-8").encode()).hexdigest()


def run(notebook: NotebookNode, *, quick: bool = False) -> None:
    """Run every cell, in a new kernel and an empty folder.

    Args:
        notebook: as :func:`read_source` gives it; the outputs are written into it.
        quick: tell the notebook, by ``MINIGPT_QUICK=1``, to train for fewer steps.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
        nbclient.exceptions.CellTimeoutError: if it takes too long.
        nbclient.exceptions.DeadKernelError: if the kernel ends, as when memory runs out.
        KeyboardInterrupt: if this process gets SIGINT or SIGTERM.
    """
    # It makes its font cache now, or the first kernel would, and announce it on stderr.
    import matplotlib.font_manager  # noqa: F401

    metadata = notebook.metadata
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(
                kernel_name="python3", kernel_spec_manager=ThisInterpreter()
            ),
            timeout=SECONDS_A_CELL,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": folder}},
        )
        environment = os.environ | {
            "IPYTHONDIR": folder,
            "MINIGPT_QUICK": "1" if quick else "",
        }
        execute(client, environment)
    notebook.metadata = metadata
    for output in [
        output for cell in notebook.cells for output in cell.get("outputs", [])
    ]:
        if "image/png" in output.get("data", {}):
            output.data["image/png"] = with_palette(output.data["image/png"])


def execute(client: NotebookClient, environment: dict[str, str]) -> None:
    """Let a client run its notebook, and tell the death of a kernel from a signal to this process."""
    try:
        client.execute(env=environment, cleanup_kc=True)
    except DeadKernelError:
        codes = [cell.id for cell in client.nb.cells if cell.cell_type == "code"]
        name = codes[client.code_cells_executed - 1]
        raise DeadKernelError(
            f"its kernel died in {name}: was it killed, or out of memory?"
        ) from None
    except AssertionError as error:
        # nbclient ends the kernel at a signal, takes that for its death, and misses it
        if isinstance(error.__context__, DeadKernelError):
            raise KeyboardInterrupt from None
        raise


def with_palette(png: str) -> str:
    """A picture, in base64, in 256 colours: to the eye the same, and about a third of the size."""
    data = io.BytesIO()
    picture = Image.open(io.BytesIO(b64decode(png))).convert("RGB")
    picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1).save(
        data, "PNG", optimize=True
    )
    return b64encode(data.getvalue()).decode()


def faults(notebook: NotebookNode) -> list[str]:
    """What keeps a notebook that ran from being published."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(
                    f"{cell.id} raised {output.ename}: {output.evalue}\n{cell.source}"
                )
            if output.output_type == "stream" and output.name == "stderr":
                found.append(f"{cell.id} wrote to stderr: {output.text.strip()!r}")
            if address := re.search(r"<[^<>]* at 0x[0-9a-f]+>", str(output)):
                found.append(
                    f"{cell.id} shows a memory address, which changes from run to run: {address[0]}"
                )
    size = len(nbformat.writes(notebook).encode())
    if size > MAX_BYTES:
        found.append(
            f"{size:,} bytes, more than {MAX_BYTES:,}; make the pictures smaller or fewer"
        )
    return found


def build(source: Path) -> list[str]:
    """Run one source and write its notebook, or return its faults and write nothing."""
    notebook = read_source(source)
    try:
        with suppress(
            CellExecutionError
        ):  # it stops at the first error, which then stands among the outputs
            run(notebook)
    except (CellTimeoutError, DeadKernelError) as error:
        return [str(error)]
    found = faults(notebook)
    if not found:
        text = nbformat.writes(notebook) + "\n"
        source.with_suffix(".ipynb").write_text(text, encoding="utf-8", newline="\n")
    return found


def take_prose(source: Path) -> list[str]:
    """Write the notebook of a source with the outputs that it has, or return why it has to run."""
    path = source.with_suffix(".ipynb")
    new, old = read_source(source), nbformat.read(path, as_version=4)
    if [c.cell_type for c in new.cells] != [c.cell_type for c in old.cells]:
        return ["it has other cells than its notebook"]
    pairs = [
        pair
        for pair in zip(new.cells, old.cells, strict=True)
        if pair[0].cell_type == "code"
    ]
    found = [
        cell.id
        for cell, before in pairs
        if meaning(cell.source) != meaning(before.source)
    ]
    for cell, before in pairs:
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    if not found:
        path.write_text(nbformat.writes(new) + "\n", encoding="utf-8", newline="\n")
    return [f"{name} has other code than the notebook" for name in found]


def meaning(code: str) -> str:
    """What Python reads in a cell: without comments, layout and docstrings."""
    if code.startswith("%%"):
        magic, _, code = code.partition("\n")
        return magic + meaning(code)
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(node) is not None
        ):
            node.body[0] = ast.Expr(ast.Constant(""))
    return ast.dump(tree)


def stale(folder: Path) -> list[str]:
    """Which notebooks of a folder are not paired, or not the run of their source as it is now."""
    sources = {path.stem: path for path in folder.glob(f"{NUMBERED}.py")}
    notebooks = {path.stem: path for path in folder.glob(f"{NUMBERED}.ipynb")}
    found = [
        f"{name}.ipynb has no source {name}.py"
        for name in sorted(notebooks.keys() - sources.keys())
    ]
    for name, source in sorted(sources.items()):
        remedy = f"run `python notebooks/build.py {name}`"
        if name not in notebooks:
            found.append(f"{name}.py has no notebook; {remedy}")
        elif written_from(notebooks[name]) != fingerprint(source):
            found.append(
                f"{name}.ipynb is not the run of {name}.py as it is now; {remedy}"
            )
    return found


def written_from(notebook: Path) -> str:
    """The fingerprint of the source that a notebook is the run of."""
    return (
        nbformat.read(notebook, as_version=4)
        .metadata.get("minigpt", {})
        .get("sha256", "")
    )


def chosen(folder: Path, names: list[str]) -> list[Path]:
    """The sources that the names mean: a number, the start of a name, or a file name; none means all.

    Raises:
        ValueError: if a name means no source.
    """
    sources = sorted(folder.glob(f"{NUMBERED}.py"))
    starts = [re.sub(r"\.(py|ipynb)$", "", Path(name).name) for name in names]
    for start in starts:
        if not any(source.stem.startswith(start) for source in sources):
            raise ValueError(
                f"no notebook is called {start!r}; there are {', '.join(s.stem for s in sources)}"
            )
    return [
        source
        for source in sources
        if not starts or source.stem.startswith(tuple(starts))
    ]


def main() -> int:
    """Build or check; the exit status is 1 where something was refused."""
    parser = argparse.ArgumentParser(
        description="Run the notebooks and write them with their outputs."
    )
    parser.add_argument(
        "names", nargs="*", help="which ones, e.g. 05; all, if none is named"
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run nothing; refuse notebooks older than their source",
    )
    parser.add_argument(
        "--prose",
        action="store_true",
        help="run nothing; take over prose, comments and layout",
    )
    arguments = parser.parse_args()
    try:
        sources = [] if arguments.check else chosen(FOLDER, arguments.names)
    except ValueError as error:
        parser.error(str(error))
    found = stale(FOLDER) if arguments.check else []
    for source in sources:
        print(
            f"{'reading' if arguments.prose else 'running'} {source.name}", flush=True
        )
        try:
            faults_found = take_prose(source) if arguments.prose else build(source)
        except KeyboardInterrupt:
            print(f"{source.name}: stopped by a signal, not written", file=sys.stderr)
            return 1
        found += [f"{source.name}: {fault}" for fault in faults_found]
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
