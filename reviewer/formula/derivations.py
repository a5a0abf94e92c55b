"""The formulas of a case, alive: what an edit moves is followed through every formula that can be reached from it."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray

from reviewer.case import PALETTE, Case, Dose, Structure, StructureSet
from reviewer.edit import Swap
from reviewer.edit.structures import free_number, name_refusal
from reviewer.errors import InputError, NotRegisteredError, ReviewerError
from reviewer.formula.evaluate import REMEMBERED, Evaluation, grid_for
from reviewer.formula.grammar import FormulaError, IsodoseVolume, Name, mentions, parse
from reviewer.geometry.memo import Memo
from reviewer.geometry.region import Region

_Key = tuple[str, str, str]
"""Ids of the set and of the structure, and its formula."""


@dataclass(frozen=True)
class Derived:
    """A structure as its formula makes it, and what is odd about that: what had to be cut off, or that nothing is left."""

    structure: Structure
    evaluation: Evaluation

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.evaluation.warnings, *(("nothing is left of it",) if self.structure.empty else ()))


def derive(case: Case, group: StructureSet, name: str, text: str, kind: str = "") -> Derived:
    """A new structure of `group` from a formula; it is not yet in the case, and may be made in any thread.

    Raises InputError for a name that is taken or that no file could hold, FormulaError for what cannot be read or evaluated,
    GeometryError for structures that do not lie together.
    """
    refusal = name_refusal(group, name)
    if refusal:
        raise InputError(refusal, remedy="choose another name")
    node = parse(text)
    sources = CaseSources(case, group, text)
    named = [sources.structure(mention) for mention in mentions(node)]
    if not named:
        raise FormulaError("no structure is named whose slices the result could lie on", text, node.span)
    evaluation = Evaluation(text, node, grid_for(node, named), sources)
    number = free_number(group)
    structure = Structure(
        id=f"{group.id}#{number}",
        name=name,
        grid=evaluation.grid,
        planes=evaluation.planes,
        type=kind,
        colour=PALETTE[number % len(PALETTE)],
        image_id=named[0].image_id,
        number=number,
        formula=text,
    )
    return Derived(structure, evaluation)


class Derivations:
    """Keeps the formulas of one case evaluated. Threads may ask for any state of the case; they take turns.

    A state that was asked for before an edit makes it (a stroke that is still drawn) is there when the edit is done: the very same structures.

    unable: id of a structure without contours -> why its formula could not be evaluated when it was last followed.
    """

    def __init__(self) -> None:
        self._evaluations: dict[_Key, Evaluation] = {}
        self._latest: dict[_Key, tuple[Structure, Structure]] = {}
        self._regions: Memo[Region] = Memo(REMEMBERED)
        self.unable: dict[str, ReviewerError] = {}
        self._able: set[_Key] = set()
        self._turn = threading.Lock()

    def adopt(self, group: StructureSet, derived: Derived) -> None:
        """Go on from the evaluation that made a structure, instead of evaluating it again after the first edit."""
        with self._turn:
            self._evaluations[group.id, derived.structure.id, derived.evaluation.text] = derived.evaluation

    def follow(self, case: Case, swaps: Iterable[Swap]) -> tuple[Swap, ...]:
        """What else changes in a case in which `swaps` were just done: every live formula that they reach, in the order of dependence.

        Raises FormulaError where a formula can no longer be evaluated (its structure is gone, a cycle): then the edit must not be done.
        Where it never could be since the case was opened, and there are no contours to lose, `unable` says why, and nobody is held up:
        one formula whose dose is not there is no reason to refuse strokes on an organ.
        """
        with self._turn:
            try:
                touched = dict.fromkeys(swap.set_id for swap in swaps)
                return tuple(swap for set_id in touched for swap in self._follow_in(case, set_id))
            except Exception:
                # Some of them have taken in an edit that will not be done, and one may have done so by half.
                self._evaluations.clear()
                raise

    def _follow_in(self, case: Case, set_id: str) -> Iterator[Swap]:
        group = case.structure_set(set_id)
        if group is None:
            return
        alive = {(s.id, s.formula) for s in group.structures if s.live}
        for key in [k for k in self._evaluations if k[0] == set_id and k[1:] not in alive]:
            del self._evaluations[key]
            self._latest.pop(key, None)
        if not alive:
            return
        now = {s.name: s for s in group.structures}
        for structure in in_order(group):
            text = structure.formula or ""
            key = (set_id, structure.id, text)
            self.unable.pop(structure.id, None)
            try:
                self._evaluate(key, CaseSources(case, group, text, now))
            except ReviewerError as error:
                if key in self._able or not structure.empty:
                    raise
                self.unable[structure.id] = error
                continue
            self._able.add(key)
            fresh = self._made(key, structure)
            if fresh is not structure:
                now[structure.name] = fresh
                yield Swap(set_id, structure, fresh)

    def _evaluate(self, key: _Key, sources: CaseSources) -> None:
        if key in self._evaluations:
            self._evaluations[key].update(sources)
            return
        text = key[-1]
        node = parse(text)
        named = [sources.structure(mention) for mention in mentions(node)]
        for mention, structure in zip(mentions(node), named, strict=True):
            if structure.id in self.unable:
                raise FormulaError(f"“{structure.name}” cannot be evaluated itself", text, mention.span)
        self._evaluations[key] = Evaluation(text, node, grid_for(node, named), sources)

    def _made(self, key: _Key, before: Structure) -> Structure:
        """The structure as its formula makes it now; the same object where it was the same already, or was asked for just before."""
        evaluation = self._evaluations[key]
        planes = {k: self._one(key, k, before.planes.get(k), region) for k, region in evaluation.planes.items()}
        made = replace(before, planes=planes, grid=evaluation.grid)
        if made.same_shape(before):
            return before
        source, latest = self._latest.get(key, (None, None))
        if latest is not None and source is before and latest.same_shape(made):
            return latest
        self._latest[key] = before, made
        return made

    def _one(self, key: _Key, k: int, before: Region | None, now: Region) -> Region:
        """The same object for every region of a plane that is exactly the same: whatever is known of it holds.

        An edit that was foreseen and not made leaves the evaluation with regions of its own, and an undo finds those.
        """
        if before is now:
            return now
        kept = before if before is not None and before.equals_exact(now, 0.0) else now
        place = (key, k, hash(now))
        known = self._regions.get((), place)
        if known is None or not known.equals_exact(now, 0.0):
            known = self._regions.put((), kept, shapely.get_num_coordinates(now), place)
        return known if kept is now else kept


class CaseSources:
    """Names looked up in one structure set, doses in the whole case."""

    def __init__(
        self, case: Case, group: StructureSet, text: str, structures: Mapping[str, Structure] | None = None
    ) -> None:
        self._case, self._group, self._text = case, group, text
        self._structures = structures

    def structure(self, node: Name) -> Structure:
        if self._structures is not None and node.name in self._structures:
            return self._structures[node.name]
        found = [s for s in self._group.structures if s.name == node.name]
        if len(found) > 1:
            raise FormulaError(f"there are {len(found)} structures “{node.name}”", self._text, node.span)
        if found:
            return found[0]
        raise FormulaError(
            f"there is no structure “{node.name}”",
            self._text,
            node.span,
            remedy=_suggestion(node.name, [s.name for s in self._group.structures]),
        )

    def dose(self, node: IsodoseVolume, frame_uid: str) -> tuple[Dose, NDArray[np.float64], float | None]:
        found = [d for d in self._case.doses if d.label == node.dose or d.id == node.dose]
        if len(found) != 1:
            what = "there is no dose" if not found else f"there are {len(found)} doses"
            raise FormulaError(
                f"{what} “{node.dose}”",
                self._text,
                node.span,
                remedy=_suggestion(node.dose, [d.label for d in self._case.doses]),
            )
        dose = found[0]
        try:
            to_dose = self._case.transform(frame_uid, dose.grid.frame_of_reference_uid)
        except NotRegisteredError as error:
            raise FormulaError(
                f"dose “{node.dose}” is not registered to the structures",
                self._text,
                node.span,
                remedy="open the registration (REG) that ties them",
            ) from error
        return dose, to_dose, self._case.prescription(dose)[0]


def in_order(group: StructureSet) -> list[Structure]:
    """The live derived structures of a set, each after those that it is made from. Raises FormulaError for a cycle."""
    live = {s.name: s for s in group.structures if s.live}
    ordered: list[Structure] = []
    done: set[str] = set()

    def visit(structure: Structure, above: tuple[str, ...]) -> None:
        if structure.name in done:
            return
        text = structure.formula or ""
        for mention in mentions(parse(text)):
            way = (*above, structure.name)
            if mention.name in way:
                circle = " → ".join([*way[way.index(mention.name) :], mention.name])
                raise FormulaError(f"formulas go round in a circle, {circle},", text, mention.span)
            if mention.name in live:
                visit(live[mention.name], way)
        done.add(structure.name)
        ordered.append(structure)

    for structure in live.values():
        visit(structure, ())
    return ordered


def _suggestion(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    if near:
        return f"is “{near[0]}” meant?"
    return f"known are {', '.join(known)}" if known else "the set is empty"
