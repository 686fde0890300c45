import sys
import warnings

import pytest
from mutated_files import new_run
from power_cut import power_cuts

from minigpt.files import durable
from minigpt.training import load_checkpoint, save_checkpoint
from minigpt.training.storage import checkpoint as module

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
    flush_folder = durable.flush_folder
    if flush == "file":
        monkeypatch.setattr(module, "write_through", lambda path, data: path.write_bytes(data))
    else:
        skipped = ".tmp" if flush == "its folder" else ""
        monkeypatch.setattr(module, "flush_folder", lambda folder: folder.suffix != skipped and flush_folder(folder))
    assert cuts()[1] != []
