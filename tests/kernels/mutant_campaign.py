"""Every planted bug: ``python tests/kernels/mutant_campaign.py`` prints each that goes unnoticed, and fails for one.

A survivor that changes no result is listed in ``EQUAL`` with the proof.
"""

import os
import sys
import time
import warnings

os.environ.setdefault("TRITON_INTERPRET", "1")

import torch
import triton_mends

EQUAL: dict[tuple[str, str], str] = {}


def main() -> bool:
    """Run the campaign; whether what survived is what is known to be equal."""
    from kernel_mutants import CHECKS, MUTANTS, is_noticed

    torch.set_num_threads(1)
    triton_mends.install()
    warnings.filterwarnings("ignore", ".*encountered", RuntimeWarning)
    for run in CHECKS:
        run()  # the kernels as they are pass
    start, survivors = time.perf_counter(), []
    for mutant in MUTANTS:
        if not is_noticed(mutant):
            survivors.append(mutant)
            print(f"  {mutant.file}: {mutant.old!r} -> {mutant.new!r}: {EQUAL.get(mutant[::2], 'UNNOTICED')}")
    seconds = time.perf_counter() - start
    print(f"Kernels: {len(MUTANTS)} mutants in {seconds:.0f} s, {len(MUTANTS) - len(survivors)} noticed")
    return {mutant[::2] for mutant in survivors} == set(EQUAL)


if __name__ == "__main__":
    sys.exit(not main())
