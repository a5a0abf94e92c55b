"""Which structures are compared, and the comparisons that are worked out beside the window, one structure at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from reviewer.case import Case, Structure, StructureSet
from reviewer.comparison import Comparison, compare, matched, same_name
from reviewer.errors import NotRegisteredError, ReviewerError

from ..jobs import Job, Jobs, Progress
from ..wording import structure_set_title

KEY = "comparison"
NOT_REGISTERED = "not registered: no registration (REG) that was opened ties the two frames of reference"


@dataclass(frozen=True, eq=False)
class Side:
    """What stands at one side: a set, or one structure of it."""

    group: StructureSet
    structure: Structure | None = None

    @property
    def title(self) -> str:
        return structure_set_title(self.group)


@dataclass(frozen=True, eq=False)
class Row:
    """A line of the table. found: None while it is worked out, or where `trouble` says why it is not.

    a, b: None where a side has no such structure. to_b: (4, 4) map of patient points (mm) from a's frame to b's.
    """

    name: str
    a: Structure | None
    b: Structure | None
    to_b: NDArray[np.float64] | None = None
    found: Comparison | None = None
    trouble: str = ""

    @property
    def waiting(self) -> bool:
        return self.found is None and not self.trouble


def rows_of(case: Case, a: Side, b: Side) -> list[Row]:
    """Every structure of both sides: the pairs, then who has no partner, with the reason."""
    if a.structure is not None and b.structure is not None:
        one, other = a.structure, b.structure
        name = one.name if same_name(one.name) == same_name(other.name) else f"{one.name} – {other.name}"
        if one is other:
            return [Row(name, one, other, trouble="A and B are the same structure; choose another one")]
        return [_paired(case, name, one, other)]
    pairs, unmatched = matched(a.group.structures, b.group.structures)
    rows = [_paired(case, one.name, one, other) for one, other in pairs]
    for each in unmatched:
        here, there = (a, b) if each.side == "A" else (b, a)
        if each.reason.endswith("none of this name"):
            reason = f"only in {each.side} ({here.title}), {there.title} has none of this name"
        else:
            reason = each.reason
        one, other = (each.structure, None) if each.side == "A" else (None, each.structure)
        rows.append(Row(each.structure.name, one, other, trouble=reason))
    return rows


def _paired(case: Case, name: str, a: Structure, b: Structure) -> Row:
    without = [side for side, s in (("A", a), ("B", b)) if s.empty]
    if without:
        return Row(name, a, b, trouble=f"{' and '.join(without)} {'has' if len(without) == 1 else 'have'} no contour")
    try:
        tie = case.transform(a.grid.frame_of_reference_uid, b.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return Row(name, a, b, trouble=NOT_REGISTERED)
    return Row(name, a, b, tie)


class Comparisons(QObject):
    """Works rows out in turn. `arrived` after each; `ended` when none is left, or when a hand has cancelled."""

    arrived = Signal()
    ended = Signal()

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._job: Job | None = None
        self.rows: list[Row] = []
        self._tolerances: tuple[float, ...] = ()
        jobs.changed.connect(self._seen)

    @property
    def running(self) -> bool:
        return self._job is not None

    def ask(self, rows: Sequence[Row], tolerances: tuple[float, ...]) -> None:
        """Work out these instead of what was asked before; what is known of the same shapes stays."""
        self._drop()
        known = [r for r in self.rows if r.found is not None] if tolerances == self._tolerances else []
        self.rows = [next((replace(row, found=k.found) for k in known if _same(row, k)), row) for row in rows]
        self._tolerances = tolerances
        self._next()

    def cancel(self) -> None:
        """What has not been worked out says so."""
        self._drop()
        self.rows = [replace(r, trouble="cancelled") if r.waiting else r for r in self.rows]
        self.ended.emit()

    def close(self) -> None:
        self._drop()
        self._jobs.changed.disconnect(self._seen)

    def _drop(self) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.cancel()

    def _next(self) -> None:
        place = next((n for n, row in enumerate(self.rows) if row.waiting), None)
        if place is None:
            self._job = None
            self.ended.emit()
            return
        row, tolerances = self.rows[place], self._tolerances
        a, b = row.a, row.b
        assert a is not None
        assert b is not None

        def work(progress: Progress) -> Comparison:
            progress.report(place / len(self.rows), f"{place + 1} of {len(self.rows)}")
            return compare(a, b, row.to_b, tolerances)

        self._job = self._jobs.run(
            f"Comparing {row.name}",
            work,
            lambda found: self._put(row, replace(row, found=found)),
            lambda error: self._put(row, replace(row, trouble=_words(error))),
            key=KEY,
        )

    def _put(self, before: Row, after: Row) -> None:
        self._job = None
        self.rows = [after if row is before else row for row in self.rows]
        self._next()
        self.arrived.emit()

    def _seen(self) -> None:
        """The list of jobs in the status strip can cancel too."""
        if self._job is not None and self._job.progress.cancelled():
            self.cancel()


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, ReviewerError) else f"unexpected {type(error).__name__}: {error}"


def _same(row: Row, known: Row) -> bool:
    if row.a is None or row.b is None or known.a is None or known.b is None or row.to_b is None or known.to_b is None:
        return False
    return row.a.same_shape(known.a) and row.b.same_shape(known.b) and np.array_equal(row.to_b, known.to_b)
