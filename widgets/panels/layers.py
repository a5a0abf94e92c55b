"""`LayersPanel`: which image lies below, which above and how, which dose."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QWidget,
)

from reviewer.case import Dose, Image, Window
from reviewer.columns import prescribed
from reviewer.errors import NotRegisteredError
from reviewer.scene import default_window
from reviewer.session import Session

from ..actions import Actions
from ..binding import Changes, Choice, couple_combo, couple_slider, follow
from ..theme import RHYTHM, muted
from ..windows import names
from ..wording import dose_title, image_facts, image_title, said


class LayersPanel(QWidget):
    """Base, overlay with its style and share, window of the base, dose with its wash."""

    def __init__(self, session: Session, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session, self._actions = session, actions

        self.base = _combo("layers.base")
        couple_combo(self.base, session, "base", self._bases)
        self.window_button = QToolButton()
        self.window_button.setObjectName("layers.window")
        self.window_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.window_button.setFixedHeight(22)
        self.window_menu = QMenu(self.window_button)
        self.window_menu.aboutToShow.connect(self._fill_window_menu)
        self.window_button.setMenu(self.window_menu)
        self.tools = (self.window_button,)

        self.overlay = _combo("layers.overlay")
        couple_combo(self.overlay, session, "overlay", self._overlays)
        self.blend = QSlider(Qt.Orientation.Horizontal)
        self.blend.setObjectName("layers.blend")
        couple_slider(self.blend, session, "blend")
        self.share = QLabel()
        self.share.setObjectName("layers.share")
        self.share.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.share.setFixedWidth(self.fontMetrics().horizontalAdvance("100 %"))

        self.dose = _combo("layers.dose")
        couple_combo(self.dose, session, "dose", self._doses)
        self.dose.activated.connect(self._take_reference)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setObjectName("layers.wash_opacity")
        self.opacity.setToolTip("Opacity of the dose wash")
        couple_slider(self.opacity, session, "wash_opacity")

        styles = QHBoxLayout()
        styles.setSpacing(RHYTHM // 2)
        for style in ("blend", "swipe", "spyglass", "checkerboard"):
            styles.addWidget(tool_button(actions, f"overlay.{style}"))
        styles.addStretch(1)
        styles.addWidget(tool_button(actions, "overlay.toggle"))

        blend_row = QHBoxLayout()
        blend_row.addWidget(self.blend, 1)
        blend_row.addWidget(self.share)

        form = QGridLayout(self)
        form.setContentsMargins(RHYTHM // 2, 0, 0, 0)
        form.setHorizontalSpacing(RHYTHM)
        form.setVerticalSpacing(RHYTHM // 2)
        form.setColumnStretch(1, 1)
        for row, (title, content) in enumerate(
            (
                ("Base", self.base),
                ("Overlay", self.overlay),
                ("", styles),
                ("Share", blend_row),
                ("Dose", self.dose),
                ("Wash", self.opacity),
            )
        ):
            form.addWidget(muted(title), row, 0)
            if isinstance(content, QWidget):
                form.addWidget(content, row, 1)
            else:
                form.addLayout(content, row, 1)
        follow(self, session, self._refresh)
        self._show()

    def _refresh(self, changes: Changes) -> None:
        if changes.view("base", "overlay", "overlay_on", "style", "blend", "windows", "dose", "wash"):
            self._show()

    def _show(self) -> None:
        case, view = self._session.case, self._session.view
        base = case.image(view.base)
        window = (view.windows.get(base.id) or default_window(base)) if base else None
        self.window_button.setText(
            f"W {_whole(window.width, window)}   L {_whole(window.level, window)}  ▾" if window else "no image"
        )
        self.window_button.setEnabled(base is not None)
        self.window_button.setToolTip("Window and level of the base image; keys 1 to 5, Alt+drag in the picture")
        self.base.setToolTip(image_facts(base) if base else "The image below")
        overlay = case.image(view.overlay)
        self.overlay.setToolTip(image_facts(overlay) if overlay else "An image above the base")
        usable = overlay is not None and view.overlay_on
        self.blend.setEnabled(usable and view.style == "blend")
        self.blend.setToolTip("Share of the overlay   ([ and ])")
        self.share.setText(f"{100 * view.blend:.0f} %" if usable and view.style == "blend" else "")
        self.opacity.setEnabled(view.dose is not None and view.wash)
        dose = case.dose(view.dose)
        self.dose.setToolTip(_dose_facts(dose) if dose else "The dose that isodoses and DVH show")

    def _bases(self) -> list[Choice]:
        return _distinct([(i, Choice(image_title(i), i.id, tooltip=image_facts(i))) for i in self._session.case.images])

    def _overlays(self) -> list[Choice]:
        case, view = self._session.case, self._session.view
        base = case.image(view.base)
        others = [i for i in case.images if i is not base]
        entries = [
            (i, Choice(image_title(i), i.id, self._untied(base, i.grid.frame_of_reference_uid), image_facts(i)))
            for i in others
        ]
        return [Choice("none", None), *_distinct(entries)]

    def _doses(self) -> list[Choice]:
        case = self._session.case
        base = case.image(self._session.view.base)
        entries = [
            (
                d,
                Choice(
                    dose_title(d, case.plan(d.plan_id)),
                    d.id,
                    self._untied(base, d.grid.frame_of_reference_uid)
                    or ("an error map is not a dose" if d.type == "ERROR" else ""),
                    _dose_facts(d),
                ),
            )
            for d in case.doses
        ]
        return [Choice("none", None), *_distinct(entries)]

    def _untied(self, base: Image | None, frame: str) -> str:
        if base is None:
            return "no base image"
        try:
            self._session.case.transform(base.grid.frame_of_reference_uid, frame)
        except NotRegisteredError:
            return f"not registered to {image_title(base)}"
        return ""

    def _take_reference(self) -> None:
        """100 % is what counts as prescribed for the chosen dose; where nobody knows, there is none."""
        case, view = self._session.case, self._session.view
        dose = case.dose(view.dose)
        if dose is not None:
            self._session.look(reference_gy=prescribed(case, dose, view.prescribed).gy)

    def _fill_window_menu(self) -> None:
        self.window_menu.clear()
        base = self._session.case.image(self._session.view.base)
        for number, name in enumerate(names(base.modality) if base else (), start=1):
            entry = self.window_menu.addAction(f"{name}\t{number}")
            entry.triggered.connect(self._actions[f"window.preset{number}"].trigger)
        self.window_menu.addSeparator()
        entry = self.window_menu.addAction("as opened\t0")
        entry.triggered.connect(self._actions["window.default"].trigger)


def tool_button(actions: Actions, name: str, role: str = "small") -> QToolButton:
    """A small button for a command; role "bare": without a frame."""
    button = QToolButton()
    button.setObjectName(f"button.{name}")
    button.setDefaultAction(actions[name])
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    button.setProperty("role", role)
    button.setIconSize(QSize(16, 16))
    button.setFixedSize(24, 22)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


class ElidedCombo(QComboBox):
    """A narrow combo box that leaves out the middle of a long name: what tells images apart often stands at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def showPopup(self) -> None:
        self.view().setMinimumWidth(self.view().sizeHintForColumn(0) + 3 * RHYTHM)
        super().showPopup()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QStylePainter(self)
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        option.currentText = self.fontMetrics().elidedText(
            option.currentText, Qt.TextElideMode.ElideMiddle, field.width()
        )
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


