"""How things are called on paper."""

from __future__ import annotations

from collections.abc import Iterator

from reviewer import __version__
from reviewer.approval.content import beyond
from reviewer.approval.trail import Signature, SignOff
from reviewer.case import Patient
from reviewer.gating.trace import Trace
from reviewer.report.contents import Report


def patient_name(patient: Patient) -> str:
    """Family name, then the others; further writings of the name (ideographic, phonetic; PS3.5 6.2.1) behind it."""
    writings = []
    for writing in patient.name.split("="):
        family, _, rest = writing.partition("^")
        given = " ".join(part for part in rest.split("^") if part.strip())
        text = f"{family.strip()}, {given}" if family.strip() and given else family.strip() or given
        if text:
            writings.append(text)
    return " · ".join(writings) or "no patient name"


def patient_facts(patient: Patient) -> str:
    born = f"born {patient.birth_date}" if patient.birth_date else ""
    return " · ".join(p for p in (f"ID {patient.id or '–'}", patient.sex, born) if p)


def said(report: Report) -> tuple[str, ...]:
    """What backends say of the doses that they computed: it goes with their numbers."""
    doses = dict.fromkeys(e.delivery.dose for e in report.comparison.evaluations)
    return tuple(
        f"{dose.title}, not the plan's own dose: {'; '.join(dose.statements)}" for dose in doses if dose.statements
    )


PLAN_FACTS = ("plan", "structures", "prescription", "fractions", "dose of")


def plan_facts(report: Report) -> tuple[tuple[str, ...], ...]:
    """PLAN_FACTS of each column: without them nobody knows what its percents are of."""
    return tuple(
        (
            d.label,
            f"{d.group.label} ({d.group.date or 'no date'})",
            d.prescription or "not known",
            "not known" if d.fractions is None else str(d.fractions),
            d.dose.date or "–",
        )
        for d in (e.delivery for e in report.comparison.evaluations)
    )


def state(report: Report) -> tuple[str, str]:
    """Mark and sentence on whether the anatomy that is reported is signed."""
    group = report.comparison.evaluations[0].delivery.group
    stands = next((s for s in reversed(report.sign_offs) if s.reopened is None and signed_here(report, s)), None)
    if stands is not None:
        second = f" and {stands.second.name}" if stands.second else ""
        symbol = "✓" if stands.verdict == "approved" else "✗"
        sentence = f"{stands.verdict.capitalize()} by {stands.first.name}{second}, {moment(stands.first.at)}"
        other = beyond(stands.content, report.comparison.evaluations)
        return ("!", f"{sentence}; but not as it is reported here: {other[0]}") if other else (symbol, sentence)
    if report.sign_offs:
        return "!", "Not signed: an earlier signature is void"
    if group.approval in ("APPROVED", "REJECTED"):
        by = f" by {group.reviewer}" if group.reviewer else ""
        return "○", f"Not signed here. The structure set came {group.approval.lower()}{by}"
    return "○", "Not signed"


def signed_here(report: Report, each: SignOff) -> bool:
    """Whether a sign-off stands for the anatomy of the report and holds."""
    group = report.comparison.evaluations[0].delivery.group
    return group.signed and each.content.get("signed_set") == group.id


def signature(each: Signature) -> str:
    return f"{each.name}, {each.role}, {moment(each.at)}"


def void(report: Report, each: SignOff) -> str:
    """Why a sign-off counts no more; empty where it stands."""
    if each.reopened is not None:
        return f"VOID: opened again by {signature(each.reopened)}: {each.reopened.statement}"
    group = report.case.structure_set(each.content.get("signed_set"))
    return "" if group is not None and group.signed else "VOID: what was signed is not what is here now"


def moment(at: str) -> str:
    """2026-11-21T14:02:05+01:00 as 2026-11-21 14:02 (+01:00)."""
    return f"{at[:10]} {at[11:16]} ({at[19:]})" if len(at) > 19 else at


def gating_terms(trace: Trace) -> str:
    """What was followed, and under which rule the beam was held."""
    timing = trace.timing
    late = f", latency {1000 * timing.latency_s:.0f} ms" if timing.latency_s else ""
    ahead = f", prediction {1000 * timing.horizon_s:.0f} ms" if timing.horizon_s else ""
    return (
        f"{trace.track.target.name} on {len(trace.track.regions)} frames in {trace.end_s - trace.times_s[0]:.1f} s. Held where "
        f"{trace.rule.outside_percent:g} % or more of it lies outside its outline on the reference frame + {trace.rule.margin_mm:g} mm"
        f"{late}{ahead}. What the beam would have done; this program does not gate."
    )


def identifiers(report: Report) -> Iterator[tuple[str, str]]:
    """What the report is made of, by UID."""
    evaluations = report.comparison.evaluations
    for group in dict.fromkeys(e.delivery.group for e in evaluations):
        yield f"Structures {group.label}", group.id
        image = report.case.image(group.image_id)
        if image is not None:
            yield f"Image {image.description or image.modality}", image.id
    for e in evaluations:
        plan = report.case.plan(e.delivery.dose.plan_id)
        yield f"Dose {e.delivery.dose.label}", e.delivery.dose.id
        if plan is not None:
            yield f"Plan {plan.label}", plan.id
    for trace in report.gating[:1]:
        yield f"Cine {trace.track.cine.description}", trace.track.cine.id
    if report.head:
        yield "Workspace", report.workspace
        yield "Last entry of its log (SHA-256)", report.head
    yield "Program", f"Reviewer {__version__}"
