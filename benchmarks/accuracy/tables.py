"""Markdown tables between marks in a document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def put(document: Path, tables: dict[str, str]) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end -->`, for each name. Raises KeyError for a name without a place."""
    text = document.read_text(encoding="utf-8")
    for name, content in tables.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not place.search(text):
            raise KeyError(f"{document} has no place for the table {name!r}")
        text = place.sub(lambda found, content=content: f"{found[1]}{content}\n{found[2]}", text)
    document.write_text(text, encoding="utf-8")


def largest(errors: Sequence[float | None]) -> float | None:
    """The error farthest from 0, with its sign; None where one is missing."""
    if not errors or any(e is None for e in errors):
        return None
    return max(errors, key=abs)


def signed(value: float | None, digits: int = 2) -> str:
    return "—" if value is None else f"{value:+.{digits}f}"