def _whole(value: float, window: Window) -> str:
    """Whole numbers, but for the narrow windows of doses and of images of small values."""
    return f"{value:.0f}" if window.width >= 10 else f"{value:.3g}"


def _combo(name: str) -> ElidedCombo:
    combo = ElidedCombo()
    combo.setObjectName(name)
    return combo


def _dose_facts(dose: Dose) -> str:
    nz, ny, nx = dose.grid.shape_zyx
    du, dv, dw = dose.grid.spacing_mm
    kind = f"{dose.type.lower()}, {dose.summation.lower()}   {dose.date}"
    remarks = "".join(f"\n{line}" for line in said(dose))
    return f"{dose.label}\n{kind}\n{nx} × {ny} × {nz} voxels of {du:.2f} × {dv:.2f} × {dw:.2f} mm{remarks}"


def _distinct(entries: list[tuple[Image | Dose, Choice]]) -> list[Choice]:
    """Entries of the same name get their date, then a number."""
    labels = [c.label for _, c in entries]
    result: list[Choice] = []
    for thing, choice in entries:
        label = choice.label
        if labels.count(label) > 1:
            label = f"{label}   {thing.date}" if thing.date else label
        taken = [c.label for c in result]
        number = 2
        while label in taken:
            label = f"{choice.label} ({number})"
            number += 1
        result.append(Choice(label, choice.value, choice.refusal, choice.tooltip))
    return result
