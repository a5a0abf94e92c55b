"""What the dialogue of the dose check asks of the engine; all of it but `sources` and `bulk_rows` is work for a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reviewer.backends.contract import DOSE, Value
from reviewer.backends.density import Origin, density_map, tables
from reviewer.backends.discovery import Backend, Found, discover
from reviewer.backends.dose_check import Question, ask, normalised
from reviewer.backends.host import Description, describe
from reviewer.case import Case, Dose, Image, Structure, StructureSet
from reviewer.columns import Column
from reviewer.dosimetry.criteria import Criteria
from reviewer.dosimetry.dvh import Dvh, dvh
from reviewer.dosimetry.gamma import gamma
from reviewer.dosimetry.metrics import Metric
from reviewer.errors import CancelledError, NotRegisteredError, ReviewerError
from reviewer.names import standard

from ..jobs import Progress
from ..wording import image_title, tie
from .dose_check_tables import BulkRow, FigureRow

CRITERIA = Criteria(3.0, 3.0)
TARGETS = ("GTV", "CTV", "PTV")
OF_TARGETS, OF_ORGANS = ("D95%[Gy]", "Mean[Gy]"), ("D0.5cc[Gy]", "Mean[Gy]")
COMPUTED = 0.7
"""Part of the progress that is the backend's; the rest is the comparison."""


@dataclass(frozen=True)
class Source:
    """Where densities come from, as `density_map` calls it, and why not."""

    origin: Origin
    label: str
    tip: str
    refusal: str = ""


