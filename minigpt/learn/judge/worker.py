"""The other process: it runs a function on the inputs that it is sent, and sends back plain numbers.

The text of this module and that of ``jobs`` is what that process runs, so it imports nothing of ours. It never sees
what is expected.
"""

import base64
import contextlib
import io
import json
import linecache
import pickle
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

#: What this text is called where it runs in another process.
WORKER = "<minigpt worker>"
#: The most numbers in one result, levels of a nested list, and characters that are kept of what a function prints.
MOST_NUMBERS, DEEPEST, MOST_TEXT = 1_000_000, 8, 2_000
NUMPY_KINDS = {"f": "<f8", "i": "<i8", "u": "<i8", "b": "|b1", "c": "<c16"}


class Clipped(io.TextIOBase):
    """A stream that keeps the beginning of what is written to it."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Keep the text while there is room."""
        if len(self.text) < MOST_TEXT:
            self.text += str(text)[: MOST_TEXT - len(self.text)]
        return len(text)


@contextlib.contextmanager
def quiet(printed: Clipped) -> Iterator[None]:
    """Keep what is printed. Warnings, which are mostly those of libraries, are no output of the function.

    Args:
        printed: gets the text.
    """
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def encode(value: Any, depth: int = 0) -> dict[str, Any]:
    """A result as JSON can hold it.

    Args:
        value: a tensor, an array, a number, ``None``, or a list or tuple of them; of anything else its type is sent.
        depth: of the list that it is in.
    """
    try:
        if value is None:
            return {"form": "none"}
        if isinstance(value, list | tuple):
            if depth == DEEPEST or len(value) > MOST_NUMBERS // 100:
                return {"form": "large", "shape": [len(value)]}
            return {"form": "list", "items": [encode(item, depth + 1) for item in value]}
        if isinstance(value, bool | int | float | complex):
            return _array(np.asarray(value), type(value).__name__)
        if isinstance(value, torch.Tensor):
            return _tensor(value)
        if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
            array = np.asarray(value)
            return encode(array.tolist(), depth) if array.dtype.kind == "O" else _array(array, array.dtype.name)
    except Exception:  # a class of the function's own may raise anything
        pass
    return {"form": "other", "type": type(value).__name__}


def _tensor(value: torch.Tensor) -> dict[str, Any]:
    if value.numel() > MOST_NUMBERS:
        return {"form": "large", "shape": list(value.shape)}
    name, value = str(value.dtype).removeprefix("torch."), value.detach().cpu()
    value = value.to_dense() if value.is_sparse else value
    wide = torch.complex128 if value.is_complex() else torch.float64 if value.is_floating_point() else None
    return _array(value.resolve_conj().resolve_neg().to(wide or value.dtype).numpy(), name)


def _array(value: np.ndarray, name: str) -> dict[str, Any]:
    if value.size > MOST_NUMBERS:
        return {"form": "large", "shape": list(value.shape)}
    kind = NUMPY_KINDS[value.dtype.kind]
    data = base64.b64encode(np.ascontiguousarray(value.astype(kind)).tobytes()).decode()
    return {"form": "array", "dtype": name, "kind": kind, "shape": list(value.shape), "data": data}


def outcomes(function: Callable[..., Any], cases: list[bytes], repeats: int) -> Iterator[dict[str, Any]]:
    """What a function does for each case: its result and its arguments after the call, or what it raised.

    Args:
        function: takes the arguments of a case.
        cases: pickled arguments, one tuple each.
        repeats: how many of the first cases are run twice.
    """
    for number, case in enumerate(cases):
        outcome: dict[str, Any] = {"case": number}
        printed, start = Clipped(), time.perf_counter()
        with quiet(printed):
            try:
                arguments = pickle.loads(case)
                outcome["result"] = encode(function(*arguments))
                outcome["arguments"] = [encode(argument) for argument in arguments]
                if number < repeats:
                    with quiet(Clipped()):
                        outcome["again"] = encode(function(*pickle.loads(case)))
            except BaseException as error:
                outcome = {"case": number, "error": described(error)}
        yield {**outcome, "printed": printed.text, "seconds": time.perf_counter() - start}


#: The beginnings of the paths of code that isn't the function's own: installed packages, the standard library, this.
NOT_OWN = (*(str(Path(module.__file__ or "").parent) for module in (json, contextlib)), WORKER, "<frozen")
NOT_OWN = (str(Path(np.__file__).parents[1]), str(Path(torch.__file__).parents[1]), *NOT_OWN)


def described(error: BaseException) -> dict[str, Any]:
    """An exception: its type, its message and where in the function's own code it was raised, innermost last."""
    found = traceback.extract_tb(error.__traceback__)
    frames = [[f.filename, f.lineno, f.line or ""] for f in found if not f.filename.startswith(NOT_OWN)][-8:]
    try:
        message = str(error.msg if isinstance(error, SyntaxError) else error)[:500]
    except Exception:
        message = ""
    if isinstance(error, SyntaxError):
        frames.append([error.filename, error.lineno, (error.text or "").strip()])
    return {"type": type(error).__name__, "message": message, "frames": frames}


def loaded(job: dict[str, Any]) -> Callable[..., Any]:
    """The function of a job: pickled, or by its name in a file, whose text is run."""
    sys.path[:] = job["path"]
    if "pickled" in job:
        function: Callable[..., Any] = pickle.loads(job["pickled"])
        return function
    path, text = job["file"], job["text"]
    linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)
    sys.path.insert(0, str(Path(path).absolute().parent))
    module = type(sys)("answers")
    module.__file__ = path
    sys.modules["answers"] = module
    exec(compile(text, path, "exec"), module.__dict__)
    named: Callable[..., Any] = getattr(module, job["name"])
    return named


def run(job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What happens to a job: an error of loading it, or the outcome of each case.

    Args:
        job: ``path`` of modules, ``cases``, ``repeats``, and either ``pickled`` or ``file``, ``text`` and ``name``.
    """
    printed = Clipped()
    with quiet(printed):
        try:
            function = loaded(job)
        except BaseException as error:
            function, failure = None, described(error)
    if function is None:
        yield {"case": 0, "error": failure, "printed": printed.text, "loading": True}
    else:
        for outcome in outcomes(function, job["cases"], job["repeats"]):
            yield {**outcome, "printed": printed.text + outcome["printed"]}
            printed.text = ""
