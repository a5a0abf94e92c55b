"""`make accuracy`: the errors of Reviewer and of its peers against closed form, written into docs/accuracy.md."""

from __future__ import annotations

import contextlib
import io
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import programs
import shapely
from bodies import (
    CENTRE,
    DIRECTIONS,
    DOSE_SPACINGS,
    OFFSETS,
    PIXEL_MM,
    SLICES,
    Body,
    ball,
    bodies,
    box,
    case_of,
    dose,
    half_height,
    write,
)
from phantoms import SPHERE_CC
from programs import QUESTIONS, Peer, ask, plastimatch, reviewer_values
from tables import largest, put, signed, table

from reviewer.case import Dose, Structure
from reviewer.cli import main as reviewer
from reviewer.comparison.compare import compare
from reviewer.demo import demo_folder
from reviewer.formula.derivations import derive
from reviewer.geometry.margin import Layered, Sides, margin
from reviewer.geometry.region import rings_of
from reviewer.geometry.solid import solid
from reviewer.geometry.volume import volume_cc
from reviewer.opening import begin

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"

PEER_DOSES = (1.0, 2.5, 3.0)
GTV = "sphere 13.7 mm"
MARGINS_MM = (1.0, 3.0, 5.0, 10.0)
SHORT = (1.0, 3.0, 5.0)
"""Slices of the tables that have a row for every peer."""

BOX_ON_BORDERS = "box + ≈5 mm, ends on slab borders"
BOX_ANYWHERE = "box + 5 mm, ends anywhere"

Values = dict[str, float | None]
Errors = dict[str, float | None]


def main() -> None:
    began = time.monotonic()
    everything = {slices: bodies(slices) for slices in SLICES}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        phantoms = {str(slices): _phantom(slices, found, work / str(slices)) for slices, found in everything.items()}
        job = {"phantoms": phantoms, "questions": QUESTIONS[:-1], "pixel_mm": PIXEL_MM, "finer": False}
        _say("phantoms written", began)
        peers = [
            ask("dicompyler-core", "peer_dicompyler.py", job),
            ask("dicompyler-core, finer", "peer_dicompyler.py", job | {"finer": True, "phantoms": _fewer(phantoms)}),
            plastimatch(phantoms, work),
            ask("rt-utils", "peer_rtutils.py", job),
            ask("platipy", "peer_platipy.py", job),
        ]
        _say("peers asked", began)
        ours = {slices: _ours(found) for slices, found in everything.items()}
        _say("volumes and DVH of Reviewer", began)
        tables = {
            "volumes": volumes_by_slices(everything, ours),
            "volumes of peers": volumes_of_peers(everything, ours, peers),
            "dvh": dvh_of_peers(everything, ours, peers),
            "dvh of other bodies": dvh_by_body(everything, ours),
        }
        grown, tables["margins"] = margins(peers[2], work)
        lenses, tables["lens"] = lens()
        surface_peer, surfaces, tables["surfaces"] = surfaces_of_spheres(work)
        _say("margins, lenses, surfaces", began)
        tables["targets"] = targets(everything, ours, grown, lenses, surfaces)
        tables["demo"] = demo()
        _say("demo", began)
        tables["programs"] = listed([*peers, surface_peer])
    put(DOCUMENT, tables)
    _say(f"{DOCUMENT} written", began)


def _say(text: str, began: float) -> None:
    print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr)


# -- phantoms and values ---------------------------------------------------------------------------------------------------


def _phantom(slices: float, found: list[Body], folder: Path) -> dict[str, Any]:
    doses = {f"{way} {spacing}": dose(way, spacing) for way in DIRECTIONS for spacing in PEER_DOSES}
    phantom = write(case_of([body.structure for body in found]), doses, folder)
    asked = {
        f"{way} {spacing}": [b.structure.name for b in found if b.kind in (GTV, "box", "cylinder") and way in b.heights]
        for way in DIRECTIONS
        for spacing in PEER_DOSES
    }
    asked["across 2.5"] = [b.structure.name for b in found]
    return phantom | {"asked": asked, "slices_mm": slices}


