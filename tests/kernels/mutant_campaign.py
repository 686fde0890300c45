"""Every planted bug: ``python tests/kernels/mutant_campaign.py`` prints each that goes unnoticed, and fails for one.

With ``--one-in 8`` every eighth of them, from the first on.

A survivor that changes no result is listed in ``EQUAL`` with the proof.
"""

import argparse
import os
import sys
import time
import warnings

os.environ.setdefault("TRITON_INTERPRET", "1")

import torch
import triton_mends

EQUAL: dict[tuple[str, str], str] = {}


def main(step: int) -> bool:
    """Run the campaign; whether what survived is what is known to be equal."""
    from kernel_mutants import CHECKS, HEAD_CHECKS, MUTANTS, is_noticed

    torch.set_num_threads(1)
    triton_mends.install()
    warnings.filterwarnings("ignore", ".*encountered", RuntimeWarning)
    for run in CHECKS + HEAD_CHECKS:
        run()  # the kernels as they are pass
    start, survivors = time.perf_counter(), []
    for mutant in (planted := MUTANTS[::step]):
        if not is_noticed(mutant):
            survivors.append(mutant)
            print(f"  {mutant.file}: {mutant.old!r} -> {mutant.new!r}: {EQUAL.get(mutant[::2], 'UNNOTICED')}")
    seconds = time.perf_counter() - start
    print(f"Kernels: {len(planted)} mutants in {seconds:.0f} s, {len(planted) - len(survivors)} noticed")
    return {mutant[::2] for mutant in survivors} == {mutant[::2] for mutant in planted} & set(EQUAL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-in", type=int, default=1, metavar="N")
    sys.exit(not main(parser.parse_args().one_in))
