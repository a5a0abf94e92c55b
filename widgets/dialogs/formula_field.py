"""A line in which a formula is written: completes names at the cursor, and underlines the place of a mistake."""

from __future__ import annotations

import re
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QStringListModel, Qt
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QCompleter, QLineEdit, QWidget

from reviewer.formula.grammar import FUNCTIONS, FormulaError

from ..theme import RHYTHM, theme

_WORD = re.compile(r"""["']?[\w.~-]*$""")
"""What is being written before the cursor."""

HOW = (
    "| union   & intersection   - difference   ^ either, not both   + 5 mm, - 5 mm margins\n"
    + "\n".join(FUNCTIONS.values())
    + "\nNames with blanks or signs stand in quotes. Ctrl+Space shows what can be written here."
)


def quoted(name: str) -> str:
    """A structure's name as a formula writes it."""
    return name if re.fullmatch(r"[^\W\d]\w*(?:[.~]\w+)*", name) else f'"{name}"'


class FormulaField(QLineEdit):
    """`mark` underlines a mistake; `offer` says which structures can be named."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._error: FormulaError | None = None
        self._words = QStringListModel(self)
        completer = QCompleter(self._words, self)
        completer.setWidget(self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.activated.connect(self._put)
        self.completion = completer
        self.setToolTip(HOW)
        self.textEdited.connect(self._complete)

    def offer(self, names: Sequence[str]) -> None:
        words = [*(quoted(n) for n in names), *(f"{f}(" for f in FUNCTIONS)]
        if words != self._words.stringList():  # what is being chosen from stays as it is
            self._words.setStringList(words)

    def mark(self, error: Exception | None) -> None:
        """Underline where an error says that it is; None for no error."""
        self._error = error if isinstance(error, FormulaError) and error.text == self.text().strip() else None
        self.update()

    @property
    def marked(self) -> tuple[int, int] | None:
        """First and last (exclusive) character that are underlined."""
        if self._error is None:
            return None
        start = self._error.span.start + len(self.text()) - len(self.text().lstrip())
        return start, max(start + 1, start + self._error.span.end - self._error.span.start)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self._complete(at_once=True)
            return
        super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.marked is None:
            return
        # The text scrolls with the cursor, which is where it is.
        cursor, here = self.cursorRect(), self.cursorPosition()
        metrics, text = self.fontMetrics(), self.text()
        zero = cursor.center().x() - metrics.horizontalAdvance(text[:here])
        start, end = (zero + metrics.horizontalAdvance(text[:n]) for n in self.marked)
        if self.marked[1] > len(text):
            end += metrics.averageCharWidth()
        painter = QPainter(self)
        painter.setClipRect(self.rect().adjusted(RHYTHM // 2, 0, -RHYTHM // 2, 0))
        painter.setPen(QPen(QColor(theme().bad), 2.0))
        below = (self.height() + metrics.height()) / 2 - 1
        painter.drawLine(QPointF(start, below), QPointF(end, below))
        painter.end()

    def _word(self) -> str:
        found = _WORD.search(self.text()[: self.cursorPosition()])
        return found.group() if found else ""

    def _complete(self, _: str = "", at_once: bool = False) -> None:
        word = self._word().lstrip("\"'-")
        if not word and not at_once:
            self.completion.popup().hide()
            return
        self.completion.setCompletionPrefix(word)
        popup = self.completion.popup()
        place = self.cursorRect()
        place.setWidth(popup.sizeHintForColumn(0) + 4 * RHYTHM)
        self.completion.complete(place)
        popup.setCurrentIndex(self.completion.completionModel().index(0, 0))

    def _put(self, word: str) -> None:
        """In the place of what is being written."""
        before = self.text()[: self.cursorPosition()]
        kept = before[: len(before) - len(self._word())]
        if self._word().startswith("-"):
            kept += "-"
        after = self.text()[self.cursorPosition() :]
        self.setText(kept + word + after)
        self.setCursorPosition(len(kept + word))
        self.textEdited.emit(self.text())
        self.completion.popup().hide()
