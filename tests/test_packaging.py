"""What users get: a wheel with every package in it, nothing of others, that lives beside Hugging Face's `kernels`."""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DISTRIBUTION = "minigpt-as-written"
OURS_AND_THEIRS = ("minigpt", "minigpt.kernels", "kernels", "transformers")


def run(*command, cwd, **environment):
    """Run a program that must succeed, and return what it printed."""
    # Without PYTHONPATH and warnings settings of the test run: a user has neither.
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONWARNINGS")}
    environment = {**clean, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    result = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def copy_of_the_source(to: Path) -> Path:
    """What a checkout holds of the package, so that building leaves no trace in the checkout."""
    to.mkdir()
    for name in ("minigpt", "kernels", ".editable"):
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, to / name, symlinks=True, ignore=skipped)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to)
    return to


def build(source: Path) -> Path:
    """Build an sdist, and from the sdist a wheel; the wheel's path."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", source / "dist", source, cwd=source.parent)
    (wheel,) = (source / "dist").glob("*.whl")
    return wheel


def contents(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def files_imported(python: Path | str, folder: Path, *names: str, **environment) -> dict[str, Path]:
    """Import modules in a new process that runs in ``folder``, and say from which file each came."""
    code = f"import importlib, json; print(json.dumps({{n: importlib.import_module(n).__file__ for n in {names}}}))"
    found = json.loads(run(python, "-c", code, cwd=folder, **environment).splitlines()[-1])
    return {name: Path(file) for name, file in found.items()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    return build(copy_of_the_source(tmp_path_factory.mktemp("link") / "source"))


@pytest.fixture(scope="module")
def wheel_without_links(tmp_path_factory) -> Path:
    """The wheel of a checkout where git wrote the links as text files, as it does on Windows."""
    return build(copy_without_links(tmp_path_factory.mktemp("text") / "source"))


def copy_without_links(to: Path) -> Path:
    source = copy_of_the_source(to)
    for link, target in (
        (source / "minigpt" / "kernels", "../kernels"),
        (source / ".editable" / "minigpt", "../minigpt"),
    ):
        link.unlink()
        link.write_text(target)
    return source


def environment(folder: Path, *install: str | Path) -> Path:
    """A virtual environment beside the packages of this one, with minigpt installed in a way of its own; its Python."""
    venv.create(folder, with_pip=False)
    here = {"scheme": "venv", "vars": {"base": str(folder)}}
    python = Path(sysconfig.get_path("scripts", **here)) / "python"
    (Path(sysconfig.get_path("purelib", **here)) / "the_rest.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index"]
    run(*pip, "--no-build-isolation", "--ignore-installed", *install, cwd=folder)
    return python


def complaint_of_mypy(python: Path, folder: Path) -> str:
    """What mypy says about the imports of a program in ``folder`` that runs on ``python``."""
    pytest.importorskip("mypy", reason="mypy is not installed: install the dev extra")
    (folder / "program.py").write_text(
        "import minigpt\nimport minigpt.kernels.launches\nfrom minigpt.model import GPT\n"
    )
    options = ["--config-file=", "--cache-dir", os.devnull, "--follow-imports=skip", "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, f"--python-executable={python}", "program.py"]
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def test_pyproject_lists_every_package_on_disk():
    folders = (file.parent for file in (ROOT / "minigpt").rglob("__init__.py"))
    on_disk = {".".join(folder.relative_to(ROOT).parts) for folder in folders} | {"minigpt.kernels"}
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(pyproject["tool"]["setuptools"]["packages"]) == on_disk


def test_the_wheel_holds_every_module_and_the_type_marker(wheel):
    modules = {file.relative_to(ROOT).as_posix() for file in (ROOT / "minigpt").rglob("*.py")}
    kernels = {f"minigpt/{file.relative_to(ROOT).as_posix()}" for file in (ROOT / "kernels").rglob("*.py")}
    assert modules | kernels | {"minigpt/py.typed", "minigpt/equations/grammar.lark"} <= set(contents(wheel))


def test_the_wheel_has_no_top_level_but_minigpt(wheel):
    tops = {name.split("/")[0] for name in contents(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"minigpt"}


def test_the_wheel_carries_the_licence(wheel):
    assert any(name.endswith("/LICENSE") for name in contents(wheel))


def test_a_checkout_without_links_builds_the_same_wheel(wheel, wheel_without_links):
    assert contents(wheel_without_links) == contents(wheel)


def test_installed_elsewhere_it_lives_beside_transformers_and_the_other_kernels(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    run(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", site, wheel, cwd=elsewhere)
    found = files_imported(sys.executable, elsewhere, *OURS_AND_THEIRS, PYTHONPATH=str(site))
    theirs = Path(sysconfig.get_path("purelib"))
    assert found == {
        "minigpt": site / "minigpt" / "__init__.py",
        "minigpt.kernels": site / "minigpt" / "kernels" / "__init__.py",
        "kernels": theirs / "kernels" / "__init__.py",
        "transformers": theirs / "transformers" / "__init__.py",
    }


def test_type_checkers_follow_the_wheel(wheel, tmp_path):
    assert complaint_of_mypy(environment(tmp_path / "venv", wheel), tmp_path) == ""


def test_type_checkers_follow_an_editable_install_which_has_no_other_kernels(tmp_path):
    if not (ROOT / ".editable" / "minigpt").is_dir():
        pytest.skip("git wrote the links as text: the next test is about that")
    source = copy_of_the_source(tmp_path / "source")
    python = environment(tmp_path / "venv", "-e", source)
    assert complaint_of_mypy(python, tmp_path) == ""
    (source / "minigpt" / "model" / "brand_new.py").touch()  # a new module is there at once
    found = files_imported(python, tmp_path, "minigpt", "minigpt.kernels", "minigpt.model.brand_new", "kernels")
    assert {name: file.resolve() for name, file in found.items()} == {
        "minigpt": source / "minigpt" / "__init__.py",
        "minigpt.kernels": source / "kernels" / "__init__.py",
        "minigpt.model.brand_new": source / "minigpt" / "model" / "brand_new.py",
        "kernels": Path(sysconfig.get_path("purelib")) / "kernels" / "__init__.py",
    }


def test_an_editable_install_without_links_still_imports(tmp_path):
    source = copy_without_links(tmp_path / "source")
    found = files_imported(
        environment(tmp_path / "venv", "-e", source), tmp_path, "minigpt", "minigpt.kernels", "kernels"
    )
    assert found == {
        "minigpt": source / "minigpt" / "__init__.py",
        "minigpt.kernels": source / "kernels" / "__init__.py",
        "kernels": Path(sysconfig.get_path("purelib")) / "kernels" / "__init__.py",
    }


def test_uninstalling_leaves_the_other_kernels_in_place(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False)
    site = Path(sysconfig.get_path("purelib", scheme="venv", vars={"base": str(tmp_path / "venv")}))
    python = Path(sysconfig.get_path("scripts", scheme="venv", vars={"base": str(tmp_path / "venv")})) / "python"
    copy_distribution("kernels", site)
    (site / "the_rest.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=tmp_path)
    assert files_imported(python, tmp_path, "minigpt")["minigpt"].is_relative_to(site)
    run(*pip, "uninstall", "--yes", DISTRIBUTION, cwd=tmp_path)
    assert not (site / "minigpt").exists()
    assert files_imported(python, tmp_path, "kernels")["kernels"] == site / "kernels" / "__init__.py"


def copy_distribution(name: str, site: Path) -> None:
    """Copy an installed distribution, with its metadata, into another site-packages."""
    for file in importlib.metadata.files(name) or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), site / file)
