"""What is worth remembering of a view, as JSON, and what of it still makes sense in a case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple
from types import MappingProxyType
from typing import Any, get_args

from reviewer.case import Case, Window
from reviewer.columns import Column, Prescribed
from reviewer.dosimetry.criteria import Criteria
from reviewer.errors import InputError
from reviewer.scene import MapKind, OverlayStyle, View

_SWITCHES = ("overlay_on", "crosshair", "isodose_lines", "wash", "both_isodoses")
_SHARES = ("blend", "swipe", "wash_opacity")


def document(view: View) -> dict[str, Any]:
    """Images, dose, structures and how they are shown; not the tools, nor what passes."""
    return {
        **{name: getattr(view, name) for name in (*_SWITCHES, *_SHARES, "base", "overlay", "style", "dose")},
        "structure_set": view.structure_set,
        "active": view.active,
        "reference_gy": view.reference_gy,
        **judging(view),
        "wanted_map": view.wanted_map,
        "gamma": list(astuple(view.gamma)),
        "columns": [[c.dose, c.structure_set] for c in view.columns],
        "point_mm": list(view.point_mm),
        "hidden": sorted(view.hidden),
        "filled": sorted(view.filled),
        "windows": {image: [w.level, w.width] for image, w in view.windows.items()},
    }


def judging(view: View) -> dict[str, Any]:
    """By what goals are judged, as far as somebody chose it: what a signature is given under."""
    return {
        "sheet": view.sheet,
        "prescribed": {dose: [typed.gy, typed.fractions] for dose, typed in view.prescribed.items()},
        "assigned": dict(view.assigned),
    }


def wishes(found: Any, case: Case) -> dict[str, Any]:
    """For `Session.look`: what a document asks for, without anything that the case does not hold or that makes no sense."""
    if not isinstance(found, Mapping):
        return {}
    asked: dict[str, Any] = {}
    for name in _SWITCHES:
        if isinstance(found.get(name), bool):
            asked[name] = found[name]
    for name in _SHARES:
        if _finite(found.get(name)) and 0 <= found[name] <= 1:
            asked[name] = float(found[name])
    if found.get("style") in get_args(OverlayStyle):
        asked["style"] = found["style"]
    images, structures = {i.id for i in case.images}, {s.id for s in case.structures}
    there: dict[str, set[str | None]] = {
        "base": {*images},
        "overlay": {None, *images},
        "dose": {None, *(d.id for d in case.doses)},
        "structure_set": {g.id for g in case.structure_sets},
        "active": {None, *structures},
    }
    for name, known in there.items():
        value = found.get(name)
        if name in found and (value is None or isinstance(value, str)) and value in known:
            asked[name] = value
    if asked.get("dose") is not None and _finite(found.get("reference_gy")) and found["reference_gy"] > 0:
        asked["reference_gy"] = float(found["reference_gy"])
    if isinstance(found.get("sheet"), str):
        asked["sheet"] = found["sheet"]
    prescribed, assigned = found.get("prescribed"), found.get("assigned")
    if isinstance(prescribed, Mapping):
        asked["prescribed"] = MappingProxyType(
            {i: Prescribed(*typed) for i, typed in prescribed.items() if i in there["dose"] and _prescribed(typed)}
        )
    if isinstance(assigned, Mapping):
        asked["assigned"] = MappingProxyType(
            {str(n): i for n, i in assigned.items() if isinstance(i, str) and i in structures}
        )
    if found.get("wanted_map") in get_args(MapKind):
        asked["wanted_map"] = found["wanted_map"]
    if isinstance(found.get("gamma"), list):
        with suppress(TypeError, InputError):
            asked["gamma"] = Criteria(*found["gamma"])
    columns = found.get("columns")
    if isinstance(columns, list):
        asked["columns"] = tuple(
            Column(c[0], c[1])
            for c in columns
            if isinstance(c, list)
            and len(c) == 2
            and all(isinstance(i, str) for i in c)
            and c[0] in there["dose"]
            and c[1] in there["structure_set"]
        )
    point = found.get("point_mm")
    if "base" in asked and isinstance(point, list) and len(point) == 3 and all(map(_finite, point)):
        asked["point_mm"] = tuple(map(float, point))
    for name in ("hidden", "filled"):
        if isinstance(found.get(name), list):
            asked[name] = frozenset(i for i in found[name] if isinstance(i, str) and i in structures)
    windows = found.get("windows")
    if isinstance(windows, Mapping):
        asked["windows"] = MappingProxyType({i: Window(*w) for i, w in windows.items() if i in images and _window(w)})
    return asked


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _prescribed(value: Any) -> bool:
    """[Gy, fractions], either of them None."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    gy, fractions = value
    whole = isinstance(fractions, int) and not isinstance(fractions, bool) and fractions >= 1
    return (gy is None or (_finite(gy) and gy > 0)) and (fractions is None or whole)


def _window(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_finite, value)) and value[1] > 0
