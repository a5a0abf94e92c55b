"""The 3D view: building surfaces, and a frame while the camera turns (aim: 40 ms at 640 × 400 on two free cores without graphics card)."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
import shapely
from reviewer_widgets.canvas.volume.orbit import Orbit
from reviewer_widgets.canvas.volume.shot import Look, Piece, Shot
from reviewer_widgets.canvas.volume.stage import Stage
from reviewer_widgets.canvas.volume.surface import structure_mesh

from reviewer.case import Structure
from reviewer.geometry.grid import Grid

IDENTITY = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))


def ball(radius, centre=(0.0, 0.0, 0.0), spacing=3.0):
    positions = np.arange(-60, 61) * spacing
    grid = Grid(np.eye(3), (-200.0, -200.0), (1.0, 1.0), (401, 401), positions, "F")
    squares = {k: radius**2 - (w - centre[2]) ** 2 for k, w in enumerate(positions)}
    planes = {k: shapely.Point(*centre[:2]).buffer(q**0.5, quad_segs=40) for k, q in squares.items() if q > 0}
    return Structure("s", "S", grid, planes)


@pytest.mark.parametrize("radius", [15.0, 60.0])
def test_build_a_surface(benchmark, radius):
    def fresh():
        return (ball(radius), lambda: False), {}

    mesh = benchmark.pedantic(structure_mesh, setup=fresh, rounds=5, warmup_rounds=1)
    assert len(mesh.triangles) > 1000


@pytest.mark.parametrize("resting", [False, True], ids=["turning", "at rest"])
def test_frame(benchmark, resting):
    """Fifteen translucent organs in a body, about 100 000 triangles."""
    rng = np.random.default_rng(4711)
    pieces = {"body": Piece(structure_mesh(ball(150.0), lambda: False), Look((200, 180, 160), 0.13, IDENTITY))}
    for k in range(15):
        centre = rng.uniform(-90, 90, 3)
        mesh = structure_mesh(ball(rng.uniform(12, 45), centre), lambda: False)
        pieces[str(k)] = Piece(mesh, Look(tuple(rng.integers(60, 255, 3).tolist()), 0.62, IDENTITY))
    stage = Stage()
    orbit = Orbit().fitted((-150, -150, -150), (150, 150, 150), 1.6)

    def frame():
        nonlocal orbit
        orbit = orbit.turned(5.0, 1.0)
        return stage.draw(Shot(pieces, orbit, (640, 400), None, (0, 0, 0), resting))

    benchmark.extra_info["triangles"] = sum(len(p.mesh.triangles) for p in pieces.values())
    picture = benchmark.pedantic(frame, rounds=20, warmup_rounds=3)
    stage.close()
    assert picture[200, 320].max() > 60
