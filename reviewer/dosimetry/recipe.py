"""Recipes of doses as they stand in the log. No numba: the window imports it at start."""

from __future__ import annotations

from typing import Any

from reviewer.case import Part, Recipe

MADE, REMOVED = "dose", "dose removed"
"""Kinds of entries of the log."""


def document(recipe: Recipe) -> dict[str, Any]:
    """As JSON, for the log."""
    return {
        "parts": [[p.dose, p.weight, p.fractions] for p in recipe.parts],
        "scale": recipe.scale,
        "courses": recipe.courses,
        "name": recipe.name,
    }


def read(found: Any) -> Recipe:
    """What `document` wrote. Raises KeyError, TypeError or ValueError for anything else."""
    parts = tuple(
        Part(str(dose), float(weight), None if fractions is None else int(fractions))
        for dose, weight, fractions in found["parts"]
    )
    return Recipe(parts, str(found["scale"]), bool(found["courses"]), str(found["name"]))
