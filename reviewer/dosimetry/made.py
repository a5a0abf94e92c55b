"""Doses made of doses by a recipe: sums and maps of biological dose. The recipe goes into the log, and makes the same dose again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from reviewer.case import Case, Dose, Part, Recipe
from reviewer.dosimetry.accumulation import Term, accumulate
from reviewer.dosimetry.biology import Effect, effect_map
from reviewer.dosimetry.recipe import MADE, REMOVED, document, read
from reviewer.errors import InputError, ReviewerError
from reviewer.store.chain import Entry, canonical


def make(recipe: Recipe, case: Case, progress: Callable[[float], None] = lambda part: None) -> Dose:
    """The dose, with what 100 % of it is where its parts say so. Its id is the same for the same recipe.

    Raises InputError where a part is not there, is not tied to the first, or cannot be added to it.
    """
    parts = [(part, _dose(case, part.dose)) for part in recipe.parts]
    effect = Effect.parse(recipe.scale) if recipe.scale else None
    if recipe.scale and effect is None:
        raise InputError(f"{recipe.scale!r} is no scale of biological dose", remedy="write it as in EQD2_3")
    if not parts:
        raise InputError("there is nothing to add up", remedy="choose at least one dose")
    first = parts[0][1]
    if effect is not None and len(parts) == 1 and parts[0][0].weight == 1:
        fractions = parts[0][0].fractions
        if fractions is None:
            raise InputError("the number of fractions is not known", where=first.label, remedy=f"{effect} needs it")
        made = effect_map(first, effect, fractions)
        progress(1.0)
    else:
        frame = first.grid.frame_of_reference_uid
        terms = [
            Term(dose, part.weight, case.transform(frame, dose.grid.frame_of_reference_uid), part.fractions)
            for part, dose in parts
        ]
        made = accumulate(terms, first.grid, _label(recipe, effect, parts), effect, progress)
    gy, fractions = (None, None) if recipe.courses else _prescription(case, effect, parts)
    digest = hashlib.sha256(canonical(document(recipe)).encode()).hexdigest()[:16]
    said = tuple(dict.fromkeys(line for _, dose in parts for line in dose.statements))
    return replace(
        made,
        id=f"{first.id}#{digest}",
        statements=said,
        recipe=recipe,
        prescribed_gy=gy,
        fractions=fractions,
        path="",
    )


def remade(case: Case, entries: Sequence[Entry]) -> tuple[Case, tuple[str, ...]]:
    """The case with the doses that a log tells of and that were not removed; sentences on those that cannot be made again."""
    recipes: dict[str, Recipe] = {}
    wanted: dict[str, str] = {}
    remarks: list[str] = []
    for entry in entries:
        if entry.kind not in (MADE, REMOVED):
            continue
        try:
            dose_id = str(entry.content["id"])
            if entry.kind == REMOVED:
                wanted.pop(dose_id, None)
            else:
                recipes[dose_id], wanted[dose_id] = read(entry.content["recipe"]), entry.label
        except (KeyError, TypeError, ValueError, RecursionError):
            remarks.append(f"entry {entry.number} ({entry.label}) cannot be read")
    made: dict[str, Dose] = {}
    for dose_id, label in wanted.items():
        try:
            _make_again(dose_id, recipes, case, made, ())
        except ReviewerError as error:
            remarks.append(f"{label}: the dose cannot be made again: {error}")
    return replace(case, doses=(*case.doses, *(made[i] for i in wanted if i in made))), tuple(remarks)


def _make_again(
    dose_id: str, recipes: Mapping[str, Recipe], case: Case, made: dict[str, Dose], above: tuple[str, ...]
) -> None:
    """After the parts that were made themselves, though they may have been removed since."""
    if dose_id in made:
        return
    if dose_id in above:
        raise InputError("it is made of itself")
    recipe = recipes[dose_id]
    for part in recipe.parts:
        if part.dose in recipes:
            _make_again(part.dose, recipes, case, made, (*above, dose_id))
    made[dose_id] = make(recipe, replace(case, doses=(*case.doses, *made.values())))


def _dose(case: Case, dose_id: str) -> Dose:
    dose = case.dose(dose_id)
    if dose is None:
        raise InputError("a dose that it is made of is not there", where=dose_id)
    return dose


def _label(recipe: Recipe, effect: Effect | None, parts: Sequence[tuple[Part, Dose]]) -> str:
    made_of = " + ".join(f"{part.weight:g} × {dose.label or 'dose'}" for part, dose in parts)
    scale = f" {effect.kind} (α/β {effect.alpha_beta_gy:g} Gy)" if effect else ""
    return f"{recipe.name or 'sum'}{scale}: {made_of}"


def _prescription(
    case: Case, effect: Effect | None, parts: Sequence[tuple[Part, Dose]]
) -> tuple[float | None, int | None]:
    """Of fractions of one course: as much of each prescription, and of each number of fractions, as the part counts."""
    gy, number = 0.0, 0.0
    for part, dose in parts:
        prescribed, planned = case.prescription(dose)
        fractions = part.fractions or planned
        if prescribed is None or fractions is None:
            return None, None
        gy += part.weight * (effect.of(prescribed, fractions) if effect else prescribed)
        number += part.weight * fractions
    whole = round(number)
    return gy, whole if whole >= 1 and abs(number - whole) < 1e-6 else None
