"""The report into a file, in the form that its suffix asks for."""

from __future__ import annotations

from pathlib import Path

from reviewer.errors import InputError
from reviewer.report.contents import Report
from reviewer.report.pdf import Paper, write_pdf
from reviewer.report.web import write_csv, write_html

SUFFIXES = (".pdf", ".html", ".csv")


def check(path: Path) -> None:
    """Raises InputError for a suffix that is none of `SUFFIXES`, and for a folder that is not there."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            "a report is PDF, HTML or CSV", where=str(path), remedy=f"end the name in {', '.join(SUFFIXES)}"
        )
    if not path.absolute().parent.is_dir():
        raise InputError("there is no such folder", where=str(path.absolute().parent))


def write(report: Report, path: Path, paper: Paper = "a4") -> None:
    """Whole or not at all; a report that is there is replaced. Raises InputError."""
    check(path)
    kind = path.suffix.lower()
    data = write_pdf(report, paper) if kind == ".pdf" else write_html(report) if kind == ".html" else write_csv(report)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(error.strerror or "it cannot be written", where=str(path)) from error
