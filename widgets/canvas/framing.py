"""Which slices a view counts, and what it is fitted to: the body where it is contoured, else the image. No Qt."""

from __future__ import annotations

import numpy as np
import shapely

from reviewer.case import Structure
from reviewer.geometry.grid import Grid
from reviewer.scene import Camera, Orientation, Scene
from reviewer.session import Session

from .facts import Box
from .viewport import Pair, Slices, Viewport, fitting


class Framing:
    """Slices, camera and viewport of one view of a session; the slices and the body's box are kept until what they depend on differs."""

    def __init__(self, session: Session, orientation: Orientation) -> None:
        self._session = session
        self._orientation = orientation
        self._slices: Slices | None = None
        self._grid: Grid | None = None
        self._body: tuple[Structure, Slices, Box | None] | None = None
        self._viewport: tuple[Scene, Pair, float, Viewport | None] | None = None

    def clear(self) -> None:
        self._slices, self._grid, self._body, self._viewport = None, None, None, None

    def slices(self, scene: Scene) -> Slices | None:
        """The base image's planes along the view; None without an image."""
        plane = scene.planes.get(self._orientation)
        if scene.base is None or plane is None:
            return None
        if self._slices is None or self._slices.plane != plane or self._grid is not scene.base.image.grid:
            self._grid = scene.base.image.grid
            self._slices = Slices.of(self._grid, plane)
        return self._slices

    def viewport(self, size: Pair, ratio: float) -> Viewport | None:
        """Where things are in a view of so many logical pixels; None without an image. Where nothing has moved it is the same object."""
        scene, before = self._session.scene, self._viewport
        # a stroke that moved on leaves the layers of the scene as they are
        if before is None or before[0].base is not scene.base or before[1:3] != (size, ratio):
            port = self._seen(scene, size, ratio)
            self._viewport = scene, size, ratio, before[3] if before is not None and before[3] == port else port
        assert self._viewport is not None
        return self._viewport[3]

    def _seen(self, scene: Scene, size: Pair, ratio: float) -> Viewport | None:
        slices = self.slices(scene)
        if slices is None:
            return None
        camera = scene.cameras.get(self._orientation) or self.fit(slices, size)
        centre = slices.centre_mm
        middle = centre[0] + camera.centre_mm[0], centre[1] + camera.centre_mm[1]
        position = float(slices.positions_mm[slices.nearest(scene.point_mm)])
        return Viewport(slices.plane, position, middle, camera.mm_per_pixel, size, ratio)

    def fit(self, slices: Slices, size: Pair) -> Camera:
        """The camera that shows the body, or the image."""
        return fitting(self._body_box(slices) or slices.box_mm, slices.centre_mm, size)

    def _body_box(self, slices: Slices) -> Box | None:
        """Least x, y and greatest x, y of the body in the view's plane, mm."""
        view, case = self._session.view, self._session.case
        group = case.structure_set(view.structure_set)
        body = next((s for s in group.structures if s.type == "EXTERNAL" and not s.empty), None) if group else None
        base = case.image(view.base)
        if body is None or base is None:
            return None
        if body.grid.frame_of_reference_uid != base.grid.frame_of_reference_uid:
            return None
        if self._body is None or self._body[0] is not body or self._body[1] is not slices:
            bounds = shapely.total_bounds(list(body.planes.values()))
            low, high = min(body.planes), max(body.planes)
            w = body.grid.slab_borders_mm[[low, high + 1]]
            corners = body.grid.point_mm(
                [(u, v, z) for u in bounds[[0, 2]] for v in bounds[[1, 3]] for z in (float(w[0]), float(w[1]))]
            )
            x, y = corners @ np.array(slices.plane.right), corners @ np.array(slices.plane.down)
            x0, y0, x1, y1 = slices.box_mm
            box = max(x0, x.min()), max(y0, y.min()), min(x1, x.max()), min(y1, y.max())
            self._body = (body, slices, box if box[0] < box[2] and box[1] < box[3] else None)
        return self._body[2]
