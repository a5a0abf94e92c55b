"""The vocabulary of failures. Each says what happened, where, what was found and what to do about it."""

from __future__ import annotations


class ReviewerError(Exception):
    """Base of every error that a person may read.

    what:   one clause, lower case, what went wrong ("the dose has no units").
    where:  file, structure, slice or option it concerns.
    remedy: what the reader can do about it.
    """

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        self.what, self.where, self.remedy = what, where, remedy
        sentence = f"{where}: {what}" if where else what
        super().__init__(f"{sentence}; {remedy}" if remedy else sentence)


class InputError(ReviewerError):
    """Input or usage that cannot be worked with (exit status 2 on the command line)."""


class GeometryError(ReviewerError):
    """Positions, orientations or frames of reference that do not fit together."""


class NotRegisteredError(GeometryError):
    """Two frames of reference that no registration connects."""


class CancelledError(ReviewerError):
    """The user stopped a long job; nothing was changed."""

    def __init__(self, what: str = "cancelled") -> None:
        super().__init__(what)
