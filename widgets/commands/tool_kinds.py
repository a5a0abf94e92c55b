"""`KINDS`: the tools as they are chosen, with their names, keys and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A tool as it is chosen. fixed: settings that make it this tool and no other. hint: what mouse and keys do with it, one line, what matters
    most first. waits: whether its stroke stays open between clicks, until Enter takes it."""

    name: str
    text: str
    keys: str
    tip: str
    hint: str
    module: str
    maker: str
    icon: str
    fixed: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    waits: bool = False


_SIZE = "[ ] or Shift+wheel size"

KINDS: tuple[Kind, ...] = (
    Kind(
        "brush", "Brush", "B", "Paint with a disk, or with a ball through the slices",
        f"drag to paint · Shift erases · {_SIZE} · Esc cancels", "brush", "Brush", "brush",
    ),
    Kind(
        "eraser", "Eraser", "E", "Take away with a disk or a ball",
        f"drag to erase · Shift paints · {_SIZE} · Esc cancels", "brush", "Brush", "eraser",
        MappingProxyType({"erase": True}),
    ),
    Kind(
        "nudge", "Nudge", "N", "Push the contour with a disk",
        "push out from inside, in from outside · Shift the other way · [ ] size · Esc cancels",
        "nudge", "Nudge", "nudge",
    ),
    Kind(
        "freehand", "Freehand", "D", "Draw around what belongs to the structure",
        "drag around an area to add it · Shift takes it away · Esc cancels", "outline", "Freehand", "freehand",
    ),
    Kind(
        "polygon", "Polygon", "P", "Corners by clicks",
        "click corners · Enter or double click closes · Backspace: one back · Shift at the first takes away · Esc cancels",
        "outline", "PolygonTool", "polygon", waits=True,
    ),
    Kind(
        "livewire", "Livewire", "W", "Clicks along an edge of the image; the line finds its way between them",
        "click along the edge · Enter or double click closes · Backspace: one back · Ctrl straight · Esc cancels",
        "livewire", "Livewire", "livewire", waits=True,
    ),
    Kind(
        "fill", "Smart fill", "G", "A click fills what has values like those around it",
        "click what is to be filled, or drag the box that it stays in · Shift takes away · Esc cancels",
        "smart_fill", "SmartFill", "fill",
    ),
    Kind(
        "threshold", "Threshold", "T", "What lies in a range of values, within a box or a limit structure",
        "drag a box, or click to use the limit structure · Shift takes away · Esc cancels",
        "threshold", "Threshold", "threshold",
    ),
    Kind(
        "vertices", "Vertices", "Shift+P", "Pull the contour at its corners",
        "drag a grip, or the line to put one there · Shift+click takes a grip away · Esc cancels", "vertices", "Vertices", "vertices",
    ),
    Kind(
        "cut", "Cut", "K", "A line across takes the smaller side away",
        "drag across the contour: the smaller side goes · Shift: the larger · Esc cancels", "cut", "Cut", "cut",
    ),
    Kind(
        "island", "Island", "Shift+K", "Take an island away by a click, or keep it alone",
        "click an island to take it away · Shift keeps it alone · Esc puts the tool down", "cut", "Island", "island",
    ),
    Kind(
        "translate", "Move", "", "Move the contour by dragging",
        "drag to move · Shift along one direction · Esc cancels", "transform", "Translate", "move",
    ),
    Kind(
        "rotate", "Rotate", "", "Turn the contour about its middle",
        "drag around the middle · Shift in steps of 15° · Esc cancels", "transform", "Rotate", "rotate",
    ),
    Kind(
        "scale", "Scale", "", "Enlarge or shrink the contour about its middle",
        "drag away from the middle to enlarge · Esc cancels", "transform", "Scale", "scale",
    ),
)  # fmt: skip
"""In the order of the tool bar."""
