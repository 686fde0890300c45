import sys
import warnings

import pytest
from mutated_files import new_run
from power_cut import power_cuts
from tiny_run import TEXT, parts

import minigpt as mg
from minigpt.files import folder as module
from minigpt.training import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc to watch the flushes")


def newest(root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return load_checkpoint(root).step
        except ValueError:
            return None


@pytest.fixture
def cuts(tmp_path):
    run = new_run()
    return lambda: power_cuts(tmp_path, lambda root, step: save_checkpoint(root, run.snapshot(step)), newest)


def test_a_power_cut_at_any_call_leaves_the_newest_checkpoint_that_was_promised(cuts):
    counts, failures = cuts()
    assert counts["disks"] > 100
    assert failures == []


@pytest.mark.parametrize("flush", ["file", "its folder", "the folder above"])
def test_each_flush_is_needed(cuts, monkeypatch, flush):
    flush_folder = module.flush_folder
    if flush == "file":
        monkeypatch.setattr(module, "flush_file", lambda path: None)
    else:
        skipped = ".tmp" if flush == "its folder" else ""
        monkeypatch.setattr(module, "flush_folder", lambda folder: folder.suffix != skipped and flush_folder(folder))
    assert cuts()[1] != []


def test_a_power_cut_at_any_call_leaves_prepared_data_whole_or_absent(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)

    def prepare(root, step):
        mg.prepare(tmp_path / "text.txt", parts()[0], root / f"data-{step}", workers=1, progress=False)

    def prepared(root):
        return len([mg.open_prepared(folder, verify=True) for folder in root.glob("data-*")])

    counts, failures = power_cuts(tmp_path, prepare, prepared, saves=2)
    assert counts["disks"] > 100
    assert failures == []