def _fewer(phantoms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The sphere of 13.7 mm in doses of 2.5 mm only: fine sampling takes its time."""
    return {
        place: phantom
        | {
            "asked": {
                name: [roi for roi in rois if roi.startswith("S13.7")]
                for name, rois in phantom["asked"].items()
                if name.endswith("2.5")
            }
        }
        for place, phantom in phantoms.items()
    }


def _ours(found: list[Body]) -> dict[str, dict[str, Values]]:
    """Dose name -> ROI -> values, for every dose grid."""
    return {
        f"{way} {spacing}": {b.structure.name: reviewer_values(b.structure, there) for b in found if way in b.heights}
        for way in DIRECTIONS
        for spacing in DOSE_SPACINGS
        for there in [dose(way, spacing)]
    }


def _volume_error(body: Body, cc: float | None) -> float | None:
    """Percent."""
    return None if cc is None else 100 * (cc / body.volume_cc - 1)


def _dose_errors(found: Iterable[Body], answers: dict[str, Any], spacings: Iterable[float]) -> dict[str, Errors]:
    """Question -> the largest error, Gy at 1 Gy/mm = mm x gradient, over bodies, directions and dose grids."""
    errors: dict[str, list[float | None]] = {question: [] for question in QUESTIONS}
    for body in found:
        for way in body.heights:
            truth = body.truth(way)
            for spacing in spacings:
                values = answers.get(f"{way} {spacing}", {}).get(body.structure.name)
                if values is None:
                    continue
                for question in QUESTIONS:
                    value = values.get(question)
                    errors[question].append(None if value is None else value - truth[question])
    return {question: largest(some) for question, some in errors.items()}


# -- volumes ---------------------------------------------------------------------------------------------------------------


def _kinds(found: list[Body]) -> dict[str, list[Body]]:
    kinds: dict[str, list[Body]] = {}
    for body in found:
        kinds.setdefault(body.kind, []).append(body)
    return kinds


def _volume_row(found: list[Body], volume_of: Callable[[Body], float | None], digits: int = 2) -> list[str]:
    return [signed(largest([_volume_error(b, volume_of(b)) for b in same]), digits) for same in _kinds(found).values()]


def volumes_by_slices(everything: dict[float, list[Body]], ours: dict[float, Any]) -> str:
    rows = [
        [f"{slices:g} mm", *_volume_row(found, lambda b: volume_cc(b.structure))]
        for slices, found in everything.items()
    ]
    return table(["slices", *_kinds(next(iter(everything.values())))], rows)


def _slab_sum(body: Body) -> float:
    return sum(region.area for region in body.structure.planes.values()) * body.structure.grid.spacing_w_mm / 1000


def volumes_of_peers(everything: dict[float, list[Body]], ours: dict[float, Any], peers: list[Peer]) -> str:
    rows = []
    for slices in SHORT:
        found, place = everything[slices], str(slices)
        rows.append([f"{slices:g} mm", "**Reviewer**", *_volume_row(found, lambda b: volume_cc(b.structure), 1)])
        rows.append(["", "sum of areas × slice distance", *_volume_row(found, _slab_sum, 1)])
        for peer in peers:
            if peer.name.endswith("finer"):
                continue
            there = (peer.answers or {}).get(place, {})
            if peer.name == "dicompyler-core":
                there = {roi: values.get("volume_cc") for roi, values in there.get("across 2.5", {}).items()}
            else:
                there = there.get("volumes", there)
            rows.append(["", peer.name, *_volume_row(found, lambda b, there=there: there.get(b.structure.name), 1)])
    return table(["slices", "program", *_kinds(everything[SLICES[0]])], rows)


# -- DVH -------------------------------------------------------------------------------------------------------------------


def dvh_of_peers(everything: dict[float, list[Body]], ours: dict[float, Any], peers: list[Peer]) -> str:
    rows = []
    for slices, found in everything.items():
        spheres = _kinds(found)[GTV]
        rows.append([f"{slices:g} mm", "**Reviewer**", *_cells(_dose_errors(spheres, ours[slices], DOSE_SPACINGS))])
        for peer in peers[:3]:
            answers = (peer.answers or {}).get(str(slices), {})
            rows.append(["", peer.name, *_cells(_dose_errors(spheres, answers, PEER_DOSES))])
    return table(["slices", "program", *QUESTIONS], rows)


def _cells(errors: Errors) -> list[str]:
    return [signed(errors[question]) for question in QUESTIONS]


def dvh_by_body(everything: dict[float, list[Body]], ours: dict[float, Any]) -> str:
    rows = []
    for slices, found in everything.items():
        for kind, same in _kinds(found).items():
            if kind != GTV and same[0].heights:
                rows.append([f"{slices:g} mm", kind, *_cells(_dose_errors(same, ours[slices], DOSE_SPACINGS))])
    return table(["slices", "body", *QUESTIONS], rows)


# -- margins ---------------------------------------------------------------------------------------------------------------


def _grown(structure: Structure, mm: float) -> Layered:
    return Layered(structure.grid, margin(structure, Sides.all_around(mm), structure.grid))


def _off_surface(grown: Layered, centre: np.ndarray, radius: float) -> float:
    """Largest distance of the result's outlines, and of its two ends, from a sphere."""
    w = grown.grid.positions_mm
    ends = solid(grown).borders_mm
    off = [abs(centre[2] - radius - ends[0, 0]), abs(centre[2] + radius - ends[-1, 1])]
    for k, region in grown.planes.items():
        for ring in rings_of(region):
            off.append(float(np.abs(np.hypot(np.hypot(*(ring - centre[:2]).T), w[k] - centre[2]) - radius).max()))
    return float(max(off))


def margins(plasti: Peer, work: Path) -> tuple[dict[str, float], str]:
    """Volume errors in %; the sphere of 10 mm and (Steiner) a box that ends on slab borders."""
    names = (
        "**Reviewer**",
        "SimpleITK distance map of a mask",
        "SimpleITK dilation by a ball",
        "plastimatch distance map",
    )
    ours: dict[str, float] = {}
    rows = []
    for slices in SLICES:
        errors: dict[str, dict[str, list[float | None]]] = {name: {} for name in names}
        off = 0.0
        for offset in OFFSETS:
            centre = np.array([*CENTRE, offset * slices])
            body = ball(slices, 10.0, centre, f"S10_{offset:g}")
            mask = programs.mask_of(body.structure)
            maps = programs.distances(mask)
            far = _plastimatch_map(plasti, slices, body, work)
            for mm in MARGINS_MM:
                truth = SPHERE_CC * (10 + mm) ** 3
                layered = _grown(body.structure, mm)
                off = max(off, _off_surface(layered, centre, 10 + mm))
                found = (
                    volume_cc(layered),
                    programs.mask_cc(maps <= mm),
                    programs.mask_cc(programs.grown_by_ball(mask, mm)),
                    None if far is None else float((far[0] <= mm).sum()) * far[1] / 1000,
                )
                for name, cc in zip(names, found, strict=True):
                    errors[name].setdefault(f"sphere + {mm:g} mm", []).append(
                        None if cc is None else 100 * (cc / truth - 1)
                    )
        body = box(slices)
        mask = programs.mask_of(body.structure)
        maps = programs.distances(mask)
        far = _plastimatch_map(plasti, slices, body, work)
        for what, mm in ((BOX_ON_BORDERS, round(5 / slices) * slices), (BOX_ANYWHERE, 5.0)):
            truth = _grown_box_cc(36.0, 24.0, 2 * half_height(slices), mm)
            found = (
                volume_cc(_grown(body.structure, mm)),
                programs.mask_cc(maps <= mm),
                programs.mask_cc(programs.grown_by_ball(mask, mm)),
                None if far is None else float((far[0] <= mm).sum()) * far[1] / 1000,
            )
            for name, cc in zip(names, found, strict=True):
                errors[name][what] = [None if cc is None else 100 * (cc / truth - 1)]
        for name in names:
            worst = {what: largest(some) for what, some in errors[name].items()}
            if name == names[0]:
                ours |= {f"{what}, {slices:g}": value for what, value in worst.items() if value is not None}
                ours[f"off, {slices:g}"] = off
            last = f"{off:.2f}" if name == names[0] else ""
            rows.append(
                [f"{slices:g} mm" if name == names[0] else "", name, *(signed(v, 1) for v in worst.values()), last]
            )
    headings = [
        "slices",
        "program",
        *(f"sphere + {mm:g} mm" for mm in MARGINS_MM),
        BOX_ON_BORDERS,
        BOX_ANYWHERE,
        "farthest off (mm)",
    ]
    return ours, table(headings, rows)


def _grown_box_cc(a: float, b: float, c: float, r: float) -> float:
    """Steiner: V + S r + M r^2 + 4/3 pi r^3, M = pi * (a + b + c)."""
    return (a * b * c + 2 * (a * b + b * c + c * a) * r + math.pi * (a + b + c) * r**2 + 4 / 3 * math.pi * r**3) / 1000


def _plastimatch_map(plasti: Peer, slices: float, body: Body, work: Path) -> tuple[np.ndarray, float] | None:
    if plasti.answers is None:
        return None
    mask = Path(plasti.answers[str(slices)]["masks"]) / f"{body.structure.name}.nrrd"
    return programs.plastimatch_distances(mask, work / "distance.nrrd")


def _lens_cc(a: float, b: float, d: float) -> float:
    """Common volume of two spheres whose centres are d apart."""
    return math.pi * (a + b - d) ** 2 * (d * d + 2 * d * (a + b) - 3 * (a - b) ** 2) / (12 * d) / 1000


def lens() -> tuple[dict[str, float], str]:
    """PTVopt = (GTV + 5 mm) - (OAR + 5 mm), spheres of 12 and 15 mm, 30 mm apart along u, w, or between."""
    truth = SPHERE_CC * 17**3 - _lens_cc(17, 20, 30)
    ours: dict[str, float] = {}
    rows = []
    for slices in SLICES:
        mine: dict[str, float] = {}
        masks: dict[str, float] = {}
        for name, way in DIRECTIONS.items():
            errors = []
            for offset in OFFSETS:
                gtv = _sphere("GTV", slices, 12.0, (-8 * way[0], 0.0, -8 * way[2] + offset * slices))
                oar = _sphere("OAR", slices, 15.0, (22 * way[0], 0.0, 22 * way[2] + offset * slices))
                case = case_of([gtv, oar])
                result = derive(case, case.structure_sets[0], "PTVopt", "(GTV + 5 mm) - (OAR + 5 mm)").structure
                ptv, near = (programs.grown_by_distance(programs.mask_of(s), 5.0) for s in (gtv, oar))
                found = (volume_cc(result), programs.mask_cc(ptv & ~near & 1))
                errors.append([100 * (cc / truth - 1) for cc in found])
            mine[name], masks[name] = (largest(some) or 0.0 for some in zip(*errors, strict=True))
        ours |= {f"{name}, {slices:g}": abs(error) for name, error in mine.items()}
        rows.append([f"{slices:g} mm", "**Reviewer**", *(signed(e, 1) for e in mine.values())])
        rows.append(["", "SimpleITK distance maps of masks", *(signed(e, 1) for e in masks.values())])
    return ours, table(["slices", "program", *(f"apart {name}" for name in DIRECTIONS)], rows)


def _sphere(name: str, slices: float, radius: float, centre: tuple[float, float, float]) -> Structure:
    return ball(slices, radius, centre, name).structure


# -- surfaces --------------------------------------------------------------------------------------------------------------


def surfaces_of_spheres(work: Path) -> tuple[Peer, dict[str, dict[str, float]], str]:
    """Concentric spheres of 20 and 21.5 mm, and two of 20 mm that are 3 mm apart along the stack."""
    cosine = np.linspace(-1, 1, 200_001)
    apart = np.abs(np.sqrt(400 + 9 - 120 * cosine) - 20)
    truths = {
        "concentric": {
            "dice": 2 * 20**3 / (20**3 + 21.5**3), "mean_surface_distance_mm": 1.5, "hd95_mm": 1.5, "hausdorff_mm": 1.5,
            "1": 0.0, "2": 1.0,
        },
        "shifted": {
            "dice": _lens_cc(20, 20, 3) / (SPHERE_CC * 20**3), "mean_surface_distance_mm": float(apart.mean()),
            "hd95_mm": float(np.percentile(apart, 95)), "hausdorff_mm": 3.0,
            "1": float((apart <= 1).mean()), "2": float((apart <= 2).mean()),
        },
    }  # fmt: skip
    pairs, ours = {}, {}
    for slices in SHORT:
        for name, (radius, lift) in {"concentric": (21.5, 0.0), "shifted": (20.0, 3.0)}.items():
            a = _sphere("A", slices, 20.0, (*CENTRE, 0.25 * slices))
            b = _sphere("B", slices, radius, (*CENTRE, 0.25 * slices + lift))
            found = compare(a, b, tolerances_mm=(1.0, 2.0))
            ours[f"{name} {slices:g}"] = _flat(vars(found))
            path = work / f"{name}{slices:g}.npz"
            masks = [programs.array_of(programs.mask_of(s)).astype(bool) for s in (a, b)]
            np.savez(path, a=masks[0], b=masks[1], spacing=a.grid.spacing_mm[::-1])
            pairs[f"{name} {slices:g}"] = str(path)
    peer = ask("surface-distance", "peer_surface_distance.py", {"pairs": pairs})
    rows = []
    for name, truth in truths.items():
        rows.append([name, "closed form", *(f"{v:.3f}" for v in truth.values())])
        for slices in SHORT:
            key = f"{name} {slices:g}"
            theirs = _flat(peer.answers[key]) if peer.answers else dict.fromkeys(truth)
            for who, values in (("**Reviewer**", ours[key]), ("surface-distance", theirs)):
                cells = ("—" if values[q] is None else f"{values[q]:.3f}" for q in truth)
                rows.append([f"{slices:g} mm", who, *cells])
    headings = [
        "spheres", "program", "Dice", "mean distance (mm)", "HD95 (mm)", "Hausdorff (mm)", "surface Dice 1 mm", "2 mm",
    ]  # fmt: skip
    return peer, ours, table(headings, rows)


def _flat(found: dict[str, Any]) -> dict[str, Any]:
    return found | {f"{float(mm):g}": part for mm, part in found["surface_dice"].items()}


# -- what was asked for ----------------------------------------------------------------------------------------------------


def targets(
    everything: dict[float, list[Body]],
    ours: dict[float, Any],
    grown: dict[str, float],
    lenses: dict[str, float],
    surfaces: dict[str, dict[str, float]],
) -> str:
    def volumes(wanted: Callable[[float, Body], bool]) -> float:
        return max(
            abs(_volume_error(b, volume_cc(b.structure)) or 0.0) for s in SLICES for b in everything[s] if wanted(s, b)
        )

    def doses(slices: Iterable[float], questions: Iterable[str], gtv: bool) -> float:
        worst = []
        for s in slices:
            same = [b for b in everything[s] if (b.kind == GTV if gtv else b.kind not in (GTV, "sphere 5 mm"))]
            errors = _dose_errors(same, ours[s], DOSE_SPACINGS)
            worst += [abs(errors[q] or 0.0) for q in questions]
        return max(worst)

    rows = []

    def row(what: str, limit: float, found: float, unit: str, digits: int = 2, asked: str = "asked") -> None:
        rows.append(
            [what, asked, f"{limit:g} {unit}", f"{found:.{digits}f} {unit}", "met" if found <= limit else "**not met**"]
        )

    small = "sphere 5 mm"
    row(
        "volume: spheres from 10 mm radius, box, cylinder, cone; slices 1 to 5 mm",
        1,
        volumes(lambda s, b: b.kind not in (small, "hollow sphere") and (s, b.kind) != (3.0, "sphere 10 mm")),
        "%",
    )
    row("volume: sphere of 10 mm at 3 mm slices", 1.6, volumes(lambda s, b: (s, b.kind) == (3.0, "sphere 10 mm")), "%")
    row("volume: hollow sphere", 1, volumes(lambda s, b: b.kind == "hollow sphere"), "%", asked="not asked")
    row("volume: sphere of 5 mm, slices 1 to 3 mm", 1, volumes(lambda s, b: b.kind == small and s <= 3), "%")
    unknowable = "asked; one or two contours: see below"
    row(
        "volume: sphere of 5 mm at 5 mm slices",
        1,
        volumes(lambda s, b: b.kind == small and s == 5),
        "%",
        asked=unknowable,
    )
    for gtv, name in ((True, GTV), (False, "other bodies, sphere of 5 mm apart")):
        row(f"D95, 3 mm slices: {name}", 0.3, doses([3.0], ["D95%"], gtv), "mm")
        row(f"D98 and D2, 3 mm slices: {name}", 0.4, doses([3.0], ["D98%", "D2%"], gtv), "mm")
        row(f"D98, D95 and D2, 1 mm slices: {name}", 0.1, doses([1.0], ["D98%", "D95%", "D2%"], gtv), "mm")
        row(f"mean, all slices: {name}", 0.1, doses(SLICES, ["Mean"], gtv), "mm")

    def most(what: Iterable[str]) -> float:
        return max(abs(grown[f"{w}, {s:g}"]) for w in what for s in SLICES)

    row("sphere of 10 mm + 3, 5, 10 mm", 1, most(f"sphere + {mm:g} mm" for mm in (3, 5, 10)), "%")
    row("sphere of 10 mm + 1 mm", 3, most(["sphere + 1 mm"]), "%")
    row(BOX_ON_BORDERS, 1, most([BOX_ON_BORDERS]), "%")
    row(BOX_ANYWHERE, 1, most([BOX_ANYWHERE]), "%", asked="not asked: a flat end between slices")
    for s in SLICES:
        row(
            f"outline of sphere + margin to the true one, {s:g} mm slices",
            (PIXEL_MM + s) / 2,
            grown[f"off, {s:g}"],
            "mm",
        )
    for way in ("across", "oblique"):
        row(f"PTVopt of two spheres, apart {way}", 1.5, max(lenses[f"{way}, {s:g}"] for s in SLICES), "%")
    name = "PTVopt of two spheres, apart along"
    row(f"{name}, slices 1 to 3 mm", 1.5, max(lenses[f"along, {s:g}"] for s in SLICES if s <= 3), "%")
    row(f"{name}, 5 mm", 1.5, lenses["along, 5"], "%", asked="asked; the dent is in one contour: see below")
    concentric = [surfaces[f"concentric {s:g}"] for s in SHORT]
    for question, name in (("mean_surface_distance_mm", "mean surface distance"), ("hd95_mm", "HD95")):
        row(f"{name} of concentric spheres: off 1.50 mm", 0.1, max(abs(c[question] - 1.5) for c in concentric), "mm", 3)
    row("surface Dice of the same at 1 mm: off 0", 0, max(c["1"] for c in concentric), "", 3)
    row("surface Dice of the same at 2 mm: off 1", 0, max(1 - c["2"] for c in concentric), "", 3)
    return table(["what", "", "limit", "largest error", ""], rows)


# -- the embedded case -----------------------------------------------------------------------------------------------------

DENSE_CC = 200.0
"""Larger structures have too many points for the second opinion."""

DEMO_METRICS = ("D95%[Gy]", "D2%[Gy]", "D0.035cc[Gy]", "Mean[Gy]")


def demo() -> str:
    """`reviewer dvh` on the embedded case beside dicompyler-core, the adapted plan's dose on the day's contours."""
    case = begin([demo_folder()]).case
    there = next(d for d in case.doses if d.label.endswith("adapted"))
    group = case.structure_set(there.structure_set_id)
    number = case.doses.index(there)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        metrics = [word for metric in DEMO_METRICS for word in ("-m", metric)]
        reviewer(["dvh", str(demo_folder()), "--json", "--dose", str(number), *metrics])
    ours = {s["name"]: s for s in json.loads(printed.getvalue())["structures"]}
    rois = {s.name: s.number for s in group.structures}
    job = {
        "phantoms": {
            "demo": {
                "structures": group.path,
                "doses": {"dose": there.path},
                "rois": rois,
                "asked": {"dose": list(rois)},
            }
        },
        "questions": ["D95%", "D2%", "D0.035cc"],
        "finer": False,
    }
    peer = ask("dicompyler-core", "peer_dicompyler.py", job)
    theirs = peer.answers["demo"]["dose"] if peer.answers else {}
    rows = []
    for structure in group.structures:
        mine, other = ours[structure.name], theirs.get(structure.name, {})
        dense = _dense(structure, there)
        cells = [f"{mine['volume_cc']:.2f}", _percent_more(other.get("volume_cc"), mine["volume_cc"])]
        for metric in DEMO_METRICS:
            value, question = mine["metrics"][metric], metric.removesuffix("[Gy]")
            differences = (None if found is None else found - value for found in (other.get(question), dense[question]))
            cells += [f"{value:.2f}", *(signed(d) for d in differences)]
        rows.append([structure.name, *cells])
    heads = [cell for m in DEMO_METRICS for cell in (f"{m.removesuffix('[Gy]')} (Gy)", "dicompyler", "dense")]
    return table(["structure", "cc", "dicompyler %", *heads], rows)


def _dense(structure: Structure, dose: Dose) -> dict[str, float]:
    """A second opinion that shares nothing with `reviewer.dosimetry`: about two million points, 0.4 mm apart at least, in the contours
    extruded over their slabs, where the dose is known."""
    grid, planes = structure.grid, structure.planes
    borders = grid.slab_borders_mm
    volume = sum(region.area * (borders[k + 1] - borders[k]) for k, region in planes.items())
    step = max(0.4, (volume / 2e6) ** (1 / 3))
    doses, volumes = [], []
    for k, region in planes.items():
        low, high = borders[k : k + 2]
        layers = math.ceil((high - low) / step)
        u0, v0, u1, v1 = region.bounds
        u, v = np.meshgrid(np.arange(u0 + step / 2, u1, step), np.arange(v0 + step / 2, v1, step))
        inside = shapely.contains_xy(region, u, v)
        for w in low + (np.arange(layers) + 0.5) / layers * (high - low):
            found = _trilinear(dose, grid.point_mm(np.column_stack([u[inside], v[inside], np.full(inside.sum(), w)])))
            doses.append(found)
            volumes.append(np.full(len(found), step**2 * (high - low) / layers / 1000))
    every, amount = np.concatenate(doses), np.concatenate(volumes)
    falling = np.argsort(-every)
    every, reached = every[falling], np.cumsum(amount[falling])
    wanted = {"D95%": 0.95 * reached[-1], "D2%": 0.02 * reached[-1], "D0.035cc": 0.035}
    return {
        "Mean": float(np.average(every, weights=amount[falling])),
        **{question: float(every[np.searchsorted(reached, cc)]) for question, cc in wanted.items()},
    }


def _trilinear(dose: Dose, points_mm: np.ndarray) -> np.ndarray:
    """The dose at those of the points that lie in its voxels."""
    index, size = dose.grid.index_zyx(points_mm), np.array(dose.gray.shape)
    index = index[((index >= -0.5) & (index <= size - 0.5)).all(axis=1)]
    lower = np.clip(np.floor(index).astype(int), 0, size - 2)
    share = np.clip(index - lower, 0, 1)
    total = np.zeros(len(index))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, share, 1 - share), axis=1)
        total += weight * dose.gray[tuple((lower + corner).T)]
    return total


