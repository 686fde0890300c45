"""Puts this folder on the path: its tests share the derivations and the formulas of the exercises."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
