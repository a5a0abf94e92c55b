"""Redrawing the DVH plot: all curves, one of them, and a highlight, each up to the painted picture; matplotlib as peer where it is installed."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication
from reviewer_widgets.panels.dvh_plot import Axes, Curve, DvhPlot

from reviewer.dosimetry.dvh import Dvh

COUNT = 15


def dvh(k, shift=0.0):
    gy = np.linspace(0.0, 60.0, 8192)
    cc = 100.0 / (1.0 + np.exp((gy - 4.0 * k - shift) / (1.0 + 0.3 * k)))
    return Dvh(str(k), float(cc[0]), 0.0, gy, cc, 0.0, 10.0, 60.0)


def curves(shift=0.0, moved=()):
    return [
        Curve(str(k), (40 + 12 * k, 200 - 10 * k, 120), "ORGAN", dvh(k, shift if k in moved else 0.0))
        for k in range(COUNT)
    ]


@pytest.fixture
def plot():
    app = QApplication.instance() or QApplication([])
    plot = DvhPlot()
    plot.resize(300, 260)
    plot.show()
    app.processEvents()
    plot.show_curves(curves(), Axes())
    plot.grab()
    yield plot
    plot.deleteLater()
    app.processEvents()


@pytest.mark.parametrize("what", ["all curves", "one curve", "highlight"])
def test_redraw(benchmark, plot, what):
    still = curves()
    step = 0

    def redraw():
        nonlocal step
        step += 1
        if what == "highlight":
            plot.highlight(str(step % COUNT))
        else:
            moved = curves(0.1 * (step % 9), range(COUNT) if what == "all curves" else (3,))
            plot.show_curves([m if what == "all curves" or k == 3 else still[k] for k, m in enumerate(moved)], Axes())
        return plot.grab()

    picture = benchmark.pedantic(redraw, rounds=20, warmup_rounds=3)
    assert not picture.isNull()


def test_matplotlib_draws_all(benchmark):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(3.0, 2.6), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    lines = [axes.plot(c.dvh.dose_gy, c.dvh.cumulative_cc)[0] for c in curves()]

    def redraw():
        for line, curve in zip(lines, curves(), strict=True):
            line.set_data(curve.dvh.dose_gy, curve.dvh.cumulative_cc)
        canvas.draw()

    benchmark.pedantic(redraw, rounds=10, warmup_rounds=1)
