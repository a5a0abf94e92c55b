"""`Act`: a signature that is about to be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewer.case import Case


@dataclass(frozen=True, eq=False)
class Act:
    """What goes into the log, and what it makes of the case; `Session.sign` carries it out.

    kind, label, body: of the entry (`reviewer.store.Entry`). case: for which it was made; signed: the case afterwards.
    """

    kind: str
    label: str
    body: Mapping[str, Any]
    case: Case
    signed: Case
