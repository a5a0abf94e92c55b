"""What commands say: one JSON document or tables on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reviewer.cli import printable


def print_json(document: object) -> None:
    """Print one JSON document, in ASCII. NaN and infinities, which JSON does not know, become null."""
    print(json.dumps(_plain(document), indent=2, allow_nan=False))


def print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()) -> None:
    """Print aligned columns below a title; nothing when there are no rows. right: headings of columns aligned to the right."""
    lines = [tuple(headings), *(tuple(printable(cell) for cell in row) for row in rows)]
    if len(lines) == 1:
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    numeric = {i for i, heading in enumerate(headings) if heading in set(right)}
    print(f"\n{title}")
    for line in lines:
        cells = (c.rjust(w) if i in numeric else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True)))
        print(("  " + "  ".join(cells)).rstrip())


def number(value: float | None, digits: int) -> str:
    """A number for people; what was not evaluated is a dash, never a zero."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def say(message: str) -> None:
    """A message for people, on standard error."""
    print(f"reviewer: {printable(message)}", file=sys.stderr)


class Progress:
    """Progress on one line of standard error, where somebody watches; silent in pipes and logs."""

    def __init__(self) -> None:
        self._shown = False

    def __call__(self, fraction: float, text: str) -> None:
        if sys.stderr.isatty():
            self._shown = True
            print(f"\r\x1b[K{fraction:4.0%} {text}", end="", file=sys.stderr, flush=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
