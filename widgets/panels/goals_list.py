"""The list of goals: what is asked, and below it a value for each plan with its mark. Painted by hand, to be read in a narrow column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from ..theme import RHYTHM, body_font, theme, theme_changed

if TYPE_CHECKING:  # importing them for good would load numba
    from reviewer.dosimetry.bands import Band
    from reviewer.dosimetry.goals import GoalResult
    from reviewer.dosimetry.plans import Row

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole

SYMBOLS = {"met": "✓", "acceptable": "~", "violated": "✗", "not-evaluated": "?"}
WORDS = {"met": "met", "acceptable": "acceptable variation", "violated": "violated", "not-evaluated": "not evaluated"}

INSET, BAND_PX, WIDE_PX = 3, 9, 420
"""Margin of a row; height of the strip that shows the published band; from this width on a goal stands in one line."""


@dataclass(frozen=True, eq=False)
class Line:
    """A row of the list. titles: of the columns. band: published values of this structure and metric, and where they are from.

    pending: the values are those of another state, and are not told.
    """

    row: Row
    titles: tuple[str, ...]
    band: Band | None = None
    source: str = ""
    pending: bool = False

    @property
    def question(self) -> str:
        """The metric without the unit, which the limit has."""
        metric, limit = str(self.row.goal.metric), str(self.row.goal.limit)
        return f"{metric.split('[')[0]} {limit}"

    @property
    def brief(self) -> str:
        """The same for a narrow row."""
        goal = self.row.goal
        sign = {"<=": "≤", ">=": "≥"}.get(goal.limit.sign, goal.limit.sign)
        unit = goal.limit.unit if goal.limit.unit in ("%", "") else f"\u2009{goal.limit.unit}"
        return f"{str(goal.metric).split('[')[0]}\u2009{sign}\u2009{goal.limit.value:g}{unit}"

    @property
    def difference(self) -> float | None:
        """Of the first two plans."""
        return self.row.difference(1, 0) if len(self.row.results) == 2 else None

    @property
    def looks(self) -> tuple[object, ...]:
        """What differs where the line has to be painted anew."""
        colours = [r.structure.colour for r in self.row.results if r is not None and r.structure is not None]
        return self.spoken, colours, self.band

    @property
    def spoken(self) -> str:
        """The whole line in words."""
        parts = [f"{self.row.name} {self.question}"]
        if self.pending:
            return f"{parts[0]}; being evaluated"
        for title, result in zip(self.titles, self.row.results, strict=True):
            parts.append(f"{title}: {told(result)}" if title else told(result))
        if self.difference is not None:
            parts.append(f"difference {signed(self.difference)} {self.row.goal.metric.unit}".strip())
        return "; ".join(parts)


def told(result: GoalResult | None) -> str:
    """A result in words: never a bare number where it was not evaluated."""
    if result is None:
        return "no such structure"
    unit = result.goal.metric.unit
    value = "" if result.value is None else f"{number(result.value)} {unit}".strip()
    if result.status == "not-evaluated":
        known = f" ({value} in the part with known dose)" if value and result.outside_fraction else ""
        return f"not evaluated: {result.reason}{known}"
    note = f" ({result.note})" if result.note else ""
    return f"{SYMBOLS[result.status]} {value}, {WORDS[result.status]}{note}"


def number(value: float) -> str:
    """Sensible digits: whole from 1000 on, one from 10 on, else two."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def signed(value: float) -> str:
    digits = 0 if abs(value) >= 1000 else 1
    text = f"{value:+.{digits}f}".replace("-", "−")
    return "±0" if text[1:].strip("0.") == "" else text


def status_colour(status: str) -> QColor:
    t = theme()
    return QColor({"met": t.good, "acceptable": t.caution, "violated": t.bad}.get(status, t.muted))


def cells(left: int, width: int, count: int) -> list[tuple[int, int]]:
    """Start and width of a cell for each plan, and of one for the difference where there are two."""
    shares = count + (1 if count == 2 else 0)
    if shares == 3:  # marks take room in the first two only
        value = round(width * 0.37)
        return [(left, value), (left + value, value), (left + 2 * value, width - 2 * value)]
    each = width // max(shares, 1)
    return [(left + n * each, each) for n in range(shares)]


def split(width: int) -> tuple[int, int]:
    """Where the cells of a wide row begin, and how wide they are; a narrow row has them in a line of their own."""
    if width < WIDE_PX:
        return INSET, width - 2 * INSET
    begin = round(width * 0.5)
    return begin, width - begin - INSET


