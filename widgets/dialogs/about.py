"""What this is, and what it is not."""

from __future__ import annotations

import platform
import re
from importlib.metadata import PackageNotFoundError, metadata, requires

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..theme import RHYTHM, icon


class AboutDialog(QDialog):
    """Version, warning, and the parts that it is built of with their licences."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("about")
        self.setWindowTitle("About Reviewer")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        logo = QLabel()
        logo.setPixmap(icon("logo", 56).pixmap(56, 56))
        version, _ = part("reviewer")
        text = QLabel(
            f"<b>Reviewer {version}</b><br>Contouring and plan review for MR-guided adaptive radiotherapy of the liver."
            f"<br>Apache-2.0 licence. Python {platform.python_version()}."
        )
        text.setWordWrap(True)
        warning = QLabel(
            "<b>Not a medical device.</b> For research and teaching. It is not cleared or certified for clinical use; do not base "
            "treatment on what it shows."
        )
        warning.setObjectName("about.warning")
        warning.setWordWrap(True)
        table = QTableWidget(0, 3)
        table.setHorizontalHeaderLabels(["Built with", "Version", "Licence"])
        table.horizontalHeader().setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        table.horizontalHeader().setStretchLastSection(True)
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        for row, name in enumerate(parts()):
            table.insertRow(row)
            for column, cell in enumerate((name, *part(name))):
                table.setItem(row, column, QTableWidgetItem(cell))
        table.resizeColumnsToContents()
        close = QPushButton("Close")
        close.clicked.connect(self.close)
        head = QHBoxLayout()
        head.setSpacing(2 * RHYTHM)
        head.addWidget(logo, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(text, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM, 2 * RHYTHM)
        column.setSpacing(2 * RHYTHM)
        column.addLayout(head)
        column.addWidget(warning)
        column.addWidget(table, 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self.resize(520, 520)


def parts() -> list[str]:
    """What this program says it needs, by name."""
    return sorted(
        {re.split(r"[^\w.-]", r)[0] for r in requires("reviewer") or () if "extra ==" not in r}, key=str.lower
    )


def part(name: str) -> tuple[str, str]:
    """Version and licence as the installed package states them."""
    try:
        facts = metadata(name)
    except PackageNotFoundError:
        return "not installed", ""
    licence = facts.get("License-Expression") or facts.get("License") or ""
    if not licence or len(licence) > 60:
        classifiers = [c for c in facts.get_all("Classifier") or [] if c.startswith("License ::")]
        licence = classifiers[-1].rsplit(" :: ", 1)[-1] if classifiers else licence.split("\n")[0][:60]
    return facts["Version"], licence
