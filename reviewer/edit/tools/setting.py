"""What a panel needs to know of a tool's settings, written beside each field of its dataclass.

@dataclass(frozen=True)
class Brush:
    radius_mm: float = setting(8.0, "Radius", "How far the brush reaches", unit="mm", least=0.25, most=100, step=0.5)
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from reviewer.errors import InputError

KEY = "setting"


@dataclass(frozen=True)
class Setting:
    """One setting as it is shown.

    unit, least, most and step are for numbers, which have both limits or none; a choice is told by the field's type (bool, Literal).
    """

    label: str
    tooltip: str
    unit: str = ""
    least: float | None = None
    most: float | None = None
    step: float | None = None


def setting(
    default: Any,
    label: str,
    tooltip: str,
    *,
    unit: str = "",
    least: float | None = None,
    most: float | None = None,
    step: float | None = None,
) -> Any:
    """A dataclass field with a default and its `Setting`."""
    return field(default=default, metadata={KEY: Setting(label, tooltip, unit, least, most, step)})


def settings_of(tool: Any) -> dict[str, Setting]:
    """The settings of a tool (a dataclass or an instance of one) to be shown, by field name and in order; other fields are not shown."""
    return {f.name: f.metadata[KEY] for f in fields(tool) if KEY in f.metadata}


def checked(tool: Any) -> None:
    """Raises InputError where a number of a tool's settings is beyond its least or most."""
    for name, each in settings_of(tool).items():
        if each.least is None or each.most is None:
            continue
        value = getattr(tool, name)
        if not each.least <= value <= each.most:
            limits = f"{each.least:g} to {each.most:g} {each.unit}".rstrip()
            raise InputError(f"{each.label.lower()} is from {limits}", remedy=f"found {value:g}")
