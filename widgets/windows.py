"""Window presets: what keys 1 to 5 do to an image of a modality (resources/windows/windows.yaml)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any

from reviewer.case import Image, Window
from reviewer.scene import default_window, signal_window


@dataclass(frozen=True)
class Preset:
    name: str
    window: Window


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    text = files("reviewer_resources").joinpath("windows", "windows.yaml").read_text(encoding="utf-8")
    table: dict[str, list[dict[str, Any]]] = import_module("yaml").safe_load(text)  # not before the first paint
    return table


def names(modality: str) -> tuple[str, ...]:
    """The presets of a modality in the order of their keys."""
    return tuple(row["name"] for row in _rows(modality))


def preset(image: Image, number: int) -> Preset | None:
    """The preset of key `number` (from 1) for this image, None where the modality has fewer."""
    rows = _rows(image.modality)
    if not 1 <= number <= len(rows):
        return None
    row = rows[number - 1]
    source = row.get("from")
    if source == "values":
        found = signal_window(image)
    elif source == "file":
        found = image.window or default_window(image)
    else:
        return Preset(row["name"], Window(float(row["level"]), float(row["width"])))
    factor, level_factor = row.get("width_factor", 1.0), row.get("level_factor", 1.0)
    return Preset(row["name"], Window(found.level * level_factor, found.width * factor))


def _rows(modality: str) -> list[dict[str, Any]]:
    table = _table()
    return table.get(modality, table["other"])