@dataclass(frozen=True, eq=False)
class Wish:
    """What is to be computed. densities: structure id -> density that a hand set; scale_to: id of a target whose mean is to be as planned.

    isocentre_mm: where the beams meet on the anatomy; None for the plan's own.
    """

    case: Case
    dose: Dose
    group: StructureSet
    source: Source
    densities: Mapping[str, float]
    backend: Backend
    settings: Mapping[str, Value]
    scale_to: str | None = None
    isocentre_mm: tuple[float, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Checked:
    """The dose with all its statements, and how it compares. gamma: a sentence; provenance: for a tooltip."""

    dose: Dose
    gamma: str
    figures: tuple[FigureRow, ...]
    provenance: str


def found() -> Found:
    """Of the dose backends."""
    all_ = discover()
    return Found(tuple(b for b in all_.backends if b.kind == DOSE), all_.broken)


def said(backend: Backend) -> Description:
    return describe(backend)


def sources(case: Case, group: StructureSet) -> tuple[Source, ...]:
    """CT first, as far as there is one."""
    bulk = Source("bulk", "By structure (bulk values)", f"Densities: {tables().bulk_source}")
    ct = _ct(case, group)
    if ct is None:
        return Source("ct", "CT", "", "there is no CT in or registered to the frame of these structures"), bulk
    frame = group.frame_of_reference_uid
    if ct.grid.frame_of_reference_uid == frame:
        return Source("ct", image_title(ct), f"Densities by HU: {tables().hu_source}"), bulk
    way = tie(case, frame, ct.grid.frame_of_reference_uid)
    carried = (
        f"Carried over rigidly, {way}: it does not know the anatomy of the day.\nDensities by HU: {tables().hu_source}"
    )
    return Source("ct", f"{image_title(ct)}, carried over", carried), bulk


def tied(case: Case, group: StructureSet, dose: Dose) -> bool:
    """Whether the dose can be found on the anatomy of a set."""
    try:
        case.transform(group.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return False
    return True


def isocentre_of(text: str) -> tuple[float, float, float] | None:
    """What a hand wrote; None where nothing. Raises ValueError with a clause for what is no point."""
    if not text.strip():
        return None
    try:
        x, y, z = (float(part) for part in text.replace(";", " ").replace(",", " ").split())
    except ValueError:
        raise ValueError("the isocentre is three numbers in mm, as 12.5, -40, 87") from None
    if not all(abs(c) < 1e4 for c in (x, y, z)):
        raise ValueError("the isocentre lies nowhere near a patient")
    return x, y, z


def map_id(group: StructureSet) -> str:
    """The image that shows the density of an anatomy."""
    return f"density {group.id}"


def bulk_rows(group: StructureSet, source: Source) -> tuple[BulkRow, ...]:
    """A row for each structure that has contours; the body's outline is what lies around them all."""
    table = tables()
    rows = []
    for structure in group.structures:
        if structure.empty or structure.type == "EXTERNAL":
            continue
        known = standard(structure.name)
        density = table.bulk.get(known.name if known is not None else structure.name)
        listed = f"{density:g}" if density is not None and source.origin == "bulk" else ""
        given = listed or ("by HU" if source.origin == "ct" else "as around it")
        tip = f"{density:g} in the table: {table.bulk_source}" if density is not None else "not in the table"
        rows.append(BulkRow(structure.id, structure.name, structure.colour, given, tip))
    return tuple(rows)


def density_image(case: Case, group: StructureSet, source: Source, densities: Mapping[str, float]) -> Image:
    """The map that the backend would get, to be looked at."""
    made = density_map(case, group, source.origin, tuple(densities.items())).image()
    return replace(made, id=map_id(group), description=f"Electron density · {group.label}".rstrip(" ·"))


def check(wish: Wish, progress: Progress) -> Checked:
    """The backend's answer and its comparison with the plan's own dose. Raises ReviewerError for all that goes wrong."""
    case, plan = wish.case, wish.case.plan(wish.dose.plan_id)
    assert plan is not None
    progress.report(0.0, "density")
    density = density_map(case, wish.group, wish.source.origin, tuple(wish.densities.items()))
    answer = ask(
        wish.backend,
        Question(case, plan, wish.group, density, wish.dose, wish.isocentre_mm),
        wish.settings,
        lambda part, text: progress.report(COMPUTED * part, text),
        progress.cancelled,
    )
    scale_to = case.structure(wish.scale_to)
    if scale_to is not None:
        matrix = case.transform(scale_to.grid.frame_of_reference_uid, wish.dose.grid.frame_of_reference_uid)
        answer = normalised(answer, wish.dose, scale_to, matrix)
    origin = answer.provenance
    dose = replace(
        answer.dose,
        label=f"{wish.dose.label or plan.label} · {origin.title} {origin.version}",
        statements=answer.statements,
    )
    settings = ", ".join(f"{name} {value}" for name, value in origin.settings.items())
    facts = (
        f"{origin.title} {origin.version}, {origin.licence}",
        f"grid: {origin.grid}",
        f"uncertainty: {origin.uncertainty}",
        f"settings: {settings}" if settings else "",
        f"computed {origin.started} in {origin.wall_s:.1f} s",
        f"data {origin.data_sha256[:16] or 'none'}, job {origin.job_sha256[:16]} (SHA-256)",
    )
    agreement = _agreement(case, wish.dose, dose, progress)
    return Checked(dose, agreement, _figures(case, wish, dose, progress), "\n".join(f for f in facts if f))


def columns(planned: Dose, checked: Dose, group: StructureSet) -> tuple[Column, Column]:
    """The check is what is set against the plan's own dose."""
    return Column(planned.id, group.id), Column(checked.id, group.id)


def _ct(case: Case, group: StructureSet) -> Image | None:
    """The CT that `density_map` takes: the last of the same frame, else the last that is registered to it."""

    def tied(image: Image) -> bool:
        try:
            case.transform(group.frame_of_reference_uid, image.grid.frame_of_reference_uid)
        except NotRegisteredError:
            return False
        return True

    cts = [i for i in case.images if i.modality == "CT"]
    same = [i for i in cts if i.grid.frame_of_reference_uid == group.frame_of_reference_uid]
    return next(reversed(same or [i for i in cts if tied(i)]), None)


def _agreement(case: Case, planned: Dose, checked: Dose, progress: Progress) -> str:
    def report(part: float) -> bool:
        progress.report(COMPUTED + 0.2 * part, "gamma")
        return progress.cancelled()

    try:
        matrix = case.transform(planned.grid.frame_of_reference_uid, checked.grid.frame_of_reference_uid)
        found = gamma(planned, checked, CRITERIA, matrix, report)
    except CancelledError:
        raise
    except ReviewerError as error:
        return f"Gamma: not evaluated: {error}"
    passed = "no point" if found.pass_percent is None else f"{found.pass_percent:.1f} % of {found.points} points"
    unknown = f"; {found.unknown} points lie outside the check's grid" if found.unknown else ""
    return f"Gamma against {planned.label or 'the plan'}: {passed} within {CRITERIA}{unknown}"


def _figures(case: Case, wish: Wish, checked: Dose, progress: Progress) -> tuple[FigureRow, ...]:
    rows = []
    structures = [s for s in wish.group.structures if not s.empty and s.type in (*TARGETS, "ORGAN", "AVOIDANCE")]
    for n, structure in enumerate(structures):
        if progress.cancelled():
            raise CancelledError
        progress.report(COMPUTED + 0.2 + 0.1 * n / len(structures), structure.name)
        target = structure.type in TARGETS
        before, after = (_curve(case, structure, dose) for dose in (wish.dose, checked))
        for text in OF_TARGETS if target else OF_ORGANS:
            planned, found = (None if c is None else Metric.parse(text).of(c) for c in (before, after))
            rows.append(FigureRow(structure.name, text.split("[")[0], planned, found, "Gy", target))
    return tuple(rows)


def _curve(case: Case, structure: Structure, dose: Dose) -> Dvh | None:
    try:
        to_dose = case.transform(structure.grid.frame_of_reference_uid, dose.grid.frame_of_reference_uid)
    except NotRegisteredError:
        return None
    return dvh(structure, dose, to_dose)
