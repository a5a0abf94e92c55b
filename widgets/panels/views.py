"""`ViewGrid`: the four pictures, any one of them alone."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QSplitter, QWidget

from .turn import take_turn

NAMES = ("axial", "sagittal", "coronal", "volume")


class ViewGrid(QSplitter):
    """Axial large; sagittal, coronal and 3D stacked at its right. Until `put`, each place says what it waits for."""

    maximised = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("views")
        self.side = QSplitter(Qt.Orientation.Vertical)
        self.side.setObjectName("views.side")
        self._places: dict[str, QWidget] = {name: _waiting(name) for name in NAMES}
        self.alone: str | None = None
        self._beside: QWidget | None = None
        self._before: list[int] = []
        self.addWidget(self._places["axial"])
        for name in NAMES[1:]:
            self.side.addWidget(self._places[name])
        self.addWidget(self.side)
        for splitter in (self, self.side):
            splitter.setHandleWidth(3)
            splitter.setChildrenCollapsible(False)
        self._share()
        self.setSizes([660, 330])
        self.side.setSizes([240, 240, 240])

    def __getitem__(self, name: str) -> QWidget:
        return self._places[name]

    def put(self, name: str, widget: QWidget) -> None:
        """The real view in its place."""
        old = self._places[name]
        splitter = self if name == "axial" else self.side
        sizes = splitter.sizes()
        splitter.replaceWidget(splitter.indexOf(old), widget)
        place = NAMES.index(name)
        take_turn(widget, self._places[NAMES[place - 1]] if place else self)
        old.setParent(None)
        old.deleteLater()
        widget.setMinimumSize(120, 100)
        self._places[name] = widget
        splitter.setSizes(sizes)
        self._share()
        self._arrange()

    @property
    def beside(self) -> QWidget | None:
        """A second axial picture, in the place of the other three."""
        return self._beside

    def put_beside(self, widget: QWidget | None) -> None:
        """Show a second picture at the right of the axial one, or take it away."""
        before, self._beside = self._beside, widget
        if before is not None:
            before.setParent(None)
            before.deleteLater()
        else:
            self._before = self.sizes()
        if widget is not None:
            self.insertWidget(1, widget)
            take_turn(widget, self._places["axial"])
            self.setStretchFactor(1, 2)  # as the axial one: both stay alike when the window changes
            if self.alone is not None:
                self.alone = None
        self._arrange()
        self.setSizes(self._before if widget is None else [self.width() // 2, self.width() // 2, 0])

    def toggle(self, name: str) -> None:
        """One view alone, or all again."""
        self.alone = None if self.alone == name else name
        self._arrange()
        self.maximised.emit(self.alone or "")

    def under_hand(self) -> str:
        """The view that the pointer is in, else the one that has the focus, else the axial one."""
        for name, widget in self._places.items():
            if widget.underMouse():
                return name
        for name, widget in self._places.items():
            if widget.hasFocus() or widget.isAncestorOf(widget.window().focusWidget() or self):
                return name
        return "axial"

    def _share(self) -> None:
        """Who grows with the window; Qt keeps that with the widget, so that a new one has to be told."""
        self.setStretchFactor(0, 2)
        self.setStretchFactor(1, 1)
        for row in range(self.side.count()):
            self.side.setStretchFactor(row, 1)

    def _arrange(self) -> None:
        for name, widget in self._places.items():
            widget.setVisible(self.alone in (None, name))
        self.side.setVisible(self.alone != "axial" and (self._beside is None or self.alone is not None))
        if self._beside is not None:
            self._beside.setVisible(self.alone is None)


def _waiting(name: str) -> QLabel:
    label = QLabel("loading the views …" if name == "axial" else "")
    label.setObjectName(f"views.waiting.{name}")
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setStyleSheet("background: black; color: #8d97a5;")
    label.setMinimumSize(120, 100)
    return label
