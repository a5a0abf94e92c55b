"""How the window looks: two palettes, one type scale, one rhythm, and the icons drawn in the palette's colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from math import ceil
from typing import Literal

from PySide6.QtCore import QByteArray, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QLabel, QWidget

ThemeName = Literal["dark", "light"]
Tone = Literal["text", "muted", "good", "caution", "bad"]

RHYTHM = 8
"""Distances are multiples of this many pixels, or half of it inside a control."""

BODY_POINTS = 9.0
HEADING_POINTS = 8.0

FAMILIES = ("Inter", "Noto Sans", "Segoe UI", "Ubuntu", "DejaVu Sans")


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb. good, caution and bad can be told apart by colour-blind eyes (after Okabe and Ito), and never stand without a symbol.

    window:  behind everything; panel: the panels; raised: buttons and fields; hover: under the pointer; line: hair lines.
    canvas, canvas_text: pictures are looked at on black in both themes.
    """

    name: ThemeName
    window: str
    panel: str
    raised: str
    hover: str
    line: str
    text: str
    muted: str
    disabled: str
    accent: str
    on_accent: str
    good: str
    caution: str
    bad: str
    canvas: str = "#000000"
    canvas_text: str = "#d8dee6"
    canvas_muted: str = "#8d97a5"
    canvas_accent: str = "#f0c040"


DARK = Theme(
    name="dark",
    window="#14171c",
    panel="#1b1f26",
    raised="#272d37",
    hover="#323a47",
    line="#353d4a",
    text="#e4e8ee",
    muted="#9aa5b4",
    disabled="#65707f",
    accent="#4ea1e8",
    on_accent="#0b1016",
    good="#3cc9a0",
    caution="#e9a820",
    bad="#f0764a",
)

LIGHT = Theme(
    name="light",
    window="#e4e7ec",
    panel="#f6f7f9",
    raised="#ffffff",
    hover="#dfe7f0",
    line="#c3cad4",
    text="#1a212b",
    muted="#55606f",
    disabled="#98a2af",
    accent="#0a6cc4",
    on_accent="#ffffff",
    good="#00795a",
    caution="#9a6200",
    bad="#94200f",
)


class _Herald(QObject):
    changed = Signal(object)


_herald = _Herald()
theme_changed = _herald.changed
"""Emits the new Theme; connect a method of a QObject, which Qt forgets with the object."""

_current = DARK


def theme() -> Theme:
    """The theme in force."""
    return _current


def apply_theme(app: QApplication, name: ThemeName) -> None:
    """Style the whole application and tell everyone who paints by hand."""
    global _current
    _current = LIGHT if name == "light" else DARK
    app.setStyle("Fusion")
    app.setPalette(_palette(_current))
    app.setFont(body_font())
    app.setStyleSheet(_style_sheet(_current))
    icon.cache_clear()
    swatch.cache_clear()
    theme_changed.emit(_current)


@contextmanager
def styled_once() -> Iterator[None]:
    """Style what is built within at its end: else each widget is styled anew whenever it, or one around it, is put into another."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    sheet = app.styleSheet()
    app.setStyleSheet("")
    try:
        yield
    finally:
        app.setStyleSheet(sheet)


def body_font() -> QFont:
    """The type of everything that is not a heading; figures are as wide as each other, so that columns line up."""
    return _font(BODY_POINTS)


def heading_font() -> QFont:
    font = _font(HEADING_POINTS)
    font.setWeight(QFont.Weight.DemiBold)
    font.setCapitalization(QFont.Capitalization.AllUppercase)
    font.setLetterSpacing(QFont.SpacingType.PercentageSpacing, 106.0)
    return font


def _font(points: float) -> QFont:
    font = QFont()
    font.setFamilies(list(FAMILIES))
    font.setPointSizeF(points)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def heading(text: str) -> QLabel:
    """A panel's title."""
    label = QLabel(text)
    label.setFont(heading_font())
    label.setProperty("role", "heading")
    return label


