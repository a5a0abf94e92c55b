"""The compiled pen: a pixel is covered by how near its centre is to the line, whatever the direction, and a painter draws about the same."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen
from reviewer_widgets.canvas.contours import WIDTH, Stroke
from reviewer_widgets.canvas.paths import path_of
from reviewer_widgets.canvas.pen import draw

RED = (255, 0, 0)


def drawn(strokes, scale=1.0, origin=(0.0, 0.0), ratio=1.0, width=1.4, under=0, shape=(40, 60)):
    sheet = np.full(shape, under, dtype=np.uint32)
    draw(sheet, strokes, scale, origin, ratio, width)
    return sheet.view(np.uint8).reshape(*shape, 4).astype(int)  # blue, green, red, alpha


def line(*points, closed=False, colour=RED, dash=(0.0, 0.0)):
    return Stroke([np.array(points, dtype=float)], closed, colour, dash)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("back", [False, True])
def test_a_straight_line_covers_what_it_covers(turned, back):
    ends = [(10.0, 20.3), (50.0, 20.3)][:: -1 if back else 1]
    sheet = drawn([line(*(e[::-1] if turned else e for e in ends))], shape=(60, 60))
    alpha = (sheet.transpose(1, 0, 2) if turned else sheet)[:, 30, 3]
    # from 20.3 - 0.7 = 19.6 to 21.0: 0.4 of row 19, all of row 20
    assert alpha[19:21].tolist() == pytest.approx([0.4 * 255, 255], abs=1)
    assert alpha[:19].sum() + alpha[21:].sum() == 0


def test_a_slanting_line_is_as_broad_as_a_straight_one():
    """Coverage across a line sums up to its width, over cos of its slope along a column: for any angle."""
    for degrees in range(0, 90, 7):
        d = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
        alpha = drawn([line(50 - 70 * d, 50 + 70 * d)], shape=(100, 100))[:, :, 3] / 255
        across = alpha[:, 50].sum() if degrees <= 45 else alpha[50].sum()
        assert across == pytest.approx(1.4 / max(d), rel=0.06)


def test_where_a_stroke_meets_itself_it_does_not_become_denser():
    one = drawn([line((5, 20.5), (55, 20.5))])
    again = drawn([line((5, 20.5), (55, 20.5), (5, 20.5), (30, 20.5), (55, 20.5))])
    assert np.array_equal(one, again)


def test_a_later_stroke_lies_above_and_mixes_at_its_rim():
    both = drawn([line((5, 20.5), (55, 20.5)), line((5, 20.9), (55, 20.9), colour=(0, 0, 255))])
    blue, _, red, alpha = both[20, 30]
    assert (blue, red, alpha) == pytest.approx((0.8 * 255, 0.2 * 255, 255), abs=2)  # from 20.2 on
    assert both[21, 30].tolist() == pytest.approx([0.6 * 255, 0, 0.2 * 0.4 * 255, (0.6 + 0.2 * 0.4) * 255], abs=2)


def test_closed_lines_come_back_and_open_ones_do_not():
    square = [(10.0, 10.0), (50.0, 10.0), (50.0, 30.0), (10.0, 30.0)]
    left = [drawn([line(*square, closed=closed)])[20, 10, 3] for closed in (False, True)]
    assert left == [0, pytest.approx(0.7 * 255, abs=1)]  # the rim runs between pixels: each has 0.7 of it


def test_dashes_go_on_around_bends():
    points = [(x, 20.5) for x in np.linspace(2.0, 58.0, 23)]
    alpha = drawn([line(*points, dash=(6.0, 4.0))])[20, :, 3]
    gone = np.arange(60) + 0.5 - 2.0
    expected = np.where((gone > 0) & (gone < 56), gone % 10 < 6, False)
    clear = np.abs((gone + 2) % 10 - 2) > 0.6
    clear &= np.abs((gone - 4) % 10 - 2) > 0.6
    clear &= (gone > 1) & (gone < 55)
    assert np.array_equal(alpha[clear] > 250, expected[clear])
    assert np.array_equal(alpha[clear] == 0, ~expected[clear])


def test_twice_the_pixels_take_twice_the_line():
    fine = drawn([line((5, 5.25), (25, 5.25))], scale=2.0, origin=(0.0, 10.0), ratio=2.0)
    assert fine[:, 30, 3].sum() == pytest.approx(2 * 1.4 * 255, abs=3)
    assert (fine[:, 30, 3] * (np.arange(40) + 0.5)).sum() / fine[:, 30, 3].sum() == pytest.approx(20.5, abs=0.02)


def test_lines_out_of_the_sheet_and_without_length_do_no_harm():
    far = [line((-1e7, -5), (1e7, 45)), line((-30, -30), (-20, -10)), line((5, 5)), line((9, 9), (9, 9), closed=True)]
    nowhere = line((np.nan, 1.0), (3.0, np.nan), (1e300, 1e300))
    sheet = drawn([*far, nowhere])
    assert sheet[20, 30, 3] > 0
    assert np.array_equal(drawn([]), np.zeros((40, 60, 4)))


def test_a_painter_draws_about_the_same():
    """The painter serves until the pen is loaded: in the mean over a line, position and weight are the same."""
    t = np.linspace(0, 2 * np.pi, 80, endpoint=False)
    ring = np.c_[100 + 70 * np.cos(t) + 5 * np.sin(5 * t), 90 + 60 * np.sin(t)]
    pen = drawn([Stroke([ring], True, RED)], shape=(200, 200), width=WIDTH)[:, :, 3]
    image = QImage(200, 200, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.strokePath(path_of([ring], True), QPen(QColor(*RED), WIDTH, Qt.PenStyle.SolidLine))
    painter.end()
    other = np.frombuffer(image.constBits(), np.uint8).reshape(200, 200, 4)[:, :, 3].astype(int)
    assert pen.sum() == pytest.approx(other.sum(), rel=0.05)
    assert np.abs(pen - other).max() < 100
    assert np.abs(pen - other).sum() < 0.12 * other.sum()
