"""All that may befall a run, in earnest: ``python tests/faults/fault_campaign.py`` prints the figures (some minutes).

It fails if anything was lost, wrong, executed, or left behind. With ``--quick`` it does only the parts that fork, on a
small scale, and prints JSON.
"""

import json
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from cluster import worker_killed, worlds
from full_disk import NO_FILE_SYSTEM, in_small_file_system, simulated
from kills import kills_at_lines, kills_of_a_written_model, second_signals, sigkills, stops, warm_up
from mutated_files import damaged, forged, new_run, planted
from power_cut import power_cuts
from test_power_cut import newest

from minigpt.training import save_checkpoint


def cut_power(folder, **options):
    run = new_run()
    return power_cuts(folder, lambda root, step: save_checkpoint(root, run.snapshot(step)), newest, **options)


def fill_disk(folder):
    ended = in_small_file_system(folder)
    if ended.returncode == NO_FILE_SYSTEM:
        return {"SKIPPED, no file system could be mounted": ended.stderr.strip()}, []
    return {ended.stdout.strip(): ""}, ended.stderr.splitlines() if ended.returncode else []


MUON = {"optimizer": "muon", "ema": 0.9, "spike_threshold": 6.0}  # all else that is carried from step to step
QUICK = {
    "SIGKILL": lambda folder: sigkills(folder, 6),
    "SIGKILL, Muon, saving in the background": lambda folder: sigkills(folder, 4, background=True, **MUON),
    "killed at lines of a save": lambda folder: kills_at_lines(folder, every=90),
    "killed at lines of save_pretrained": lambda folder: kills_of_a_written_model(folder, every=8),
    "SIGINT": lambda folder: stops(folder, 2, signal.SIGINT),
    "SIGTERM": lambda folder: stops(folder, 2, signal.SIGTERM),
    "SIGINT twice": lambda folder: second_signals(folder, 1, signal.SIGINT),
    "SIGTERM twice": lambda folder: second_signals(folder, 1, signal.SIGTERM),
}
FULL = {
    "SIGKILL at random instants": lambda folder: sigkills(folder, 200),
    "SIGKILL, Muon, saving in the background": lambda folder: sigkills(folder, 100, background=True, **MUON),
    "killed at each second line of a save": lambda folder: kills_at_lines(folder, every=2),
    "killed at each line of save_pretrained": kills_of_a_written_model,
    "SIGINT": lambda folder: stops(folder, 50, signal.SIGINT),
    "SIGTERM": lambda folder: stops(folder, 50, signal.SIGTERM),
    "SIGINT twice": lambda folder: second_signals(folder, 10, signal.SIGINT),
    "SIGTERM twice": lambda folder: second_signals(folder, 10, signal.SIGTERM),
    "power cut at each call": lambda folder: cut_power(folder, saves=4, variants=20),
    "damaged files": lambda folder: damaged(folder, 3000),
    "forged files": lambda folder: forged(folder, 1000),
    "planted pickles": planted,
    "disk full at each call": simulated,
    "disk full": fill_disk,
    "1, 2 and 4 processes": worlds,
    "SIGKILL of a worker, DDP": lambda folder: worker_killed(folder, "ddp"),
    "SIGKILL of a worker, FSDP": lambda folder: worker_killed(folder, "fsdp"),
}


def main(parts, say):
    """Run the parts and say what they found; whether all is well."""
    torch.set_num_threads(1)
    warm_up()
    well = True
    for title, part in parts.items():
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            counts, failures = part(Path(folder))
        say(title, counts, failures, time.perf_counter() - start)
        well = well and not failures
    return well


def as_text(title, counts, failures, seconds):
    figures = ", ".join(f"{count} {name}".strip() for name, count in counts.items())
    print(f"{title}: {figures}; {len(failures)} failures ({seconds:.0f} s)", flush=True)
    for failure in failures:
        print("   ", failure)


def as_json(title, counts, failures, seconds):
    print(json.dumps([title, counts, failures]), flush=True)


if __name__ == "__main__":
    all_is_well = main(QUICK, as_json) if "--quick" in sys.argv else main(FULL, as_text)
    sys.exit(not all_is_well)
