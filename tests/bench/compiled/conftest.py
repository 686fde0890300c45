"""What imports triton is left out where there is none; tests/kernels/test_available.py says so."""

from importlib.util import find_spec

if find_spec("triton") is None:
    collect_ignore_glob = [f"test_{name}.py" for name in ("bounds", "compilation", "inspection", "jobs")]
