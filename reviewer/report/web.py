"""The report as one HTML file that needs no other, and its numbers as CSV."""

from __future__ import annotations

import base64
import csv
from collections.abc import Sequence
from html import escape
from io import StringIO

import cv2
import numpy as np

from reviewer import __version__
from reviewer.dosimetry.goals import GoalResult
from reviewer.gating import figure
from reviewer.gating.summary import lines, statements
from reviewer.gating.trace import Trace
from reviewer.report.contents import NOT_A_DEVICE, WORDS, Report, mark, shown_value
from reviewer.report.pictures import Picture
from reviewer.report.wording import (
    PLAN_FACTS,
    gating_terms,
    identifiers,
    moment,
    patient_facts,
    patient_name,
    plan_facts,
    said,
    signature,
    state,
    void,
)

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;color:#1b2430;max-width:1000px;margin:2em auto;padding:0 1em}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{text-align:left;padding:3px 8px;border-bottom:1px solid #c9d0d7}
th{color:#5b6773}.met{color:#1c7c3c}.acceptable{color:#9a6a00}.violated{color:#b3261e}.not-evaluated{color:#5b6773}
.state,.note{background:#f3f5f7;border-left:4px solid #5b6773;padding:8px 12px;margin:8px 0}.muted{color:#5b6773}
.pictures{display:grid;gap:10px}.pictures img{width:100%}figure{margin:0}figcaption{font-size:12px}svg{width:100%;height:auto}
"""
_DASHES = ("", "6 3", "2 2", "8 3 2 3")


def write_html(report: Report) -> bytes:
    patient = report.case.patient
    symbol, sentence = state(report)
    parts = [
        f"<h1>{escape(patient_name(patient))}</h1><p class=muted>{escape(patient_facts(patient))} · plan review, "
        f"{moment(report.made.isoformat(timespec='seconds'))}</p>",
        *(f"<div class='note violated'>⚠ {escape(doubt)}</div>" for doubt in report.doubts),
        f"<div class=state><b>{symbol} {escape(sentence)}</b></div>",
        *(f"<div class='note acceptable'>{escape(line)}</div>" for line in said(report)),
    ]
    if report.decision is not None:
        parts.append(f"<h2>Decision</h2><p>{escape(report.decision.sentence)}</p>")
    parts += [
        _plans(report),
        _goals(report),
        _pictures(report),
        "<h2>Dose-volume histograms</h2>",
        _plot(report),
        _doses(report),
    ]
    parts += [_gating(report), _signatures(report)]
    rows = "".join(f"<tr><td>{escape(a)}<td>{escape(b)}" for a, b in identifiers(report))
    parts.append(f"<h2>Data</h2><table>{rows}</table><p class=muted>{NOT_A_DEVICE}</p>")
    title = escape(f"Plan review, {patient_name(patient)}")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<body>{''.join(parts)}</body></html>"
    ).encode()


def write_csv(report: Report) -> bytes:
    """The goals, a row for each goal and plan, and the doses of each structure. Text that a spreadsheet would compute is quoted."""
    out = StringIO()
    table = csv.writer(out)
    patient = report.case.patient
    table.writerow(["patient", _cell(patient_name(patient)), _cell(patient.id)])
    table.writerow(["made", report.made.isoformat(timespec="seconds"), f"Reviewer {__version__}", NOT_A_DEVICE])
    table.writerow(["state", *map(_cell, state(report))])
    table.writerows(["statement", _cell(line)] for line in said(report))
    table.writerow([])
    table.writerow(PLAN_FACTS)
    table.writerows(list(map(_cell, facts)) for facts in plan_facts(report))
    table.writerow([])
    sheet = report.comparison.sheet
    table.writerow(["goals", _cell(sheet.name), _cell(sheet.source)])
    table.writerow(
        ["structure", "goal", "limit", "acceptable", "plan", "dose", "value", "unit", "status", "reason or note"]
    )
    for row in report.comparison.rows:
        for evaluation, result in zip(report.comparison.evaluations, row.results, strict=True):
            if result is None:
                continue
            table.writerow(
                [
                    _cell(row.name),
                    str(row.goal.metric),
                    str(row.goal.limit),
                    str(row.goal.acceptable or ""),
                    _cell(evaluation.delivery.label),
                    evaluation.delivery.dose.id,
                    "" if result.value is None else f"{result.value:.6g}",
                    row.goal.limit.unit,
                    result.status,
                    _cell(result.reason or result.note),
                ]
            )
    table.writerow([])
    table.writerow(["structure", "plan", "volume cc", "mean Gy", "max Gy", "outside dose grid (fraction)"])
    for each in report.curves:
        for label, curve in zip(report.labels, each.dvhs, strict=True):
            if curve is not None:
                figures = (curve.volume_cc, curve.mean_gy, curve.max_gy, curve.outside_fraction)
                table.writerow(
                    [_cell(each.structure.name), _cell(label), *("" if v is None else f"{v:.6g}" for v in figures)]
                )
    if report.gating:
        table.writerow([])
        table.writerow(["gating", _cell(gating_terms(report.gating[0]))])
        table.writerows(["statement", _cell(statement)] for statement in statements(report.gating))
        table.writerow(["figure", *(_cell(t.track.backend) for t in report.gating)])
        table.writerows([line.name, *map(_cell, line.values)] for line in lines(report.gating))
    return out.getvalue().encode("utf-8-sig")


def _cell(text: str) -> str:
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def _plans(report: Report) -> str:
    head = "".join(f"<th>{escape(fact)}" for fact in PLAN_FACTS)
    rows = "".join("<tr>" + "".join(f"<td>{escape(fact)}" for fact in facts) for facts in plan_facts(report))
    return f"<h2>Plans</h2><table><tr>{head}{rows}</table>"


def _goals(report: Report) -> str:
    head = "".join(f"<th>{escape(label)}" for label in report.labels)
    rows = "".join(
        f"<tr><td>{escape(row.name)}<td>{escape(str(row.goal.metric))}<td>{escape(str(row.goal.limit))}"
        + "".join(_verdict(r) for r in row.results)
        for row in report.comparison.rows
    )
    sheet = report.comparison.sheet
    return (
        f"<h2>Goals: {escape(sheet.name)}</h2><p class=muted>Source: {escape(sheet.source)}</p>"
        f"<table><tr><th>structure<th>goal<th>limit{head}{rows}</table>{_said(report)}"
    )


def _verdict(result: GoalResult | None) -> str:
    if result is None:
        return "<td>–"
    value = f"{shown_value(result)} {result.goal.limit.unit}" if result.value is not None else ""
    note = result.reason or result.note
    return f"<td class={result.status}><b>{escape(f'{mark(result)} {value} {WORDS[result.status]}')}</b>" + (
        f"<br>{escape(note)}" if note else ""
    )


def _pictures(report: Report) -> str:
    figures = []
    for row in report.pictures:
        for label, picture in zip(report.labels, row, strict=False):
            figures.append(
                f"<figure><img alt='' src='data:image/jpeg;base64,{_coded(picture)}'>"
                f"<figcaption>{escape(f'{label}. {picture.title}')}</figcaption></figure>"
            )
    columns = max(2, len(report.labels))
    grid = f"style='grid-template-columns:repeat({columns},1fr)'"
    return f"<h2>Pictures</h2><div class=pictures {grid}>{''.join(figures)}</div>" if figures else ""


def _coded(picture: Picture) -> str:
    _, coded = cv2.imencode(".jpg", picture.rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return base64.b64encode(coded.tobytes()).decode()


def _plot(report: Report) -> str:
    most = 10 * (int(max((d.max_gy or 0 for c in report.curves for d in c.dvhs if d), default=0) / 10) + 1)
    lines = []
    for gy in range(0, most + 1, 10):
        x = 40 + 900 * gy / most
        lines.append(f"<path d='M{x:.1f} 10V360' stroke='#c9d0d7'/><text x={x:.0f} y=378 font-size=12>{gy}</text>")
    for percent in range(0, 101, 20):
        y = 360 - 3.5 * percent
        lines.append(
            f"<path d='M40 {y:.1f}H940' stroke='#c9d0d7'/><text x=8 y={y + 4:.0f} font-size=12>{percent}</text>"
        )
    for each in report.curves:
        for n, curve in enumerate(each.dvhs):
            if curve is None or not len(curve.dose_gy) or each.structure.type == "EXTERNAL":
                continue
            picked = np.unique(np.linspace(0, len(curve.dose_gy) - 1, 300).astype(int))
            dose = np.concatenate([[0.0], curve.dose_gy[picked]])
            share = np.concatenate([[curve.known_cc], curve.cumulative_cc[picked]]) / curve.volume_cc
            points = " ".join(
                f"{40 + 900 * g / most:.1f},{360 - 350 * s:.1f}" for g, s in zip(dose, share, strict=True)
            )
            r, g, b = each.structure.colour
            lines.append(
                f"<polyline points='{points}' fill=none stroke='rgb({r},{g},{b})' stroke-width=1.6 "
                f"stroke-dasharray='{_DASHES[n % len(_DASHES)]}'><title>{escape(each.structure.name)}</title></polyline>"
            )
    told = " · ".join(
        f"{('solid', 'dashed', 'dotted', 'dash-dotted')[n % 4]}: {label}" for n, label in enumerate(report.labels)
    )
    return f"<p>{escape(told)}; volume in %, dose in Gy</p><svg viewBox='0 0 960 390'>{''.join(lines)}</svg>"


def _doses(report: Report) -> str:
    head = "".join(f"<th>{escape(label)}: mean / max [Gy]" for label in report.labels)
    rows = []
    for each in report.curves:
        first = next((d for d in each.dvhs if d), None)
        cells = "".join(
            f"<td>{d.mean_gy:.2f} / {d.max_gy:.2f}" if d and d.mean_gy is not None and d.max_gy is not None else "<td>–"
            for d in each.dvhs
        )
        r, g, b = each.structure.colour
        volume = f"{first.volume_cc:.2f}" if first else "–"
        outside = max((d.outside_fraction for d in each.dvhs if d), default=0.0)
        rows.append(
            f"<tr><td style='border-left:10px solid rgb({r},{g},{b})'>{escape(each.structure.name)}<td>{volume}{cells}"
            + (f"<td>{100 * outside:.1f} %" if outside else "<td>–")
        )
    return f"<table><tr><th>structure<th>cc{head}<th>outside dose{''.join(rows)}</table>{_said(report)}"


def _said(report: Report) -> str:
    return "".join(f"<p class=acceptable>{escape(line)}</p>" for line in said(report))


def _gating(report: Report) -> str:
    if not report.gating:
        return ""
    head = "".join(f"<th>{escape(t.track.backend)}" for t in report.gating)
    rows = "".join(
        f"<tr><td>{escape(line.name)}{''.join(f'<td>{escape(v)}' for v in line.values)}<td class=muted>{escape(line.meaning)}"
        for line in lines(report.gating)
    )
    said = "<br>".join(escape(f"· {statement}") for statement in statements(report.gating))
    return (
        f"<h2>Gating: {escape(report.gating[0].track.cine.description)}</h2><p>{escape(gating_terms(report.gating[0]))}</p>"
        f"{_traces(report.gating)}<p class=muted>{said}</p><table><tr><th>{head}<th>{rows}</table>"
    )


def _traces(traces: Sequence[Trace]) -> str:
    parts = []
    for shape in figure.figure_of(traces):
        colour, y = figure.COLOURS[shape.role], figure.HEIGHT_MM
        if isinstance(shape, figure.Bar):
            place = (
                f"x={shape.x:.2f} y={y - shape.y - shape.height:.2f} width={shape.width:.2f} height={shape.height:.2f}"
            )
            parts.append(f"<rect {place} fill='{colour}'/>")
        elif isinstance(shape, figure.Line):
            points = " ".join(f"{a:.2f},{y - b:.2f}" for a, b in shape.points)
            width, dash = (0.15 if shape.role == "grid" else 0.3), " ".join(f"{d:g}" for d in shape.dash)
            parts.append(
                f"<polyline points='{points}' fill=none stroke='{colour}' stroke-width={width} stroke-dasharray='{dash}'/>"
            )
        else:
            place = f"x={shape.x:.2f} y={y - shape.y:.2f} text-anchor={shape.anchor}"
            parts.append(f"<text {place} font-size=2.6 fill='{colour}'>{escape(shape.text)}</text>")
    return f"<svg viewBox='0 0 {figure.WIDTH_MM:g} {figure.HEIGHT_MM:g}'>{''.join(parts)}</svg>"


def _signatures(report: Report) -> str:
    parts = []
    for each in report.sign_offs:
        lines = [
            f"<b>{escape(f'{each.verdict.capitalize()} by {signature(each.first)}')}</b>",
            escape(each.first.statement),
        ]
        if each.second is not None:
            lines += [f"<b>{escape(f'Second signature: {signature(each.second)}')}</b>", escape(each.second.statement)]
        broken = void(report, each)
        lines += [f"<b class=violated>{escape(broken)}</b>"] if broken else []
        lines.append(
            f"<span class=muted>Account {escape(each.first.account)}, entry {each.number}, {each.first.hash}</span>"
        )
        parts.append(f"<div class=note>{'<br>'.join(lines)}</div>")
    return f"<h2>Signatures</h2>{''.join(parts) or '<p>Nobody has signed.</p>'}"
