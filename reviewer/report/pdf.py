"""The report as PDF, on A4 or letter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Literal

import cv2
import numpy as np
from reportlab.graphics.shapes import Drawing, Line, PolyLine, Rect, String
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, LETTER
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    CondPageBreak,
    Flowable,
    Frame,
    Image,
    KeepTogether,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

from reviewer import __version__
from reviewer.dosimetry.goals import GoalResult
from reviewer.gating import figure
from reviewer.gating.summary import lines, statements
from reviewer.gating.trace import Trace
from reviewer.report.contents import NOT_A_DEVICE, WORDS, Curves, Report, mark, shown_value
from reviewer.report.fonts import BOLD, REGULAR, marked_up, register
from reviewer.report.pictures import HEIGHT_MM, WIDTH_MM, Picture
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

ROWS = 4
"""Rows of pictures on a page: three planes through a target, and the hottest spot of an organ."""

Paper = Literal["a4", "letter"]
PAPERS = {"a4": A4, "letter": LETTER}

MARGIN, HEAD, FOOT = 15 * mm, 25 * mm, 16 * mm

INK, MUTED, RULE, SHADE = (colors.HexColor(c) for c in ("#1b2430", "#5b6773", "#c9d0d7", "#f3f5f7"))
STATUS = {
    "met": colors.HexColor("#1c7c3c"),
    "acceptable": colors.HexColor("#9a6a00"),
    "violated": colors.HexColor("#b3261e"),
    "not-evaluated": colors.HexColor("#5b6773"),
}
DASHES: tuple[list[float] | None, ...] = (None, [5, 2.5], [1.2, 2], [7, 2, 1.2, 2])
"""Lines of the plans in the DVH, in their order."""


def write_pdf(report: Report, paper: Paper = "a4") -> bytes:
    register()
    out = BytesIO()
    width, height = PAPERS[paper]
    document = BaseDocTemplate(
        out,
        pagesize=(width, height),
        title=f"Plan review, {patient_name(report.case.patient)}",
        author="Reviewer",
        creator=f"Reviewer {__version__}",
        subject=NOT_A_DEVICE,
    )
    frame = Frame(MARGIN, FOOT, width - 2 * MARGIN, height - HEAD - FOOT, 0, 0, 0, 0)
    document.addPageTemplates(PageTemplate("page", [frame]))
    story = list(_story(report, width - 2 * MARGIN, height - HEAD - FOOT))
    document.build(story, canvasmaker=lambda *a, **k: _Numbered(report, *a, **k))
    return out.getvalue()


class _Numbered(Canvas):  # type: ignore[misc]
    """Draws head and foot of every page when it is known how many there are."""

    def __init__(self, report: Report, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._report, self._states = report, list[dict[str, Any]]()

    def showPage(self) -> None:
        self._states.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._states, start=1):
            self.__dict__.update(page)
            self._margins(number, len(self._states))
            super().showPage()
        super().save()

    def _margins(self, number: int, count: int) -> None:
        width, height = self._pagesize
        room = width - 2 * MARGIN
        patient = self._report.case.patient
        name = Paragraph(marked_up(patient_name(patient)), _style(11, BOLD))
        used = _drawn(self, name, MARGIN, height - 9 * mm, room * 0.6, 9 * mm)
        facts = Paragraph(marked_up(patient_facts(patient)), _style(8, colour=MUTED))
        _drawn(self, facts, MARGIN, height - 9 * mm - used, room * 0.6, 5 * mm)
        symbol, sentence = state(self._report)
        signed = Paragraph(marked_up(f"{symbol} {sentence}"), _style(8, BOLD, alignment=2))
        used = _drawn(self, signed, MARGIN + room * 0.62, height - 9 * mm, room * 0.38, 9 * mm)
        made = Paragraph(
            f"Plan review, {moment(self._report.made.isoformat(timespec='seconds'))}",
            _style(8, colour=MUTED, alignment=2),
        )
        _drawn(self, made, MARGIN + room * 0.62, height - 9 * mm - used, room * 0.38, 5 * mm)
        self.setStrokeColor(RULE)
        self.setLineWidth(0.6)
        self.line(MARGIN, height - HEAD + 3.5 * mm, width - MARGIN, height - HEAD + 3.5 * mm)
        self.line(MARGIN, FOOT - 3 * mm, width - MARGIN, FOOT - 3 * mm)
        self.setFont(REGULAR, 7)
        self.setFillColor(MUTED)
        self.drawString(MARGIN, FOOT - 7 * mm, NOT_A_DEVICE)
        self.drawRightString(width - MARGIN, FOOT - 7 * mm, f"Page {number} of {count}")
        self.drawString(MARGIN, FOOT - 10.5 * mm, f"Reviewer {__version__}")


def _drawn(canvas: Canvas, paragraph: Paragraph, x: float, top: float, width: float, height: float) -> float:
    """Draw it below `top`, in a smaller size where it is too high; how high it is."""
    _, used = paragraph.wrap(width, height)
    while used > height and paragraph.style.fontSize > 5:
        style = paragraph.style.clone(
            "smaller", fontSize=paragraph.style.fontSize - 1, leading=paragraph.style.leading - 1.2
        )
        paragraph = Paragraph(paragraph.text, style)
        _, used = paragraph.wrap(width, height)
    paragraph.drawOn(canvas, x, top - used)
    return float(used)


# -- the pages ------------------------------------------------------------------------------------------------------------


def _story(report: Report, width: float, height: float) -> Iterator[Flowable]:
    yield from _summary(report, width)
    yield from _goals(report, width)
    yield from _pictures(report, width, height)
    yield from _dvh(report, width)
    yield from _gating(report, width)
    yield from _signatures(report, width)
    yield from _identifiers(report, width)


def _summary(report: Report, width: float) -> Iterator[Flowable]:
    for doubt in report.doubts:
        yield _box(f"⚠ {doubt[:1].upper()}{doubt[1:]}", STATUS["violated"], width)
        yield Spacer(0, 2 * mm)
    symbol, sentence = state(report)
    approved, void_or_not = symbol == "✓", symbol in "✗!"
    colour = STATUS["met"] if approved else STATUS["violated"] if void_or_not else MUTED
    yield _box(f"{symbol}  {sentence}", colour, width)
    yield Spacer(0, 3 * mm)
    if report.decision is not None:
        yield _heading("Decision")
        yield _text(report.decision.sentence, font=BOLD)
        for price in (report.decision.baseline, report.decision.adapted):
            if price is not None:
                worse = ", ".join(
                    f"{r.name} {r.goal.metric} {d:+.1f} {r.goal.limit.unit}".strip() for r, d in price.worse
                )
                counts = f"{len(price.violated)} violated, {len(price.acceptable)} acceptable, {len(price.unknown)} not evaluated"
                yield _text(f"{price.label}: {counts}; worse in {worse or 'nothing'}.")
        yield Spacer(0, 2 * mm)
    yield _heading("Plans")
    rows: list[list[Any]] = [_head("", *PLAN_FACTS)]
    rows += (_cells(str(number), *facts) for number, facts in enumerate(plan_facts(report), start=1))
    yield _table(rows, width, [0.05, 0.3, 0.3, 0.14, 0.09, 0.12])
    yield from _said(report)
    yield Spacer(0, 4 * mm)


def _said(report: Report) -> Iterator[Flowable]:
    """Below every table of numbers."""
    for line in said(report):
        yield Spacer(0, 1.5 * mm)
        yield _text(line, STATUS["acceptable"])


def _goals(report: Report, width: float) -> Iterator[Flowable]:
    comparison = report.comparison
    yield _heading(f"Goals: {comparison.sheet.name}")
    yield _text(f"Source: {comparison.sheet.source}", MUTED)
    count = len(report.labels)
    titles = [f"{n}: {label}" for n, label in enumerate(report.labels, start=1)]
    rows: list[list[Any]] = [_head("structure", "goal", "limit", *titles, *(["2 − 1"] if count == 2 else []))]
    tints: list[tuple[Any, ...]] = []
    for line, row in enumerate(comparison.rows, start=1):
        goal = row.goal
        acceptable = f" ({goal.acceptable})" if goal.acceptable else ""
        difference = row.difference(1) if count == 2 else None
        rows.append(
            [
                *_cells(row.name, str(goal.metric), f"{goal.limit}{acceptable}"),
                *(_verdict(r) for r in row.results),
                *([_cell("–" if difference is None else f"{difference:+.2f}")] if count == 2 else []),
            ]
        )
        tints += [
            ("LINEBEFORE", (3 + c, line), (3 + c, line), 2, STATUS[r.status]) for c, r in enumerate(row.results) if r
        ]
    last = 0.09 if count == 2 else 0.0
    each = (1 - 0.2 - 0.13 - 0.15 - last) / count
    yield _table(rows, width, [0.2, 0.13, 0.15, *[each] * count, *([last] if last else [])], tints)
    yield from _said(report)
    unmatched = ", ".join(s.name for s in comparison.evaluations[0].unmatched)
    if unmatched:
        yield Spacer(0, 1.5 * mm)
        yield _text(f"Without a goal: {unmatched}.", MUTED)
    yield _text(
        "✓ met · ~ within the acceptable variation (in brackets) · ✗ violated · ? not evaluated, and why", MUTED
    )


def _verdict(result: GoalResult | None) -> Paragraph:
    if result is None:
        return _cell("–")
    note = result.reason or result.note
    value = f"{shown_value(result)} {result.goal.limit.unit}".strip() if result.value is not None else ""
    words = " ".join(p for p in (mark(result), value, WORDS[result.status]) if p)
    return Paragraph(
        f"<b>{marked_up(words)}</b>" + (f"<br/>{marked_up(note)}" if note else ""),
        _style(7.5, colour=STATUS[result.status]),
    )


def _pictures(report: Report, width: float, height: float) -> Iterator[Flowable]:
    """A column for each plan; so large that the rows of a case with one target and one broken goal go on one page, on letter too."""
    if not report.pictures:
        return
    yield CondPageBreak(120 * mm)
    yield _heading("Pictures")
    shown = report.pictures[0][0].isodoses
    legend = " · ".join(f'<font color="#{_hex(i.colour)}">▬</font> {i.gy:g} Gy' for i in shown)
    yield Paragraph(f"Isodoses of the first plan: {legend}", _style(7.5))
    yield Spacer(0, 1.5 * mm)
    cells = [picture for row in report.pictures for picture in row]
    across = max(2, len(report.labels))
    each = (width - (across - 1) * 3 * mm) / across
    shown_width = min(each, ((height - 16 * mm) / ROWS - 6.5 * mm) * WIDTH_MM / HEIGHT_MM)
    named = len(report.labels) > 1
    for start in range(0, len(cells), across):
        line = cells[start : start + across]
        blocks = [
            [
                _image(picture, shown_width),
                _cell(
                    (f"{(start + n) % across + 1}: {report.labels[(start + n) % across]}. " if named else "")
                    + picture.title
                ),
            ]
            for n, picture in enumerate(line)
        ]
        table = Table(
            [[*blocks, *[""] * (across - len(blocks))]],
            colWidths=[each + (3 * mm if n < across - 1 else 0) for n in range(across)],
        )
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 0),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                ]
            )
        )
        yield table


def _image(picture: Picture, width: float) -> Image:
    good, coded = cv2.imencode(".jpg", picture.rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    assert good
    return Image(BytesIO(coded.tobytes()), width, width * HEIGHT_MM / WIDTH_MM)


def _dvh(report: Report, width: float) -> Iterator[Flowable]:
    if not report.curves:
        return
    yield CondPageBreak(140 * mm)
    yield _heading("Dose-volume histograms")
    lines = ("solid", "dashed", "dotted", "dash-dotted")
    told = " · ".join(f"{lines[n % len(lines)]}: {label}" for n, label in enumerate(report.labels))
    yield _text(told)
    yield _plot(report.curves, width, 92 * mm)
    yield Spacer(0, 3 * mm)
    titles = [f"{n}: {label}" for n, label in enumerate(report.labels, start=1)] if len(report.labels) > 1 else [""]
    head = ["", "structure", "cc", *(f"{t}\nmean / max [Gy]".strip() for t in titles), "outside dose"]
    rows: list[list[Any]] = [_head(*head)]
    tints: list[tuple[Any, ...]] = []
    for line, each in enumerate(report.curves, start=1):
        first = next((d for d in each.dvhs if d is not None), None)
        outside = max((d.outside_fraction for d in each.dvhs if d is not None), default=0.0)
        rows.append(
            _cells(
                "",
                each.structure.name,
                f"{first.volume_cc:.2f}" if first else "–",
                *(
                    f"{d.mean_gy:.2f} / {d.max_gy:.2f}" if d and d.mean_gy is not None and d.max_gy is not None else "–"
                    for d in each.dvhs
                ),
                f"{100 * outside:.1f} %" if outside else "–",
            )
        )
        tints.append(("BACKGROUND", (0, line), (0, line), _colour(each.structure.colour)))
    share = 0.55 / len(report.labels)
    yield _table(rows, width, [0.02, 0.2, 0.11, *[share] * len(report.labels), 0.12], tints)
    yield from _said(report)


def _plot(curves: Sequence[Curves], width: float, height: float) -> Drawing:
    """Volume in % over dose in Gy."""
    drawing = Drawing(width, height)
    left, bottom, right, top = 11 * mm, 9 * mm, width - 2 * mm, height - 2 * mm
    highest = max((d.max_gy or 0.0 for each in curves for d in each.dvhs if d is not None), default=1.0)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100) if highest / s <= 12 or s == 100)
    most = step * (int(highest / step) + 1)

    def at(gy: float, percent: float) -> tuple[float, float]:
        return left + (right - left) * gy / most, bottom + (top - bottom) * percent / 100

    for gy in range(0, most + 1, step):
        x, _ = at(gy, 0)
        drawing.add(Line(x, bottom, x, top, strokeColor=RULE, strokeWidth=0.4))
        drawing.add(String(x, bottom - 9, str(gy), fontName=REGULAR, fontSize=7, textAnchor="middle", fillColor=MUTED))
    for percent in range(0, 101, 20):
        _, y = at(0, percent)
        drawing.add(Line(left, y, right, y, strokeColor=RULE, strokeWidth=0.4))
        drawing.add(
            String(left - 3, y - 2.5, str(percent), fontName=REGULAR, fontSize=7, textAnchor="end", fillColor=MUTED)
        )
    drawing.add(
        String((left + right) / 2, 2, "dose [Gy]", fontName=REGULAR, fontSize=7, textAnchor="middle", fillColor=INK)
    )
    drawing.add(
        String(
            right - 3, top - 8, "volume [%] over dose", textAnchor="end", fontName=REGULAR, fontSize=7, fillColor=INK
        )
    )
    for each in curves:
        if each.structure.type == "EXTERNAL":
            continue
        for n, curve in enumerate(each.dvhs):
            if curve is None or not len(curve.dose_gy) or curve.volume_cc <= 0:
                continue
            picked = np.unique(np.linspace(0, len(curve.dose_gy) - 1, 400).astype(int))
            dose = np.concatenate([[0.0], curve.dose_gy[picked]])
            volume = np.concatenate([[curve.known_cc], curve.cumulative_cc[picked]]) / curve.volume_cc * 100
            points = [c for gy, percent in zip(dose, volume, strict=True) for c in at(float(gy), float(percent))]
            line = PolyLine(points, strokeColor=_colour(each.structure.colour, dark=True), strokeWidth=1.1)
            line.strokeDashArray = DASHES[n % len(DASHES)]
            drawing.add(line)
    return drawing


def _gating(report: Report, width: float) -> Iterator[Flowable]:
    if not report.gating:
        return
    first = report.gating[0]
    yield CondPageBreak(110 * mm)
    yield _heading(f"Gating: {first.track.cine.description}")
    yield _text(gating_terms(first))
    yield Spacer(0, 2 * mm)
    yield _traces(report.gating, width)
    for statement in statements(report.gating):
        yield _text(f"· {statement}", MUTED)
    yield Spacer(0, 2 * mm)
    rows: list[list[Any]] = [_head("", *(t.track.backend for t in report.gating), "what it is")]
    rows += [_cells(line.name, *line.values, line.meaning) for line in lines(report.gating)]
    share = min(0.14, 0.4 / len(report.gating))
    yield _table(rows, width, [0.18, *[share] * len(report.gating), 0.82 - share * len(report.gating)])


def _traces(traces: Sequence[Trace], width: float) -> Drawing:
    scale = width / figure.WIDTH_MM
    drawing = Drawing(width, scale * figure.HEIGHT_MM)
    for shape in figure.figure_of(traces):
        colour = colors.HexColor(figure.COLOURS[shape.role])
        if isinstance(shape, figure.Bar):
            size = (scale * shape.width, scale * shape.height)
            drawing.add(Rect(scale * shape.x, scale * shape.y, *size, fillColor=colour, strokeColor=None))
        elif isinstance(shape, figure.Line):
            points = [scale * c for point in shape.points for c in point]
            line = PolyLine(points, strokeColor=colour, strokeWidth=0.4 if shape.role == "grid" else 0.9)
            line.strokeDashArray = [scale * d for d in shape.dash] or None
            drawing.add(line)
        else:
            at = (scale * shape.x, scale * shape.y, shape.text)
            drawing.add(String(*at, fontName=REGULAR, fontSize=7, textAnchor=shape.anchor, fillColor=colour))
    return drawing


def _signatures(report: Report, width: float) -> Iterator[Flowable]:
    blocks: list[Flowable] = [_heading("Signatures")]
    if not report.sign_offs:
        blocks.append(_text("Nobody has signed."))
    for each in report.sign_offs:
        broken = void(report, each)
        colour = STATUS["violated"] if broken or each.verdict == "rejected" else STATUS["met"]
        lines = [
            f"<b>{marked_up(f'{each.verdict.capitalize()} by {signature(each.first)}')}</b>",
            marked_up(each.first.statement),
        ]
        if each.second is not None:
            lines += [
                f"<b>{marked_up(f'Second signature: {signature(each.second)}')}</b>",
                marked_up(each.second.statement),
            ]
        lines.append(
            marked_up(f"Account {each.first.account}, Reviewer {each.version}, entry {each.number}, {each.first.hash}")
        )
        if broken:
            lines.append(f"<b>{marked_up(broken)}</b>")
        blocks += [_box("", colour, width, "<br/>".join(lines)), Spacer(0, 2 * mm)]
    blocks.append(
        _text(
            "A signature here is a statement under a name typed at the account that is named, bound to contours, plans, doses, goals and "
            "values by SHA-256, in a log whose entries are chained by hash. It proves nobody's identity and is no qualified electronic signature.",
            MUTED,
        )
    )
    yield Spacer(0, 4 * mm)
    yield KeepTogether(blocks)


def _identifiers(report: Report, width: float) -> Iterator[Flowable]:
    rows: list[list[Any]] = [_head("data", "identifier")]
    for title, uid in identifiers(report):
        rows.append(_cells(title, uid))
    yield KeepTogether([Spacer(0, 4 * mm), _heading("Data"), _table(rows, width, [0.35, 0.65])])


# -- parts ----------------------------------------------------------------------------------------------------------------


def _style(size: float, font: str = REGULAR, colour: Any = INK, alignment: int = 0) -> ParagraphStyle:
    return ParagraphStyle(
        "s", fontName=font, fontSize=size, leading=size * 1.3, textColor=colour, alignment=alignment, splitLongWords=1
    )


def _heading(text: str) -> Paragraph:
    style = _style(12, BOLD)
    style.spaceBefore, style.spaceAfter, style.keepWithNext = 2 * mm, 1.5 * mm, 1
    return Paragraph(marked_up(text), style)


def _text(text: str, colour: Any = INK, font: str = REGULAR) -> Paragraph:
    return Paragraph(marked_up(text), _style(8.5, font, colour))


def _cell(text: str) -> Paragraph:
    return Paragraph(marked_up(text), _style(7.5))


def _cells(*texts: str) -> list[Any]:
    return [_cell(t) for t in texts]


def _head(*texts: str) -> list[Any]:
    return [Paragraph(marked_up(t.replace("\n", " ")), _style(7.5, BOLD, MUTED)) for t in texts]


def _table(rows: list[list[Any]], width: float, shares: Sequence[float], more: Sequence[tuple[Any, ...]] = ()) -> Table:
    table = Table(rows, colWidths=[width * s for s in shares], repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LINEBELOW", (0, 0), (-1, 0), 0.8, MUTED),
                ("LINEBELOW", (0, 1), (-1, -1), 0.3, RULE),
                ("ROWBACKGROUNDS", (0, 1), (-1, -1), [colors.white, SHADE]),
                ("LEFTPADDING", (0, 0), (-1, -1), 4),
                ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                ("TOPPADDING", (0, 0), (-1, -1), 2.2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 2.6),
                *more,
            ]
        )
    )
    return table


def _box(text: str, colour: Any, width: float, markup: str = "") -> Table:
    """A paragraph with a bar of colour at its left."""
    style = _style(8.5) if markup else _style(10.5, BOLD, colour)
    table = Table([[Paragraph(markup or marked_up(text), style)]], colWidths=[width])
    table.setStyle(
        TableStyle(
            [
                ("LINEBEFORE", (0, 0), (0, -1), 3, colour),
                ("BACKGROUND", (0, 0), (-1, -1), SHADE),
                ("LEFTPADDING", (0, 0), (-1, -1), 9),
                ("TOPPADDING", (0, 0), (-1, -1), 5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 6),
            ]
        )
    )
    return table


def _colour(rgb: tuple[int, int, int], dark: bool = False) -> colors.Color:
    """dark: so that light colours can be read on white."""
    weight = sum(c * w for c, w in zip(rgb, (0.299, 0.587, 0.114), strict=True))
    factor = min(1.0, 150 / weight) if dark and weight else 1.0
    return colors.Color(*(factor * c / 255 for c in rgb))


def _hex(rgb: tuple[int, int, int]) -> str:
    return "".join(f"{c:02x}" for c in rgb)