class Goals(QListView):
    """chosen: a line was clicked, or entered from the keyboard."""

    chosen = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("goals.list")
        self.setAccessibleName("Goals")
        self.lines = _Lines(self)
        self.setModel(self.lines)
        self.setItemDelegate(_Delegate(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(False)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalScrollBar().setSingleStep(20)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.clicked.connect(lambda index: self.chosen.emit(index.data(ROW_ROLE)))
        self.activated.connect(lambda index: self.chosen.emit(index.data(ROW_ROLE)))
        theme_changed.connect(self._dress)

    def _dress(self) -> None:
        self.viewport().update()

    def dataChanged(self, first: Index, last: Index, roles: Sequence[int] = ()) -> None:
        """A line that says something else is as high as before. QListView would lay all of them out anew, and paint them a turn later."""
        QAbstractItemView.dataChanged(self, first, last, roles)

    def show_lines(self, lines: Sequence[Line]) -> None:
        """In place, as long as there are as many."""
        self.lines.show(tuple(lines))
        if self.currentIndex().isValid() and self.currentIndex().row() >= len(lines):
            self.clearSelection()


class _Lines(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.shown: tuple[Line, ...] = ()

    def show(self, lines: tuple[Line, ...]) -> None:
        same = len(lines) == len(self.shown) and all(
            (a.band is None) == (b.band is None) for a, b in zip(lines, self.shown, strict=False)
        )
        if same:
            before, self.shown = self.shown, lines
            for n, (new, old) in enumerate(zip(lines, before, strict=True)):
                if new.looks != old.looks:
                    self.dataChanged.emit(self.index(n), self.index(n))
            return
        self.beginResetModel()
        self.shown = lines
        self.endResetModel()

    def outdate(self, holds: Callable[[Row], bool]) -> None:
        """What does not hold is not told any more. It is not painted at once, for mostly the next outcome is near."""
        self.shown = tuple(line if holds(line.row) else replace(line, pending=True) for line in self.shown)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 -- Qt's own signature
        return 0 if parent.isValid() else len(self.shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self.shown):
            return None
        line = self.shown[index.row()]
        if role == ROW_ROLE:
            return line
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return line.spoken
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(line)
        return None


def tip(line: Line) -> str:
    goal = line.row.goal
    rows = [
        f"{line.row.name}   {goal.metric} {goal.limit}"
        + (f", acceptable {goal.acceptable}" if goal.acceptable else "")
        + f"   priority {goal.priority}"
    ]
    rows += (
        ["being evaluated"]
        if line.pending
        else [f"{title or 'plan'}: {told(result)}" for title, result in zip(line.titles, line.row.results, strict=True)]
    )
    if line.band is not None:
        band = line.band
        rows.append(f"published: median {band.median:g}, {band.low:g} to {band.high:g} {band.unit} ({line.source})")
    if goal.source:
        rows.append(goal.source)
    if goal.unverified:
        rows.append(f"unverified: {goal.unverified}")
    return "\n".join(rows)


class _Delegate(QStyledItemDelegate):
    def __init__(self, parent: Goals) -> None:
        super().__init__(parent)
        self._view = parent
        self._plain = body_font()
        self._small = body_font()
        self._small.setPointSizeF(self._plain.pointSizeF() - 1)
        self._strong = body_font()
        self._strong.setWeight(QFont.Weight.DemiBold)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        line: Line = index.data(ROW_ROLE)
        text = QFontMetrics(self._plain).height()
        wide = self._view.viewport().width() >= WIDE_PX
        height = text + 8 if wide else 2 * text + 9
        return QSize(10, height + (BAND_PX if line.band is not None else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        line: Line = index.data(ROW_ROLE)
        t = theme()
        rect = option.rect
        painter.save()
        state = option.state
        if state & QStyle.StateFlag.State_Selected or state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(t.hover if state & QStyle.StateFlag.State_Selected else t.raised))
        painter.setPen(QColor(t.line))
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        metrics = QFontMetrics(self._plain)
        text = metrics.height()
        width = rect.width()
        begin, room = split(width)
        first = QRect(rect.left() + INSET, rect.top() + 4, width - 2 * INSET, text)
        second = QRect(rect.left() + begin, first.bottom() + 2, room, text)
        if width >= WIDE_PX:
            first.setWidth(begin - 2 * INSET)
            second.moveTop(first.top())
        self._question(painter, first, line)
        self._values(painter, second, line)
        if line.band is not None:
            strip = QRect(rect.left() + INSET, rect.bottom() - BAND_PX, width - 2 * INSET, BAND_PX - 2)
            _paint_band(painter, strip, line, line.band)
        painter.restore()

    def _question(self, painter: QPainter, box: QRect, line: Line) -> None:
        """The structure at the left, the metric with its limit at the right; the name gives way."""
        t = theme()
        small = QFontMetrics(self._small)
        question = line.brief if self._view.viewport().width() < WIDE_PX else line.question
        question += "*" if line.row.goal.unverified else ""
        asked = small.horizontalAdvance(question)
        results = [r for r in line.row.results if r is not None]
        structure = next((r.structure for r in results if r.structure is not None), None)
        left = box.left()
        if structure is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(QColor(t.line), 1))
            painter.setBrush(QColor(*structure.colour))
            painter.drawRoundedRect(QRectF(left + 0.5, box.center().y() - 3.5, 8, 8), 2, 2)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            left += 12
        painter.setFont(self._plain)
        room = box.right() - left - asked - RHYTHM // 2
        name = QFontMetrics(self._plain).elidedText(line.row.name, Qt.TextElideMode.ElideMiddle, room)
        painter.setPen(QColor(t.text if structure is not None else t.muted))
        painter.drawText(QRect(left, box.top(), max(room, 0), box.height()), Qt.AlignmentFlag.AlignVCenter, name)
        painter.setFont(self._small)
        painter.setPen(QColor(t.muted))
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, question)

    def _values(self, painter: QPainter, box: QRect, line: Line) -> None:
        t = theme()
        results = line.row.results
        if line.pending:
            painter.setFont(self._plain)
            painter.setPen(QColor(t.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "…")
            return
        if all(r is None or (r.status == "not-evaluated" and r.value is None) for r in results):
            reason = next((r.reason for r in results if r is not None), "no such structure")
            painter.setFont(self._small)
            painter.setPen(QColor(t.muted))
            text = QFontMetrics(self._small).elidedText(
                f"? not evaluated: {reason}", Qt.TextElideMode.ElideRight, box.width()
            )
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)
            return
        places = cells(box.left(), box.width(), len(results))
        for (x, width), result in zip(places, results, strict=False):
            self._cell(painter, QRect(x, box.top(), width, box.height()), result, alone=len(results) == 1)
        if len(places) > len(results) and line.difference is not None:
            x, width = places[-1]
            worse, better = line.row.worse(1, 0), line.row.worse(0, 1)
            text = signed(line.difference) + (" worse" if worse and width > 90 else "")
            painter.setFont(self._small)
            painter.setPen(QColor(t.bad if worse else t.good if better else t.muted))
            painter.drawText(
                QRect(x, box.top(), width, box.height()),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                text,
            )

    def _cell(self, painter: QPainter, box: QRect, result: GoalResult | None, alone: bool) -> None:
        t = theme()
        painter.setFont(self._strong)
        if result is None:
            painter.setPen(QColor(t.muted))
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, "–")
            return
        painter.setPen(status_colour(result.status))
        symbol = 14
        painter.drawText(
            QRect(box.left(), box.top(), symbol, box.height()), Qt.AlignmentFlag.AlignVCenter, SYMBOLS[result.status]
        )
        rest = QRect(box.left() + symbol, box.top(), box.width() - symbol - 2, box.height())
        evaluated = result.status != "not-evaluated"
        painter.setFont(self._plain if evaluated else self._small)
        painter.setPen(QColor(t.text if evaluated else t.muted))
        if evaluated or not alone:
            unit = f" {result.goal.metric.unit}" if alone else ""
            value = "n/e" if result.value is None else number(result.value) + unit
            text = value if evaluated else f"({value})"
        else:
            text = f"not evaluated: {result.reason}"
        text = QFontMetrics(painter.font()).elidedText(text, Qt.TextElideMode.ElideRight, rest.width())
        painter.drawText(rest, Qt.AlignmentFlag.AlignVCenter, text)


def _paint_band(painter: QPainter, box: QRect, line: Line, band: Band) -> None:
    """From zero to the largest number of the row: the published range in grey with its median, the limit as a stroke, a mark for each plan."""
    t = theme()
    results = () if line.pending else line.row.results
    values = [r.value for r in results if r is not None and r.value is not None]
    limit = line.row.goal.limit.value
    top = 1.04 * max([band.high, limit, *values, 1e-6])

    def at(value: float) -> float:
        return box.left() + max(value, 0.0) / top * box.width()

    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    middle = box.center().y() + 0.5
    painter.setPen(Qt.PenStyle.NoPen)
    grey = QColor(t.muted)
    grey.setAlpha(40)
    painter.setBrush(grey)
    painter.drawRoundedRect(QRectF(box.left(), middle - 1, box.width(), 2), 1, 1)
    grey.setAlpha(120)
    painter.setBrush(grey)
    painter.drawRoundedRect(QRectF(at(band.low), middle - 2.5, max(at(band.high) - at(band.low), 2), 5), 2, 2)
    painter.setPen(QPen(QColor(t.text), 1.5))
    painter.drawLine(QPoint(round(at(band.median)), box.top() + 1), QPoint(round(at(band.median)), box.bottom()))
    painter.setPen(QPen(QColor(t.bad), 1.5))
    painter.drawLine(QPoint(round(at(limit)), box.top()), QPoint(round(at(limit)), box.bottom() + 1))
    for column, result in enumerate(results):
        if result is None or result.value is None:
            continue
        x = at(result.value)
        painter.setPen(QPen(QColor(t.panel), 0.8))
        painter.setBrush(QColor(t.accent) if column or len(line.row.results) == 1 else QColor(t.text))
        if column == 0 and len(line.row.results) > 1:
            diamond = [(x, middle - 4), (x + 4, middle), (x, middle + 4), (x - 4, middle)]
            painter.drawPolygon(QPolygonF([QPoint(round(a), round(b)) for a, b in diamond]))
        else:
            painter.drawEllipse(QRectF(x - 3, middle - 3, 6, 6))
    painter.setBrush(Qt.BrushStyle.NoBrush)


@dataclass(frozen=True)
class Head:
    """Title of a column. shown: its dose is the one in the pictures; dashed: its curves are. tip: the whole of it."""

    title: str
    tip: str
    shown: bool
    dashed: bool


class GoalsHead(QWidget):
    """The titles above the cells, each with the stroke of its curves. clicked: number of the column."""

    clicked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("goals.head")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(QFontMetrics(body_font()).height() + 8)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMouseTracking(True)
        self._heads: tuple[Head, ...] = ()
        self._right = 0
        theme_changed.connect(self._dress)

    @property
    def heads(self) -> tuple[Head, ...]:
        return self._heads

    def _dress(self) -> None:
        self.update()

    def show_heads(self, heads: Sequence[Head], right: int) -> None:
        """right: what the list's scroll bar takes."""
        if (tuple(heads), right) != (self._heads, self._right):
            self._heads, self._right = tuple(heads), right
            self.setAccessibleName("; ".join(h.title for h in heads))
            self.update()

    def _places(self) -> list[tuple[int, int]]:
        begin, room = split(self.width() - self._right)
        return cells(begin, room, len(self._heads))

    def place(self, column: int) -> QPoint:
        """Where to click for a column."""
        x, width = self._places()[column]
        return QPoint(x + width // 2, self.height() // 2)

    def _column_at(self, x: int) -> int | None:
        return next(
            (n for n, (left, width) in enumerate(self._places()[: len(self._heads)]) if left <= x < left + width), None
        )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        column = self._column_at(round(event.position().x()))
        if column is not None:
            self.clicked.emit(column)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        column = self._column_at(round(event.position().x()))
        self.setToolTip("" if column is None else f"{self._heads[column].tip}\nClick: show this dose in the pictures")

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        t = theme()
        font = body_font()
        font.setPointSizeF(font.pointSizeF() - 0.5)
        places = self._places()
        for head, (x, width) in zip(self._heads, places, strict=False):
            font.setWeight(QFont.Weight.DemiBold if head.shown else QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(t.text if head.shown else t.muted))
            text = QFontMetrics(font).elidedText(head.title, Qt.TextElideMode.ElideMiddle, width - 6)
            painter.drawText(QRect(x, 0, width - 4, self.height() - 4), Qt.AlignmentFlag.AlignVCenter, text)
            pen = QPen(QColor(t.accent if head.shown else t.muted), 2)
            if head.dashed:
                pen.setDashPattern([3, 2])
            painter.setPen(pen)
            painter.drawLine(
                x, self.height() - 3, x + min(width - 8, QFontMetrics(font).horizontalAdvance(text)), self.height() - 3
            )
        if len(places) > len(self._heads):
            x, width = places[-1]
            font.setWeight(QFont.Weight.Normal)
            painter.setFont(font)
            painter.setPen(QColor(t.muted))
            painter.drawText(
                QRect(x, 0, width, self.height() - 4),
                Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter,
                "diff.",
            )
        painter.end()
