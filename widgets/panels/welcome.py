"""`Welcome`: what an empty window offers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from ..actions import Actions
from ..theme import RHYTHM, icon, muted, theme_changed


class Welcome(QWidget):
    """The demo case, a folder, files, recent cases, and a place to drop things on."""

    recent_chosen = Signal(list)

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcome")
        self.setProperty("role", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.logo = QLabel()
        title = QLabel("Open a case")
        font = QFont(title.font())
        font.setPointSizeF(font.pointSizeF() * 1.8)
        font.setWeight(QFont.Weight.DemiBold)
        title.setFont(font)
        text = muted(
            "Drop DICOM folders or files anywhere on this window,\nor start here. Nothing is ever changed in your files."
        )
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self._buttons: list[tuple[QPushButton, str]] = []
        row = QHBoxLayout()
        row.setSpacing(RHYTHM)
        row.addStretch(1)
        for name, picture in (("file.demo", "body"), ("file.folder", "folder"), ("file.files", "files")):
            action = actions[name]
            button = QPushButton(action.text())
            button.setObjectName(f"welcome.{name}")
            button.setToolTip(action.toolTip())
            button.setIconSize(QSize(20, 20))
            button.setMinimumSize(152, 40)
            button.clicked.connect(action.trigger)
            row.addWidget(button)
            self._buttons.append((button, picture))
        row.addStretch(1)
        self._recent = QVBoxLayout()
        self._recent.setSpacing(RHYTHM // 4)
        self._recent_title = muted("Recent cases")
        self.foot = muted("For research and teaching. Not a medical device.")
        column = QVBoxLayout(self)
        column.setSpacing(RHYTHM)
        column.addStretch(2)
        column.addWidget(self.logo, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(text, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(RHYTHM)
        column.addLayout(row)
        column.addSpacing(2 * RHYTHM)
        column.addWidget(self._recent_title, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addLayout(self._recent)
        column.addStretch(3)
        column.addWidget(self.foot, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(RHYTHM)
        theme_changed.connect(self._draw)
        self._draw()

    def show_recent(self, cases: Sequence[Sequence[str]]) -> None:
        while (item := self._recent.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self._recent_title.setVisible(bool(cases))
        for number, paths in enumerate(cases[:6]):
            button = QToolButton()
            button.setObjectName(f"welcome.recent.{number}")
            button.setProperty("role", "flat")
            button.setText(recent_title(paths))
            button.setToolTip("\n".join(paths))
            button.clicked.connect(lambda _=False, paths=list(paths): self.recent_chosen.emit(paths))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)

    def _draw(self) -> None:
        self.logo.setPixmap(icon("logo", 72).pixmap(72, 72))
        for button, picture in self._buttons:
            button.setIcon(icon(picture, 20))


def recent_title(paths: Sequence[str]) -> str:
    first = Path(paths[0])
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{first.name}{more}   in {first.parent}"
