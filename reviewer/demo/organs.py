"""The organs of the demo patient as distance fields, in the order in which they give way to each other.

Coordinates are those of the frame of simulation: LPS in mm, x = 0 the midline, z = 0 the middle of L1. Sizes and places follow
ordinary adult cross-sectional anatomy; nothing is taken from a patient's data.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from reviewer.demo import shapes
from reviewer.demo.field import Box, Field, Floats, Floats32
from reviewer.demo.shapes import Place, common, ellipsoid, place, rotation, spline, tubes, union, without
from reviewer.demo.torso import BOTTOM_MM, TOP_MM, Torso, spine_x, spine_y, vertebrae

State = Literal["simulation", "day"]

PTV_MARGIN_MM = 5.0

LIVER_PIVOT_MM = (-60.0, 0.0, 20.0)


def liver_motion(state: State) -> Floats:
    """(4, 4) rigid motion of liver, gallbladder and lesions from simulation to the state, bones at rest."""
    matrix = np.eye(4)
    if state == "day":
        turn = rotation(1.6, -1.2, 2.2)
        pivot = np.array(LIVER_PIVOT_MM)
        matrix[:3, :3] = turn
        matrix[:3, 3] = pivot - turn @ pivot + np.array([1.5, -2.0, -5.5])
    return matrix


class Body:
    """Builds the fields of one state; `fields` maps names (TG-263 for contoured organs, lower case for tissues) to them."""

    def __init__(self, seed: int, state: State) -> None:
        self.seed, self.state, self.day = seed, state, state == "day"
        self.torso = Torso()
        self.fields: dict[str, Field] = {}
        self.warp = shapes.waves(seed + 1, 3.0, 70.0)
        self.fine_warp = shapes.waves(seed + 2, 1.1, 24.0)
        self.gut_warp = shapes.waves(seed + (30 if self.day else 3), 3.5, 60.0)
        self.liver_motion = liver_motion(state)
        self.liver_warp = shapes.rigid_inverse(self.liver_motion)
        self._trunk()
        self._spine()
        self._ribs()
        self._vessels()
        self._kidneys()
        self._liver()
        self._gallbladder()
        self._lesions()
        self._spleen()
        self._duodenum()
        self._stomach()
        self._colon()
        self._small_bowel()
        self._heart_and_lungs()

    # -- bookkeeping ----------------------------------------------------------------------------------------------------

    def put(self, name: str, p: Place, distance: Floats32) -> None:
        self.fields[name] = p.field(distance)

    def on(self, name: str, box: Box) -> Floats32:
        return self.fields[name].on(box)

    def clear(self, p: Place, distance: Floats32, *names: str, gap: float = 0.8, blend: float = 1.5) -> Floats32:
        """What is left of an organ beside those that were there before."""
        return without(distance, *(self.on(n, p.box) for n in names if n in self.fields), gap=gap, blend=blend)

    # -- wall and skeleton ----------------------------------------------------------------------------------------------

    def _trunk(self) -> None:
        p = place((-176, -128, BOTTOM_MM), (176, 114, TOP_MM), 2.0)
        skin, wall, muscle = self.torso.skin(p), self.torso.wall(p), self.torso.muscle(p)
        self.put("Body", p, -skin)
        self.put("cavity", p, -wall)
        self.put("wall_muscle", p, common(-np.minimum(muscle, skin - 5), wall))

    def _spine(self) -> None:
        p = place((-64, 0, BOTTOM_MM), (64, 104, TOP_MM), 1.5)
        x, y, z = p.x - spine_x(p.z).astype(np.float32), p.y - spine_y(p.z).astype(np.float32), p.z
        bodies, discs, arches = p.far(), p.far(), []
        for number, zc in vertebrae():
            lumbar = min(1.0, max(0.0, (number - 9) / 5))
            half = 10.5 + 3.0 * lumbar
            h = np.clip(np.abs(z - zc) / half, 0, 1)
            rx, ry = (16.5 + 6.5 * lumbar) * (0.9 + 0.1 * h**2), (14.5 + 2.5 * lumbar) * (0.92 + 0.08 * h**2)
            flat = np.hypot(x / rx, np.where(y > 0, y * 1.12, y) / ry)
            ring = (flat - 1) * np.minimum(rx, ry)
            bodies = union(bodies, common(ring, np.abs(z - zc) - half, blend=3.0))
            discs = union(discs, common(ring + 1, np.abs(z - zc - half - 2) - 6.5, blend=2.0))
            x0, y0 = float(spine_x(zc)), float(spine_y(zc))
            for s in (-1, 1):
                w = 1 + 0.25 * lumbar
                arches += [
                    np.array([(x0 + s * 12 * w, y0 + 10, zc + 4, 4.2), (x0 + s * 15 * w, y0 + 26, zc + 2, 4.8)]),
                    np.array([(x0 + s * 15 * w, y0 + 27, zc + 12, 4.0), (x0 + s * 13 * w, y0 + 32, zc - 15, 4.6)]),
                    np.array([(x0 + s * 13 * w, y0 + 30, zc - 2, 3.6), (x0, y0 + 39, zc - 7, 4.0)]),
                ]
                if number >= 13:
                    arches.append(np.array([(x0 + s * 18, y0 + 25, zc + 2, 4.0), (x0 + s * 43, y0 + 33, zc + 5, 3.2)]))
                else:
                    arches.append(np.array([(x0 + s * 16, y0 + 28, zc + 2, 4.4), (x0 + s * 31, y0 + 40, zc + 6, 4.0)]))
            fall = 6 if number >= 13 else 22
            for step in (0.0, -5.0, -9.0) if number >= 13 else (0.0, -5.0):
                arches.append(np.array([(x0, y0 + 38, zc - 8 + step, 3.0), (x0, y0 + 58, zc - 8 - fall + step, 3.2)]))
        canal = (np.hypot((p.x - spine_x(z)) / 1.25, y - 25) - 8.2).astype(np.float32)
        bone = without(union(bodies, tubes(p, *arches, reach_mm=8), blend=2.0), canal, blend=1.0)
        self.put("bone_spine", p, bone)
        self.put("disc", p, without(discs, bodies, canal))
        self.put("canal", p, canal)
        conus = np.interp(z, [-30, -6, 10, 60, 150], [-0.5, 2.2, 4.6, 4.0, 3.8]).astype(np.float32)
        cord = np.hypot(x / 1.25, y - 25.5) - conus
        self.put("SpinalCord", p, common(cord, -24 - z, blend=1.0))
        self.put("vertebra", p, union(bodies, discs))

    def _ribs(self) -> None:
        bones, cartilages = [], []
        for number, zc in vertebrae():
            if number > 12:
                continue
            for side in (-1, 1):
                bone, cartilage = self.torso.rib(number, zc, side)
                bones.append(bone)
                if len(cartilage):
                    cartilages.append(cartilage)
        p = place((-176, -128, BOTTOM_MM), (176, 114, TOP_MM), 2.0)
        self.put("bone_ribs", p, tubes(p, *bones, reach_mm=6))
        sternum = ellipsoid(p, (0, -93, 128), (15, 5.5, 40), rotation(6, 0, 0), power=3.0)
        self.put("sternum", p, sternum)
        self.put("cartilage", p, without(tubes(p, *cartilages, reach_mm=6), self.on("bone_ribs", p.box)))

    # -- vessels --------------------------------------------------------------------------------------------------------

    def _vessels(self) -> None:
        p = place((-75, -60, BOTTOM_MM), (75, 70, TOP_MM), 1.5)
        aorta = spline([(21, 20, 152, 11.5), (17, 17, 110, 11), (11, 10, 70, 10.5), (9, 6, 35, 10), (8, 1, 0, 9.3), (6, -3, -50, 8.6), (5, -4, -95, 8.2), (3, -4, -152, 8)])
        cava = spline([(-20, -22, 118, 13), (-19, -12, 92, 12.5), (-19, -2, 70, 11.5), (-20, 4, 40, 11), (-20, 4, 0, 10.2), (-19, 1, -50, 9.6), (-17, 0, -152, 9.4)])
        oesophagus = spline([(3, 4, 152, 8), (6, 0, 120, 8), (12, -6, 90, 8), (20, -10, 74, 7.5), (30, -12, 60, 8)])
        bone = self.on("vertebra", p.box)
        a = without(tubes(p, aorta), bone, gap=1.0, blend=2.0)
        v = without(tubes(p, cava), bone, a, gap=1.0, blend=3.0)
        o = without(tubes(p, oesophagus), bone, a, v, gap=0.8, blend=1.5)
        self.put("A_Aorta", p, a)
        self.put("V_Venacava_I", p, v)
        self.put("Esophagus", p, o)

    # -- organs ---------------------------------------------------------------------------------------------------------

    def _kidneys(self) -> None:
        for name, centre, turn in (
            ("Kidney_R", (-68, 42, -34), rotation(-12, 10, -24)),
            ("Kidney_L", (66, 42, -16), rotation(-12, -10, 24)),
        ):
            s = 1 if name == "Kidney_L" else -1
            p = place(np.array(centre) - (44, 44, 68), np.array(centre) + (44, 44, 68), 1.5, self.fine_warp)
            outer = ellipsoid(p, centre, (27, 23.5, 53), turn, power=2.25)
            x, y, z = shapes.local(p, centre, turn)
            sinus = np.sqrt(((x + s * 19) / 15) ** 2 + (y / 9.5) ** 2 + (z / 24) ** 2)
            sinus_d = ((sinus - 1) * 10).astype(np.float32)
            d = without(outer, sinus_d, blend=6.0)
            d = common(d, self.on("cavity", p.box) + 4, blend=3.0)
            self.put(name, p, self.clear(p, d, "vertebra", "A_Aorta", "V_Venacava_I"))
            self.put(f"sinus_{name}", p, common(sinus_d, outer + 3))

    def _diaphragm(self, p: Place, drop: float = 0.0) -> Floats32:
        """z of the diaphragm above each point."""
        edge = np.clip(-self.on("cavity", p.box), 0, None)
        edge = np.minimum(edge, np.clip(self.on("vertebra", p.box) - 4, 0, None) * 1.3)
        rim = 34 - 0.27 * p.y
        top = 86.0 - 7 / (1 + np.exp(-(p.x - 10) / 12)) - 13 * np.exp(-(((p.x - 12) / 34) ** 2))
        e = np.clip(edge / 62, 0, 1)
        return np.asarray(rim + (top - rim) * np.sqrt(1 - (1 - e) ** 2.2) - drop, dtype=np.float32)

    def _liver(self) -> None:
        p = place((-150, -104, -110), (96, 92, 104), 2.0, self.liver_warp, self.warp)
        right = ellipsoid(p, (-70, 4, 16), (70, 84, 92), rotation(0, 0, 8), power=2.2)
        x, y, z = p.x, p.y, p.z
        medial = 0.78 * (x + 30) - 0.62 * (z - 6) + 0.10 * (y - 10)
        right = common(right, medial, blend=26.0)
        left = ellipsoid(p, (12, -50, 48), (74, 35, 34), rotation(8, 14, -12))
        quadrate = ellipsoid(p, (-24, -56, 18), (36, 30, 40), rotation(10, 12, 0))
        caudate = ellipsoid(p, (-10, -10, 36), (17, 15, 28), rotation(0, 0, 20))
        d = union(right, left, blend=18.0)
        d = union(d, quadrate, blend=14.0)
        d = union(d, caudate, blend=8.0)
        ligament = np.maximum(np.abs(x - 8 - 0.12 * (z - 30)) - 2.2, np.maximum(y + 46, z - 46))
        d = without(d, ligament.astype(np.float32), blend=4.0)
        flat = p.box.axes_mm
        below = flat[2] - self._diaphragm(p, 4.0 if self.day else 0.0) + 4.5
        d = common(d, below.astype(np.float32), self.on("cavity", p.box) + 4.0, blend=5.0)
        d = self.clear(p, d, "vertebra", "A_Aorta", "V_Venacava_I", "Kidney_R", "Esophagus", gap=1.2, blend=5.0)
        self.put("Liver", p, d)

    def _gallbladder(self) -> None:
        p = place((-90, -100, -75), (-10, -5, 30), 1.5, self.liver_warp, self.fine_warp)
        path = spline([(-36, -30, 4, 3.0), (-41, -40, -8, 7), (-47, -52, -20, 12), (-52, -62, -34, 13.5), (-54, -66, -42, 11.5)])
        d = common(tubes(p, path), self.on("cavity", p.box) + 5, blend=2.0)
        self.put("Gallbladder", p, d)
        liver = self.fields["Liver"]
        self.fields["Liver"] = Field(liver.box, without(liver.distance_mm, self.on("Gallbladder", liver.box), gap=0.8, blend=3.0))

    def _lesions(self) -> None:
        warp = shapes.waves(self.seed + 7, 1.6, 26.0)
        for name, centre, radii in (
            ("GTV_1", (-66.0, -14.0, -12.0), (13.9, 13.0, 14.7)),
            ("GTV_2", (-88.0, 22.0, 44.0), (9.0, 8.4, 9.8)),
        ):
            moved = self.liver_motion[:3, :3] @ centre + self.liver_motion[:3, 3]
            p = place(moved - 24, moved + 24, 1.0, self.liver_warp, warp)
            target = p.field(ellipsoid(p, centre, radii, rotation(20, 30, 10)))
            self.fields[name] = target
            self.fields[name.replace("GTV", "PTV")] = shapes.expanded(target, PTV_MARGIN_MM)

    def _spleen(self) -> None:
        p = place((50, -30, -30), (140, 92, 96), 2.0, self.warp)
        outer = ellipsoid(p, (98, 34, 34), (34, 44, 60), rotation(24, 0, -20))
        inner = ellipsoid(p, (62, 10, 36), (44, 42, 62), rotation(10, 0, 10))
        d = without(outer, inner, blend=10.0)
        below = p.box.axes_mm[2] - self._diaphragm(p, 2.0 if self.day else 0.0) + 4.5
        d = common(d, self.on("cavity", p.box) + 4, below.astype(np.float32), blend=4.0)
        self.put("Spleen", p, self.clear(p, d, "Kidney_L", gap=1.5, blend=4.0))

    def _duodenum(self) -> None:
        p = place((-85, -85, -105), (60, 35, 40), 1.5, self.fine_warp)
        shift = np.array([-2.5, 1.0, -3.0, 0.0]) if self.day else np.zeros(4)
        path = np.array([
            (-20, -46, -12, 11), (-34, -36, -5, 12.5), (-40, -20, -8, 11), (-40, -6, -22, 11.5), (-40, -1, -42, 12),
            (-37, -4, -62, 12), (-24, -12, -75, 11.5), (0, -17, -77, 11), (22, -17, -70, 11), (30, -18, -52, 11), (33, -24, -38, 10.5),
        ])  # fmt: skip
        d = tubes(p, spline(path + shift))
        self.put("Duodenum", p, self.clear(p, d, "A_Aorta", "V_Venacava_I", "vertebra", "Kidney_R", "Gallbladder", "Liver"))

    def _stomach(self) -> None:
        p = place((-45, -100, -75), (115, 55, 92), 1.5, self.gut_warp)
        fill = 6.0 if self.day else 0.0
        path = np.array([
            (60, 14, 62, 22 + fill), (62, 4, 50, 27 + fill), (62, -16, 30, 27 + fill), (58, -34, 8, 25 + fill),
            (46, -50, -14, 22 + fill), (22, -58, -28, 18.5 + fill / 2), (0, -58, -26, 15 + fill / 3), (-14, -52, -18, 9),
        ])  # fmt: skip
        d = tubes(p, spline(path))
        cardia = spline([(30, -12, 60, 8), (44, -6, 58, 12), (56, 2, 54, 16)])
        d = union(d, tubes(p, cardia), blend=8.0)
        below = p.box.axes_mm[2] - self._diaphragm(p, 2.0 if self.day else 0.0) + 4.0
        d = common(d, self.on("cavity", p.box) + 5, below.astype(np.float32), blend=3.0)
        d = self.clear(p, d, "Liver", "Spleen", "Kidney_L", "A_Aorta", "V_Venacava_I", "vertebra", "Duodenum", "Esophagus", gap=1.0, blend=3.0)
        self.put("Stomach", p, d)

    def _colon(self) -> None:
        p = place((-135, -104, BOTTOM_MM), (135, 84, 60), 2.0, self.gut_warp)
        sag = -8.0 if self.day else 0.0
        path = spline([
            (-92, 30, -160, 22), (-95, 26, -125, 22), (-96, 16, -98, 21), (-84, -10, -84, 20), (-70, -48, -92, 19),
            (-42, -66, -100 + sag, 19), (0, -72, -104 + sag, 18), (40, -70, -90 + sag, 18), (74, -58, -58, 18), (94, -34, -22, 18),
            (104, -2, 6, 17), (108, 22, 10, 16), (108, 40, -14, 15), (105, 44, -60, 14), (102, 40, -110, 14), (98, 34, -160, 14),
        ], 3.0)  # fmt: skip
        rng = np.random.default_rng(self.seed + (50 if self.day else 5))
        s = np.arange(len(path)) * 3.0
        path[:, 3] *= 1 + 0.16 * np.sin(2 * np.pi * s / 34 + 2 * np.cumsum(rng.normal(0, 0.1, len(s)))) + 0.05 * rng.normal(size=len(s))
        d = common(tubes(p, path), self.on("cavity", p.box) + 5, blend=3.0)
        self.put("Bowel_Large", p, self.clear(p, d, "Liver", "Gallbladder", "Kidney_R", "Kidney_L", "Spleen", "Stomach", "Duodenum", "vertebra", "A_Aorta", "V_Venacava_I", gap=1.0))

    def _small_bowel(self) -> None:
        p = place((-88, -104, BOTTOM_MM), (100, 48, -10), 2.0, self.gut_warp)
        rng = np.random.default_rng(self.seed + (60 if self.day else 6))
        nodes = []
        for layer, y in enumerate((-22.0, -46.0, -70.0)):
            for row, z in enumerate(np.arange(-36, -170, -23.0)):
                low = 20.0 if z > -60 else -40.0 if z > -90 else -66.0
                xs = np.arange(low, 86, 22.0)
                nodes += [(x, y, z) for x in (xs if (row + layer) % 2 == 0 else xs[::-1])]
        centre = np.array(nodes) + rng.normal(0, 5.5, (len(nodes), 3))
        path = spline(np.column_stack([centre, rng.uniform(9.5, 14.0, len(nodes))]), 3.0)
        d, second = shapes.coil(p, path, apart=14)
        d = common(d, self.on("cavity", p.box) + 5, blend=2.0)
        d = self.clear(p, d, "Liver", "Gallbladder", "Kidney_L", "Kidney_R", "Spleen", "Stomach", "Duodenum", "Bowel_Large", "vertebra", "A_Aorta", "V_Venacava_I", gap=1.0)
        self.put("Bowel_Small", p, d)
        self.put("lumen_small_bowel", p, np.maximum(d, (d - second) / 2))

    def _heart_and_lungs(self) -> None:
        p = place((-140, -110, -10), (140, 104, TOP_MM), 2.0, None)
        above = (self._diaphragm(p, 2.0 if self.day else 0.0) - p.z + 1.5).astype(np.float32)
        heart = union(
            ellipsoid(p, (32, -36, 118), (48, 40, 42), rotation(0, 0, 25)), ellipsoid(p, (-14, -30, 128), (32, 32, 40)), blend=16.0
        )
        heart = common(heart, above + 2, self.on("cavity", p.box) + 6, blend=4.0)
        self.put("Heart", p, self.clear(p, heart, "A_Aorta", "Esophagus", "vertebra", gap=1.0))
        mediastinum = union(
            self.on("Heart", p.box) - 4, self.on("vertebra", p.box) - 3, self.on("A_Aorta", p.box) - 2, self.on("V_Venacava_I", p.box) - 2,
            self.on("Esophagus", p.box) - 4, ellipsoid(p, (2, -60, 130), (20, 40, 60)), blend=5.0,
        )  # fmt: skip
        lungs = common(above + 1.5, self.on("cavity", p.box) + 2.0, -mediastinum, blend=3.0)
        middle = np.float32(4.0)
        self.put("Lung_L", p, np.maximum(lungs, middle - p.x))
        self.put("Lung_R", p, np.maximum(lungs, p.x - middle))
