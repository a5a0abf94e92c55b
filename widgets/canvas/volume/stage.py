"""`Stage`: an off-screen VTK window. Loaded late; made, used and closed in one thread of its own, which need not be that of the window.

Only what differs from the last shot is touched.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  registers the renderer
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkActor, vtkCamera, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow

from .mesh import Mesh
from .orbit import VIEW_ANGLE_DEG, Orbit
from .shot import Crosshair, Piece, Shot

PEELS = 4
"""Layers of translucent surfaces that are sorted exactly when the camera rests."""


@dataclass
class _Prop:
    piece: Piece
    actor: vtkActor


class Stage:
    def __init__(self) -> None:
        if sys.platform == "linux" and not os.environ.get("DISPLAY"):
            # VTK tries X first and complains about it on standard error.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        self._window = vtkRenderWindow()
        self._window.SetOffScreenRendering(1)
        self._window.SetShowWindow(False)
        self._window.SetMultiSamples(0)
        self._window.SetAlphaBitPlanes(1)
        self._renderer = vtkRenderer()
        self._renderer.SetMaximumNumberOfPeels(PEELS)
        self._renderer.SetOcclusionRatio(0.02)
        self._window.AddRenderer(self._renderer)
        self._props: dict[str, _Prop] = {}
        self._crosshair: Crosshair | None = None
        self._cross = _lines()
        self._renderer.AddActor(self._cross)

    def draw(self, shot: Shot) -> NDArray[np.uint8]:
        """(height, width, 4) RGBA, first row on top, contiguous and free of VTK's memory."""
        self._match(shot.pieces)
        self._mark(shot.crosshair)
        width, height = shot.size
        if self._window.GetSize() != (width, height):
            self._window.SetSize(width, height)
        self._renderer.SetBackground(*(c / 255 for c in shot.background))
        self._aim(self._renderer.GetActiveCamera(), shot.orbit)
        self._renderer.ResetCameraClippingRange()
        self._renderer.SetUseDepthPeeling(shot.resting)
        self._renderer.SetUseFXAA(shot.resting)
        if not shot.resting:
            self._sort(shot.orbit)
        self._window.Render()
        pixels = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, width - 1, height - 1, 1, pixels)
        return np.ascontiguousarray(vtk_to_numpy(pixels).reshape(height, width, 4)[::-1])

    def close(self) -> None:
        """Give the graphics memory back; the stage is of no use afterwards."""
        self._renderer.RemoveAllViewProps()
        self._props.clear()
        self._window.RemoveRenderer(self._renderer)
        self._window.Finalize()

    def _match(self, pieces: Mapping[str, Piece]) -> None:
        for key in [k for k in self._props if k not in pieces]:
            self._renderer.RemoveActor(self._props.pop(key).actor)
        for key, piece in pieces.items():
            prop = self._props.get(key)
            if prop is None:
                actor = vtkActor()
                actor.SetMapper(vtkPolyDataMapper())
                actor.GetMapper().SetScalarVisibility(False)
                self._renderer.AddActor(actor)
                prop = self._props[key] = _Prop(piece, actor)
                _set_mesh(actor, piece.mesh)
                _set_look(actor, piece)
                continue
            if prop.piece.mesh is not piece.mesh:
                _set_mesh(prop.actor, piece.mesh)
            if prop.piece.look != piece.look:
                _set_look(prop.actor, piece)
            prop.piece = piece

    def _mark(self, crosshair: Crosshair | None) -> None:
        if crosshair == self._crosshair:
            return
        self._crosshair = crosshair
        self._cross.SetVisibility(crosshair is not None)
        if crosshair is None:
            return
        centre, half = np.array(crosshair.point_mm), crosshair.half_mm
        ends = np.concatenate([[centre - half * axis, centre + half * axis] for axis in np.eye(3)])
        self._cross.GetMapper().GetInput().GetPoints().SetData(numpy_to_vtk(ends, deep=True))
        self._cross.GetMapper().GetInput().GetPoints().Modified()
        self._cross.GetProperty().SetColor(*(c / 255 for c in crosshair.colour))

    def _sort(self, orbit: Orbit) -> None:
        """Far surfaces first: while the camera moves nothing is peeled, and what is drawn last lies on top."""
        eye = orbit.eye_mm

        def nearest(prop: _Prop) -> float:
            centre, radius = prop.actor.GetCenter(), prop.actor.GetLength() / 2
            return float(np.linalg.norm(eye - centre)) - radius

        order = sorted(self._props.values(), key=nearest, reverse=True)
        props = self._renderer.GetViewProps()
        if [p.actor for p in order] == [props.GetItemAsObject(i) for i in range(1, props.GetNumberOfItems())]:
            return
        for prop in order:
            self._renderer.RemoveActor(prop.actor)
            self._renderer.AddActor(prop.actor)

    @staticmethod
    def _aim(camera: vtkCamera, orbit: Orbit) -> None:
        camera.SetViewAngle(VIEW_ANGLE_DEG)
        camera.SetFocalPoint(*orbit.focus_mm)
        camera.SetPosition(*orbit.eye_mm)
        camera.SetViewUp(*orbit.up)


def _set_mesh(actor: vtkActor, mesh: Mesh) -> None:
    data = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(mesh.points))
    data.SetPoints(points)
    data.GetPointData().SetNormals(numpy_to_vtk(mesh.normals))
    cells = vtkCellArray()
    offsets = np.arange(0, mesh.triangles.size + 1, 3, dtype=np.int64)
    cells.SetData(
        numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(mesh.triangles.ravel(), deep=True)
    )
    data.SetPolys(cells)
    actor.GetMapper().SetInputData(data)


def _set_look(actor: vtkActor, piece: Piece) -> None:
    look, surface = piece.look, actor.GetProperty()
    surface.SetColor(*(c / 255 for c in look.colour))
    surface.SetOpacity(look.opacity)
    surface.SetAmbient(look.glow)
    surface.SetDiffuse(1.0 - look.glow * 0.6)
    surface.SetSpecular(0.12)
    surface.SetSpecularPower(24.0)
    surface.SetBackfaceCulling(look.opacity < 1.0)
    matrix = vtkMatrix4x4()
    matrix.DeepCopy([value for row in look.to_base for value in row])
    actor.SetUserMatrix(matrix)


def _lines() -> vtkActor:
    data = vtkPolyData()
    points = vtkPoints()
    points.SetDataTypeToDouble()
    points.SetNumberOfPoints(6)
    data.SetPoints(points)
    lines = vtkCellArray()
    for k in range(3):
        lines.InsertNextCell(2, (2 * k, 2 * k + 1))
    data.SetLines(lines)
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    actor = vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(False)
    actor.GetProperty().SetLineWidth(1.0)
    actor.SetVisibility(False)
    return actor
