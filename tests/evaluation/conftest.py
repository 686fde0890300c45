import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))  # the tests import the module beside them
