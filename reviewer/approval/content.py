"""What a signature stands for: contours, plans and doses by UID and SHA-256, the goal sheet, and every value that was shown."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import shapely

from reviewer.case import Case, Dose, Plan, Structure, StructureSet
from reviewer.dosimetry.goals import Evaluation
from reviewer.dosimetry.plans import compare
from reviewer.dosimetry.sheets import Sheet, Sheets
from reviewer.store.chain import canonical
from reviewer.store.codec import grid_document
from reviewer.store.followed import difference, fingerprint, read

Content = dict[str, Any]
"""JSON; the keys are those that `content_of` writes."""


def content_of(
    case: Case,
    group: StructureSet,
    evaluations: Sequence[Evaluation] = (),
    decision: str = "",
    judging: Content | None = None,
) -> Content:
    """All that is put before the person who signs.

    group: whose contours. evaluations: of one goal sheet, a column for each plan; their doses and plans are signed too.
    decision: the sentence that the program stated. judging: by what the goals were judged as far as somebody chose it
    (`reviewer.view_state.judging`). Raises InputError for evaluations of different sheets.
    """
    doses = list(dict.fromkeys(e.delivery.dose for e in evaluations))
    plans = [plan for d in doses if (plan := case.plan(d.plan_id)) is not None]
    groups = list({g.id: g for g in (group, *(e.delivery.group for e in evaluations))}.values())
    return {
        "signed_set": group.id,
        "structure_sets": [_of_set(g) for g in groups],
        "plans": [{"id": p.id, "label": p.label, "sha256": hash_of_plan(p)} for p in dict.fromkeys(plans)],
        "doses": [{"id": d.id, "label": d.label, "sha256": hash_of_dose(d)} for d in doses],
        "sheet": _of_sheet(evaluations[0].sheet) if evaluations else None,
        "goals": _values(evaluations),
        "decision": decision,
        "judging": {**(judging or {}), **({"sheet": evaluations[0].sheet.id} if evaluations else {})},
    }


def differences(content: Content, case: Case) -> list[str]:
    """Sentences on what is not as it was signed; empty where all is. Raises KeyError and TypeError for what is no content."""
    found: list[str] = []
    for told in content["structure_sets"]:
        group = case.structure_set(told["id"])
        if group is None:
            found.append(f"the structure set {told['label']} is not there")
        else:
            found += _differing(told, group)
    plans = {p.id: hash_of_plan(p) for p in case.plans}
    doses = {d.id: d for d in case.doses}
    for told in content["plans"]:
        if plans.get(told["id"]) != told["sha256"]:
            found.append(f"the plan {told['label']} is not as it was")
    for told in content["doses"]:
        dose = doses.get(told["id"])
        if dose is None or hash_of_dose(dose) != told["sha256"]:
            found.append(f"the dose {told['label']} is not as it was")
    return found


def sheet_difference(content: Content, sheets: Sheets) -> str:
    """A sentence where the goal sheet that was signed is not the one of that name now; empty where it is. Raises as `differences`.

    The signature stands all the same: for the values that it holds.
    """
    told = content["sheet"]
    if told is None:
        return ""
    now = next((s for s in sheets.sheets if s.id == told["id"]), None)
    if now is None:
        return f"the goal sheet {told['name']} that was signed is not here: the goals that are shown are others"
    if hash_of_sheet(now) != told["sha256"]:
        return f"the goal sheet {told['name']} is not as it was signed: the goals that are shown are others"
    return ""


def beyond(content: Content, evaluations: Sequence[Evaluation]) -> list[str]:
    """Sentences on what of these evaluations was not signed; empty where all was: sheet, plans, prescriptions and every value."""
    sheet = content["sheet"]
    if sheet is None:
        return ["no goals were signed"]
    if any(hash_of_sheet(e.sheet) != sheet["sha256"] for e in evaluations):
        return [f"the goals that were signed are those of {sheet['name']}"]

    def key(row: Content, plan: Content) -> tuple[str, ...]:
        return tuple(str(each) for each in (row["structure"], row["metric"], row["limit"], plan["dose"], plan["set"]))

    signed = {key(row, plan): plan for row in content["goals"] for plan in row["plans"] if plan is not None}
    found: list[str] = []
    for row in _values(evaluations):
        for plan in row["plans"]:
            if plan is None:
                continue
            then = signed.get(key(row, plan))
            if then is None:
                found.append(f"{plan['plan']} was not signed")
            elif any(then[name] != plan[name] for name in ("prescribed_gy", "fractions")):
                found.append(f"{plan['plan']} was signed with another prescription")
            elif then["status"] != plan["status"] or not _same_value(then["value"], plan["value"]):
                found.append(f"{row['structure']} {row['metric']} under {plan['plan']} was signed with another value")
    return list(dict.fromkeys(found))


def _same_value(a: float | None, b: float | None) -> bool:
    """To the rounding of another computer."""
    return a is b if a is None or b is None else math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def hash_of_structure(structure: Structure) -> str:
    """SHA-256 of what a structure is: not of its colour and lock.

    One that follows a formula is what the formula makes of the others: its text counts, and five numbers beside it (`followed`) tell
    whether it came out the same, for the last digits of its coordinates depend on the way that led there.
    """
    about = [structure.id, structure.name, structure.type, structure.number, structure.formula, structure.frozen]
    digest = hashlib.sha256(canonical(about).encode())
    if not structure.live:
        digest.update(canonical(grid_document(structure.grid)).encode())
        shapes = shapely.to_wkb(np.array(list(structure.planes.values()), dtype=object), output_dimension=2)
        for plane, wkb in zip(structure.planes, shapes, strict=True):
            digest.update(canonical([int(plane), len(wkb)]).encode() + wkb)
    return digest.hexdigest()


def hash_of_dose(dose: Dose) -> str:
    about = [dose.id, dose.type, dose.summation, dose.plan_id, grid_document(dose.grid), list(dose.gray.shape)]
    digest = hashlib.sha256(canonical(about).encode())
    digest.update(np.ascontiguousarray(dose.gray, dtype="<f4").data)
    return digest.hexdigest()


def hash_of_plan(plan: Plan) -> str:
    """Of all that the program reads of a plan, but for its path."""
    return hashlib.sha256(canonical({**asdict(plan), "path": ""}).encode()).hexdigest()


def hash_of_sheet(sheet: Sheet) -> str:
    lines = [
        [
            g.structures,
            str(g.metric),
            str(g.limit),
            str(g.acceptable or ""),
            g.priority,
            g.dose,
            g.fractions,
            g.source,
            g.unverified,
        ]
        for g in sheet.goals
    ]
    return hashlib.sha256(canonical([sheet.id, sheet.name, sheet.source, lines]).encode()).hexdigest()


def _of_set(group: StructureSet) -> Content:
    return {
        "id": group.id,
        "label": group.label,
        "structures": {s.id: {"name": s.name, "sha256": hash_of_structure(s)} for s in group.structures},
        "followed": {s.id: list(fingerprint(s)) for s in group.structures if s.live},
    }


def _of_sheet(sheet: Sheet) -> Content:
    return {"id": sheet.id, "name": sheet.name, "source": sheet.source, "sha256": hash_of_sheet(sheet)}


def _values(evaluations: Sequence[Evaluation]) -> list[Content]:
    """Each goal with its value and verdict under each plan, as they were shown."""
    if not evaluations:
        return []
    columns = [
        {
            "dose": e.delivery.dose.id,
            "set": e.delivery.group.id,
            "plan": e.delivery.label,
            "prescribed_gy": e.delivery.prescribed_gy,
            "fractions": e.delivery.fractions,
        }
        for e in evaluations
    ]
    return [
        {
            "structure": row.name,
            "metric": str(row.goal.metric),
            "limit": str(row.goal.limit),
            "plans": [
                {**column, "value": r.value, "status": r.status, "reason": r.reason} if r else None
                for column, r in zip(columns, row.results, strict=True)
            ],
        }
        for row in compare(evaluations).rows
    ]


def _differing(told: Content, group: StructureSet) -> list[str]:
    now = {s.id: s for s in group.structures}
    then = told["structures"]
    found = [f"{now[i].name} has been added to {group.label}" for i in now.keys() - then.keys()]
    followed = read(told["followed"])
    for structure_id, each in then.items():
        structure = now.get(structure_id)
        if structure is None:
            found.append(f"{each['name']} is not in {group.label} any more")
        elif hash_of_structure(structure) != each["sha256"]:
            found.append(f"{structure.name} is not as it was")
        elif structure_id in followed and (apart := difference(fingerprint(structure), followed[structure_id])):
            found.append(f"{structure.name} does not come out of its formula as it did: {apart}")
    return found
