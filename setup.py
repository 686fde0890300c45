"""Where the packages are: the rest of what describes the project is in pyproject.toml.

``kernels/`` is a folder of its own in the repository and ``minigpt.kernels`` once installed. An editable install puts
one folder on the path, ``.editable/``, which holds nothing but a link to ``minigpt/``: type checkers and editors find
the package there, and no second ``kernels`` hides Hugging Face's package of that name.
"""

import sys
from pathlib import Path

from setuptools import setup

LINKED = ".editable"
# Where git writes links as text, as it may on Windows, setuptools maps the folders, which type checkers can't see.
is_linked = Path(LINKED, "minigpt", "kernels", "__init__.py").is_file()

if "editable_wheel" in sys.argv and is_linked:
    setup(package_dir={"": LINKED})
else:
    setup(package_dir={"minigpt": "minigpt", "minigpt.kernels": "kernels"})
