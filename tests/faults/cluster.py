"""Training on several processes: are the losses those of one, and does the run survive the death of a worker?

``torchrun … cluster.py FOLDER PART`` is what each process does; the other functions are parts of the campaign.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "training" / "processes"))

import safetensors.numpy
import several
import torch

STEPS, HALF = 200, 100
STRATEGIES = ("ddp", "fsdp")
LARGEST_DIFFERENCE = 1e-5  # nats per token
IN_16_BITS = 1e-3  # a bfloat16 has three digits
# Ten times the usual rate makes float32's rounding grow along the run, to some 1e-5. In float64 it stays below one unit
# of the loss, which is reported in float32, and a wrong formula would still show.
FAST, IN_64_BITS = 0.01, 2.5e-7
WAYS = {
    **{f"optimizer {name}": {"optimizer": name} for name in ("sgd", "momentum", "adam", "lion", "muon")},
    "ema": {"ema": 0.9},
    "recomputed activations": {"activation_checkpointing": True},
    "label smoothing": {"label_smoothing": 0.1},
    "bf16": {"precision": "bf16"},
    "chunked loss": {"loss": "chunked"},
}


def train(data, **options):
    """The losses of a run of many steps."""
    usual = {"steps": STEPS, "learning_rate": 1e-3, "eval_every": 0, "checkpoint_every": 0}
    return several.train(data, **{**usual, **options})["loss"]


def in_64_bits(**options):
    """The losses of a run in float64 with a high learning rate."""
    return train(several.windows(), model=several.make_model().double(), learning_rate=FAST, **options)


def way(name, **options):
    """The losses of a short run with another setting."""
    return train(several.windows(), steps=10, learning_rate=FAST, **WAYS[name], **options)


def losses(folder):
    """Whole runs, and runs that are left half done, to be gone on with by another number of processes."""
    found = {}
    for strategy in STRATEGIES:
        found |= {f"{strategy} {name}": train(data(), strategy=strategy) for name, data in several.DATA.items()}
        found[f"{strategy} float64"] = in_64_bits(strategy=strategy)
        if os.environ["WORLD_SIZE"] == "2":
            found |= {f"{strategy} {name}": way(name, strategy=strategy) for name in WAYS}
            half = several.Data(several.windows(), several.stop_before(HALF))
            train(half, strategy=strategy, sharded_checkpoints=strategy == "fsdp", out=folder / strategy)
        else:
            found[f"{strategy} resumed"] = train(
                several.windows(), strategy=strategy, out=folder / f"{strategy}-on-4", resume=True
            )
    return found


def long_run(folder):
    """A run that is killed from outside and not told to go on: torchrun starts it again."""
    (folder / f"pid-{several.rank()}").write_text(str(os.getpid()))
    strategy = folder.name
    train(several.windows(), strategy=strategy, sharded_checkpoints=strategy == "fsdp", checkpoint_every=10, out=folder)
    return {}


def torchrun(n_processes, folder, part, *options):
    """Start the processes; the agent that looks after them."""
    rendezvous = ["--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", str(n_processes), *options]
    command = [sys.executable, "-m", "torch.distributed.run", *rendezvous, __file__, str(folder), part]
    loopback = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": several.LOOPBACK}
    return subprocess.Popen(command, env={**os.environ, **loopback}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(agent):
    """Wait for torchrun, which ends its processes on its way out: what went wrong."""
    try:
        _, errors = agent.communicate(timeout=300)
    finally:
        agent.terminate()
        agent.wait()
    return [] if agent.returncode == 0 else [f"torchrun ended with {agent.returncode}: {errors.decode()[-2000:]}"]


def worlds(folder):
    """The losses of 1, 2 and 4 processes over 200 steps; saved by 2, gone on with by 1 and by 4.

    Returns:
        The largest differences, and what went wrong.
    """
    alone = {"float64": in_64_bits(), **{name: train(data()) for name, data in several.DATA.items()}}
    if failures := ended(torchrun(2, folder, "losses")):
        return {}, failures
    for strategy in STRATEGIES:
        shutil.copytree(folder / strategy, folder / f"{strategy}-on-4")
    if failures := ended(torchrun(4, folder, "losses")):
        return {}, failures
    counts = {}
    for size in (2, 4):
        for name, found in json.loads((folder / f"losses-{size}.json").read_text()).items():
            kind = name.partition(" ")[2]
            expected = alone.get(kind) or (way(kind) if kind in WAYS else alone["windows"])
            counts[f"largest difference of a loss: {name}, {size} processes"] = _difference(found, expected)
    for strategy in STRATEGIES:
        found = train(several.windows(), out=folder / strategy, resume=True)
        counts[f"largest difference of a loss: {strategy} resumed, 1 process"] = _difference(found, alone["windows"])
    special = {"bf16": IN_16_BITS, "float64": IN_64_BITS}
    bounds = {name: special.get(name.split()[-3].rstrip(","), LARGEST_DIFFERENCE) for name in counts}
    return counts, [f"{figure} {name}" for name, figure in counts.items() if not figure <= bounds[name]]


def _difference(these, those):
    return max(abs(a - b) for a, b in zip(these, those, strict=True))


def worker_killed(folder, strategy):
    """SIGKILL one of two workers, twice, at instants that nobody chose; torchrun starts both again.

    Returns:
        The counts, and what went wrong.
    """
    undisturbed, killed = folder / "undisturbed" / strategy, folder / "killed" / strategy
    for out in (undisturbed, killed):
        out.mkdir(parents=True)
    failures = ended(torchrun(2, undisturbed, "long_run"))
    agent, chance, kills = torchrun(2, killed, "long_run", "--max-restarts", "3"), random.Random(strategy), []
    for first in (20, 110):
        step = chance.randrange(first, first + 60)
        while agent.poll() is None and _steps(killed) < step:
            time.sleep(0.002)
        victim = chance.randrange(2)
        os.kill(int((killed / f"pid-{victim}").read_text()), signal.SIGKILL)
        kills.append(f"rank {victim} after step {step}")
        while agent.poll() is None and _steps(killed) >= step:  # until the restarted run has cut the log
            time.sleep(0.002)
    failures += ended(agent)
    hashes = [_hashes(out) for out in (undisturbed, killed)]
    if hashes[0] != hashes[1] or not hashes[0]:
        failures.append(f"the final weights differ: {hashes}")
    return {"kills": len(kills), f"equal files at the end ({', '.join(kills)})": len(hashes[0])}, failures


def _steps(out):
    log = out / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def _hashes(out):
    """The sha256 of the tensors in each file of the last checkpoint; their order in a file of shards is by chance."""
    found = {}
    for file in (out / "checkpoints" / f"step-{STEPS:08d}").glob("*.safetensors"):
        tensors = sorted(safetensors.numpy.load(file.read_bytes()).items())
        found[file.name] = hashlib.sha256(b"".join(name.encode() + t.tobytes() for name, t in tensors)).hexdigest()
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, part = Path(sys.argv[1]), sys.argv[2]
    found = {"losses": losses, "long_run": long_run}[part](folder)
    if several.rank() == 0:
        (folder / f"{part}-{os.environ['WORLD_SIZE']}.json").write_text(json.dumps(found))
