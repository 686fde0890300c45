"""Induction heads in three models that were trained here: ``python tests/microscope/induction_campaign.py [STEPS]``."""

import sys
import time

from induction import findings, trained


def main():
    steps = int(sys.argv[1]) if sys.argv[1:] else 400
    for seed in range(3):
        start = time.process_time()
        scores, gains = findings(trained(seed, steps))
        print(f"seed {seed}, {steps} steps, {time.process_time() - start:.0f} s of CPU time")
        print(scores, scores.heads(), {name: round(gain, 3) for name, gain in gains.items()}, sep="\n", flush=True)


if __name__ == "__main__":
    main()
