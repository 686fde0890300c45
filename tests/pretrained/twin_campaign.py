"""Every twin in and out again: ``python tests/pretrained/twin_campaign.py``.

Each model of transformers is written in float32 and in bfloat16, whole or in shards; we read it, compare logits, write
it, and transformers reads what we wrote. For some, 200 greedy tokens are compared.
"""

import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from twin_configurations import TWINS, make_twin, some_ids

import minigpt as mg
from minigpt.pretrained import pretrained_model

TOLERANCE, N_GREEDY = 1e-5, 200


def logits_of(theirs):
    with torch.no_grad():
        return theirs(some_ids()).logits


def in_and_out(theirs, folder, **written):
    """The largest difference of logits through our reading, and through our writing too."""
    from transformers import AutoModelForCausalLM

    theirs.save_pretrained(folder / "theirs", **written)
    theirs = AutoModelForCausalLM.from_pretrained(folder / "theirs", dtype=torch.float32).eval()
    ours = pretrained_model(folder / "theirs")
    mg.save_pretrained(ours, folder / "ours")
    again, report = AutoModelForCausalLM.from_pretrained(folder / "ours", output_loading_info=True, dtype=torch.float32)
    assert not any(report.values()), report
    expected = logits_of(theirs)
    with torch.no_grad():
        read = ours(some_ids()) - expected
    return read.abs().max().item(), (logits_of(again.eval()) - expected).abs().max().item()


def greedy_differs(theirs, folder):
    """Whether a greedy token of 200 differs; the model is given as many positions."""
    prompt = some_ids(1, 5)
    n_tokens = min(N_GREEDY, theirs.config.max_position_embeddings - 5)
    expected = theirs.generate(prompt, do_sample=False, max_new_tokens=n_tokens, pad_token_id=0)
    ours = pretrained_model(folder / "theirs")
    found = mg.generate_ids(
        ours, prompt, max_new_tokens=n_tokens, sampler=mg.Sampler(temperature=0), generator=torch.Generator()
    )
    return found.tolist() != expected.tolist(), len(set(found[0].tolist()))


def main():
    worst, failures = 0.0, []
    for name in TWINS:
        for written, dtype in (({}, torch.float32), ({"max_shard_size": "10kB"}, torch.bfloat16)):
            with tempfile.TemporaryDirectory() as folder:
                read, wrote = in_and_out(make_twin(name).to(dtype), Path(folder), **written)
            worst = max(worst, read, wrote)
            failures += [name] if not max(read, wrote) <= TOLERANCE else []
            print(f"{name:34} {dtype!s:15} read {read:.1e} written {wrote:.1e}", flush=True)
    for name in ("llama, llama3", "qwen3, window", "mistral, window", "mixtral"):
        TWINS["long"] = (TWINS[name][0], {**TWINS[name][1], "max_position_embeddings": N_GREEDY + 5})
        with tempfile.TemporaryDirectory() as folder:
            theirs = make_twin("long")
            theirs.save_pretrained(Path(folder) / "theirs")
            differs, n_different = greedy_differs(theirs, Path(folder))
        failures += [f"greedy {name}"] if differs else []
        print(
            f"{name:34} 200 greedy tokens {'differ' if differs else 'equal'}, {n_different} different ones", flush=True
        )
    print(f"{len(TWINS) - 1} models, worst difference {worst:.1e}, failures: {failures or 'none'}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
