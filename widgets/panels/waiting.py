"""`WaitingPage`: what the window shows between the first paint and the first case."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from ..jobs import Jobs
from ..theme import RHYTHM, muted


class WaitingPage(QWidget):
    """What is being opened, how far it is, and a way out. It speaks of jobs with the key "open" only."""

    def __init__(self, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("waiting")
        self.setProperty("role", "ground")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._jobs = jobs
        self.title = QLabel()
        self.title.setObjectName("waiting.title")
        font = QFont(self.title.font())
        font.setPointSizeF(font.pointSizeF() * 1.4)
        font.setWeight(QFont.Weight.DemiBold)
        self.title.setFont(font)
        self.text = muted()
        self.text.setObjectName("waiting.text")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedWidth(40 * RHYTHM)
        self.cancel = QPushButton("Cancel")
        self.cancel.setObjectName("waiting.cancel")
        self.cancel.clicked.connect(lambda: jobs.cancel("open"))
        column = QVBoxLayout(self)
        column.setSpacing(2 * RHYTHM)
        column.addStretch(2)
        for widget in (self.title, self.bar, self.text, self.cancel):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        jobs.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        job = next((j for j in self._jobs.running if j.key == "open"), None)
        if job is None:
            return
        self.title.setText(f"{job.label} …")
        self.text.setText(job.progress.text)
        self.bar.setRange(0, 1000 if job.progress.fraction > 0 else 0)
        self.bar.setValue(round(1000 * job.progress.fraction))