def _percent_more(value: float | None, reference: float) -> str:
    return signed(None if value is None or not reference else 100 * (value / reference - 1), 1)


def listed(peers: list[Peer]) -> str:
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    ).stdout
    rows = [
        ["Reviewer", f"{version('reviewer')}, commit {commit.strip()}", "this environment"],
        ["SimpleITK", version("simpleitk"), "this environment; masks of voxels whose centre lies inside"],
    ]
    for peer in peers:
        how = "the system" if peer.name == "plastimatch" else "an environment of its own (uv)"
        rows.append([peer.name, peer.version or "—", f"failed: {peer.failed}" if peer.failed else how + _remarks(peer)])
    return table(["program", "version", "ran in"], rows)


def _remarks(peer: Peer) -> str:
    """How often dicompyler-core failed, and how often its own answer was 0.0 Gy where its curve had one."""
    values = [
        found
        for phantom in (peer.answers or {}).values()
        for answers in phantom.values()
        if isinstance(answers, dict)
        for found in answers.values()
        if isinstance(found, dict)
    ]
    failed = [found["failed"] for found in values if "failed" in found]
    zeros = sum(found.get("zeros", 0) for found in values)
    return "".join(
        [
            f"; no answer to {len(failed)} of {len(values)} curves ({failed[0]})" if failed else "",
            f"; 0.0 Gy answered to {zeros} of {4 * len(values)} questions" if zeros else "",
        ]
    )


if __name__ == "__main__":
    main()