def muted(text: str = "") -> QLabel:
    """A label of lesser weight."""
    label = QLabel(text)
    label.setProperty("role", "muted")
    return label


def tint(label: QWidget, tone: Tone) -> None:
    """Its words in a colour of the theme, and of the next theme, too."""
    if label.property("tone") != tone:
        label.setProperty("tone", tone)
        label.style().unpolish(label)
        label.style().polish(label)


def hex_colour(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


@cache
def swatch(colour: tuple[int, int, int], locked: bool = False) -> QIcon:
    """A patch of colour with a border that both themes show. locked: with a lock on it, black or white."""
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(*colour))
    painter.setPen(QColor(_current.line))
    painter.drawRoundedRect(3, 3, 26, 26, 6, 6)
    if locked:
        red, green, blue = colour
        ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else "white"
        drawing = (_icons() / "lock.svg").read_text(encoding="utf-8").replace("currentColor", ink)
        QSvgRenderer(QByteArray(drawing.encode())).render(painter, QRectF(3, 2, 26, 26))
    painter.end()
    pixmap.setDevicePixelRatio(2)
    result = QIcon(pixmap)
    result.addPixmap(pixmap, QIcon.Mode.Selected)  # else Qt tints it in the chosen row: then it is another colour
    return result


@cache
def icon(name: str, size: int = 18) -> QIcon:
    """The icon resources/icons/`name`.svg in the theme's colours: text, disabled text, and accent where it is switched on."""
    drawing = (_icons() / f"{name}.svg").read_text(encoding="utf-8")
    scales = {1, *(ceil(screen.devicePixelRatio()) for screen in QGuiApplication.screens())}
    renderer = QSvgRenderer(QByteArray(drawing.replace("currentColor", _current.text).encode()))
    result = QIcon()
    for scale in sorted(scales):
        pixmap = QPixmap(size * scale, size * scale)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        renderer.render(painter, QRectF(0, 0, size * scale, size * scale))
        painter.end()
        pixmap.setDevicePixelRatio(scale)
        result.addPixmap(pixmap, QIcon.Mode.Normal, QIcon.State.Off)
        for mode, state, colour in (
            (QIcon.Mode.Normal, QIcon.State.On, _current.accent),
            (QIcon.Mode.Disabled, QIcon.State.Off, _current.disabled),
        ):
            result.addPixmap(_tinted(pixmap, colour) if "currentColor" in drawing else pixmap, mode, state)
    return result


def _tinted(pixmap: QPixmap, colour: str) -> QPixmap:
    """The same drawing in one colour: cheaper than to draw it again."""
    result = QPixmap(pixmap)
    painter = QPainter(result)
    painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
    painter.fillRect(QRectF(QPointF(), result.deviceIndependentSize()), QColor(colour))
    painter.end()
    return result


@cache
def _icons() -> Traversable:
    return files("reviewer_resources") / "icons"


def _palette(t: Theme) -> QPalette:
    palette = QPalette()
    role = QPalette.ColorRole
    for which, colour in (
        (role.Window, t.panel),
        (role.WindowText, t.text),
        (role.Base, t.panel),
        (role.AlternateBase, t.window),
        (role.Text, t.text),
        (role.Button, t.raised),
        (role.ButtonText, t.text),
        (role.BrightText, t.bad),
        (role.Highlight, t.accent),
        (role.HighlightedText, t.on_accent),
        (role.ToolTipBase, t.raised),
        (role.ToolTipText, t.text),
        (role.PlaceholderText, t.muted),
        (role.Link, t.accent),
        (role.Light, t.hover),
        (role.Midlight, t.raised),
        (role.Mid, t.line),
        (role.Dark, t.line),
        (role.Shadow, t.window),
        (role.Accent, t.accent),
    ):
        palette.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, which, QColor(t.disabled))
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(t.line))
    return palette


