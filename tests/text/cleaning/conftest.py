"""Puts this folder on the path: its tests and the campaign share their parts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