def _style_sheet(t: Theme) -> str:
    return f"""
    QWidget[role="heading"] {{ color: {t.muted}; }}
    QWidget[role="muted"] {{ color: {t.muted}; }}
    QWidget[tone="text"] {{ color: {t.text}; }}
    QWidget[tone="muted"] {{ color: {t.muted}; }}
    QWidget[tone="good"] {{ color: {t.good}; }}
    QWidget[tone="caution"] {{ color: {t.caution}; }}
    QWidget[tone="bad"] {{ color: {t.bad}; }}
    QLabel[role="key"] {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 3px; padding: 1px 6px; }}
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line}; padding: 4px; }}
    QMainWindow, QWidget[role="ground"] {{ background: {t.window}; }}
    QWidget[role="panel"] {{ background: {t.panel}; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; button-layout: 3; }}
    QSplitter::handle {{ background: {t.window}; }}
    QSplitter::handle:hover {{ background: {t.accent}; }}
    QScrollArea {{ border: 0; background: {t.panel}; }}
    QPlainTextEdit {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 4px; }}
    QLineEdit, QComboBox, QDoubleSpinBox, QSpinBox {{
        background: {t.raised}; border: 1px solid {t.line}; border-radius: 4px; padding: 2px 6px; min-height: 20px;
        selection-background-color: {t.accent}; selection-color: {t.on_accent};
    }}
    /* Without steps by a button. Qt begins the text at the left edge, whatever the padding, unless a button stands there. */
    QDoubleSpinBox::up-button, QDoubleSpinBox::down-button, QSpinBox::up-button, QSpinBox::down-button {{
        subcontrol-position: left; width: 4px; height: 0; border: 0;
    }}
    QLineEdit:focus, QComboBox:focus, QDoubleSpinBox:focus, QSpinBox:focus, QPlainTextEdit:focus {{ border-color: {t.accent}; }}
    QLineEdit:disabled, QComboBox:disabled, QDoubleSpinBox:disabled {{ color: {t.disabled}; background: {t.panel}; }}
    QComboBox::drop-down {{ border: 0; width: 18px; }}
    QComboBox::down-arrow {{ image: url("{_icon_path(t, "chevron-down")}"); width: 10px; height: 10px; }}
    QComboBox QAbstractItemView {{ background: {t.raised}; border: 1px solid {t.line}; selection-background-color: {t.accent};
        selection-color: {t.on_accent}; outline: 0; }}
    QPushButton, QToolButton {{
        background: {t.raised}; border: 1px solid {t.line}; border-radius: 4px; padding: 3px 8px; min-height: 18px;
    }}
    QToolButton {{ padding: 2px 6px; }}
    QToolButton[role="small"] {{ padding: 0; min-height: 20px; }}
    QToolButton[role="bare"] {{ padding: 0; min-height: 0; }}
    QDoubleSpinBox[role="cell"], QSpinBox[role="cell"] {{ min-height: 16px; padding: 1px 4px; }}
    QFrame[role="line"] {{ background: {t.line}; border: 0; }}
    QPushButton:hover, QToolButton:hover {{ background: {t.hover}; }}
    QPushButton:pressed, QToolButton:pressed {{ background: {t.line}; }}
    QPushButton:checked, QToolButton:checked {{ background: {t.hover}; border-color: {t.accent}; color: {t.text}; }}
    QPushButton:disabled, QToolButton:disabled {{ color: {t.disabled}; background: {t.panel}; }}
    QPushButton[role="primary"] {{ background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; font-weight: 600; }}
    QPushButton[role="primary"]:disabled {{ background: {t.panel}; color: {t.disabled}; border-color: {t.line}; }}
    QToolButton[role="flat"], QToolButton[role="bare"] {{ background: transparent; border-color: transparent; }}
    QToolButton[role="flat"]:hover, QToolButton[role="bare"]:hover {{ background: {t.hover}; }}
    QToolButton::menu-indicator {{ image: none; }}
    QToolButton[role="mode"] {{ background: transparent; border: 0; border-bottom: 2px solid transparent; border-radius: 0; padding: 4px 8px; }}
    QToolButton[role="mode"]:hover {{ background: {t.hover}; }}
    QToolButton[role="mode"]:checked {{ border-bottom: 2px solid {t.accent}; font-weight: 600; }}
    QToolButton:focus, QPushButton:focus, QTableView:focus, QTreeView:focus, QListView:focus {{ border-color: {t.accent}; }}
    QToolButton:checked:focus, QPushButton:checked:focus, QPushButton[role="primary"]:focus {{ border-color: {t.text}; }}
    QToolButton[role="mode"]:focus {{ border-color: transparent; border-bottom-color: {t.accent}; }}
    QToolButton[role="mode"]:checked:focus {{ border-color: transparent; border-bottom-color: {t.text}; }}
    QCheckBox::indicator, QRadioButton::indicator, QTableView::indicator, QTreeView::indicator, QListView::indicator {{
        width: 14px; height: 14px; border: 1px solid {t.muted}; border-radius: 3px; background: {t.raised};
    }}
    QRadioButton::indicator {{ border-radius: 8px; }}
    QRadioButton::indicator:checked {{
        border-color: {t.accent};
        background: qradialgradient(cx: 0.5, cy: 0.5, radius: 0.5, fx: 0.5, fy: 0.5, stop: 0.4 {t.on_accent}, stop: 0.5 {t.accent});
    }}
    QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {t.accent}; }}
    QCheckBox::indicator:checked, QTableView::indicator:checked, QTreeView::indicator:checked, QListView::indicator:checked {{
        background: {t.accent}; border-color: {t.accent}; image: url("{_icon_path(t, "check")}");
    }}
    QCheckBox::indicator:checked:focus, QRadioButton::indicator:checked:focus {{ border-color: {t.text}; }}
    QCheckBox::indicator:disabled {{ border-color: {t.line}; background: {t.panel}; }}
    QSlider::groove:horizontal {{ height: 4px; background: {t.line}; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {t.accent}; border-radius: 2px; }}
    QSlider::sub-page:horizontal:disabled {{ background: {t.line}; }}
    QSlider::handle:horizontal {{ width: 12px; height: 12px; margin: -4px 0; border-radius: 6px; background: {t.text}; }}
    QSlider::handle:horizontal:focus {{ background: {t.accent}; }}
    QSlider::handle:horizontal:disabled {{ background: {t.disabled}; }}
    QTableView, QTreeView, QListView {{ background: {t.panel}; border: 1px solid {t.line}; border-radius: 4px; gridline-color: {t.line};
        selection-background-color: {t.hover}; selection-color: {t.text}; outline: 0; }}
    QTableView::item {{ padding: 0 2px; border: 0; }}
    QTableView[role="dense"]::item {{ padding: 0; }}
    QTreeView::item {{ padding: 2px; }}
    QListView::item {{ padding: 2px 6px; border: 0; }}
    QTableView::item:selected, QListView::item:selected {{ background: {t.hover}; color: {t.text}; }}
    QHeaderView::section {{ background: {t.panel}; color: {t.muted}; border: 0; border-bottom: 1px solid {t.line}; padding: 3px 4px; }}
    QProgressBar {{ background: {t.line}; border: 0; border-radius: 3px; max-height: 6px; min-height: 6px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t.line}; border-radius: 4px; min-height: 24px; min-width: 24px; margin: 1px; }}
    QScrollBar::handle:hover {{ background: {t.muted}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QMenu {{ background: {t.raised}; border: 1px solid {t.line}; padding: 4px; }}
    QMenu::item {{ padding: 4px 24px 4px 12px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {t.accent}; color: {t.on_accent}; }}
    QMenu::item:disabled {{ color: {t.disabled}; background: transparent; }}
    QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
    """


def _icon_path(t: Theme, name: str) -> str:
    """Where a style sheet, which can't recolour a drawing, finds one that was drawn for this theme."""
    return files("reviewer_resources").joinpath("icons", f"{name}-{t.name}.svg").as_posix()  # type: ignore[attr-defined]
