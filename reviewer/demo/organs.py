"""The organs of the demo patient as distance fields, in the order in which they give way to each other.

Coordinates are those of the frame of simulation: LPS in mm, x = 0 the midline, z = 0 the middle of L1. Sizes and places follow
ordinary adult cross-sectional anatomy; nothing is taken from a patient's data.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from reviewer.demo import courses, shapes
from reviewer.demo.field import Box, Field, Floats, Floats32
from reviewer.demo.shapes import Place, common, ellipsoid, place, rotation, spline, tubes, union, without
from reviewer.demo.torso import BOTTOM_MM, TOP_MM, Torso, spine_x, spine_y, vertebrae

State = Literal["simulation", "day"]

PTV_MARGIN_MM = 5.0

GTV_1_MM = (-66.0, -14.0, -12.0)
GTV_2_MM = (-88.0, 22.0, 44.0)
"""Middles of the lesions at simulation, (x, y, z) mm; the first lies beside the duodenum."""

DUODENUM_DAY_MM = np.array([0.8, 0.5, -4.3, 0.25])
"""By the day the duodenum has sunk with the liver and filled a little (x, y, z, radius): it lies closer to the first lesion, so close that
the approved plan breaks a goal and an adapted one can still meet it (`treatment`); a millimetre decides."""

DIAPHRAGM_DAY_MM = 4.0
"""By how much the diaphragm is lower."""

STOMACH_DAY_MM = 6.0
"""By how much the radius of the stomach's fundus has grown."""

MIDLINE = ("vertebra", "A_Aorta", "V_Venacava_I")
SOLID = ("Liver", "Gallbladder", "Kidney_L", "Kidney_R", "Spleen")
UPPER_GUT = ("Stomach", "Duodenum", "pancreas")

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
        self.fine_warp = shapes.waves(seed + 2, 0.8, 24.0)
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
        self._liver_vessels()
        self._spleen()
        self._duodenum()
        self._pancreas()
        self._stomach()
        self._colon()
        self._small_bowel()
        self._mesentery()
        self._heart_and_lungs()
        self._rinds()

    # -- bookkeeping ----------------------------------------------------------------------------------------------------

    def put(self, name: str, p: Place, distance: Floats32) -> None:
        self.fields[name] = p.field(distance).cropped()

    def on(self, name: str, box: Box) -> Floats32:
        return self.fields[name].on(box)

    def clear(self, p: Place, distance: Floats32, *names: str, gap: float = 0.8, blend: float = 1.5) -> Floats32:
        """What is left of an organ beside those that were there before."""
        return without(distance, *(self.on(n, p.box) for n in names if n in self.fields), gap=gap, blend=blend)

    # -- wall and skeleton ----------------------------------------------------------------------------------------------

    def _trunk(self) -> None:
        p = place((-176, -128, BOTTOM_MM), (176, 114, TOP_MM), 2.0)
        skin, wall, muscle = self.torso.skin(p), self.torso.wall(p), self.torso.muscle(p)
        self.fields["Body"], self.fields["cavity"] = p.field(-skin), p.field(-wall)
        band = common(-np.minimum(muscle, skin - 5), wall - 2.5)
        x, y, z = p.box.axes_mm
        angle = np.abs(np.rad2deg(np.arctan2(x, -y))).astype(np.float32)
        belly = 30 - z + 0.5 * np.abs(x) * 0.3
        alba = np.broadcast_to(np.maximum(np.abs(x) - 3.5, y + 30), band.shape)
        semilunar = np.maximum(np.abs(angle - 36) * 1.8 - 4.0, -belly * 0.2)
        self.put("wall_muscle", p, without(band, alba, np.maximum(semilunar, z - 50), blend=2.0))
        thick = muscle - wall
        ripple = np.sin(x / 17 + z / 29) + np.sin(y / 13 - z / 19)
        layers = np.abs(wall + (0.36 + 0.02 * ripple) * thick), np.abs(wall + (0.68 - 0.02 * ripple) * thick)
        stripes = np.minimum(*layers) - 0.9
        flank = np.maximum(np.abs(angle - 84) - 40, (z - 5) * 0.8)
        self.put("wall_fat", p, np.maximum(stripes, flank))

    def _spine(self) -> None:
        p = place((-64, 0, BOTTOM_MM), (64, 104, TOP_MM), 1.5)
        x, y, z = p.x - spine_x(p.z).astype(np.float32), p.y - spine_y(p.z).astype(np.float32), p.z
        bodies, discs, arches = p.far(), p.far(), []
        for number, zc in vertebrae():
            lumbar = min(1.0, max(0.0, (number - 9) / 5))
            half = 10.5 + 3.0 * lumbar
            near = np.abs(p.box.axes_mm[2].ravel() - zc - 4) < 30
            xs, ys, zs = x[near], y[near], z[near] - np.float32(zc)
            h = np.clip(np.abs(zs) / half, 0, 1)
            rx, ry = (16.5 + 6.5 * lumbar) * (0.9 + 0.1 * h**2), (14.5 + 2.5 * lumbar) * (0.92 + 0.08 * h**2)
            flat = np.hypot(xs / rx, np.where(ys > 0, ys * 1.12, ys) / ry)
            ring = (flat - 1) * np.minimum(rx, ry)
            bodies[near] = union(bodies[near], common(ring, np.abs(zs) - half, blend=3.0))
            discs[near] = union(discs[near], common(ring + 1, np.abs(zs - half - 2) - 6.5, blend=2.0))
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
        self._muscles()

    def _muscles(self) -> None:
        p = place((-110, -10, BOTTOM_MM), (110, 108, TOP_MM), 2.0, self.fine_warp)
        z = np.array([-152.0, -110, -70, -33, 0, 31, 60, 100, 152])
        y = spine_y(z)
        groups, fat = p.far(), p.far()
        for s in (-1.0, 1.0):
            along = s * np.array([50, 43, 38, 33, 28, 24]), y[:6] - np.array([8, 4, 0, -3, -7, -10]), z[:6]
            psoas = np.column_stack([*along, [21, 19, 16, 12, 7, 2]])
            groups = union(groups, tubes(p, spline(psoas)))
            lumbar = np.interp(p.z, [-150, -30, 60, 150], [1.15, 1.08, 0.85, 0.7]).astype(np.float32)
            yz = spine_y(p.z).astype(np.float32)
            across, back = (p.x - s * 29 * lumbar) / (27 * lumbar), (p.y - yz - 45) / (15.5 * lumbar)
            erector = (np.hypot(across, back) - 1) * 16 * lumbar
            groups = union(groups, erector)
            split = np.maximum(np.abs((p.x - s * 27 * lumbar) - s * 0.25 * (p.y - yz - 45)) - 0.7, erector + 2)
            fat = union(fat, split)
            quadratus = ellipsoid(p, (s * 64, 69, -78), (22, 8.0, 60), rotation(0, 0, s * 22))
            groups = union(groups, quadratus, blend=1.0)
            height = np.array([-50.0, -20, 15, 45, 66])
            along = s * np.array([12, 14, 16, 18, 20]) - 2, spine_y(height) - np.array([22, 24, 27, 31, 36]), height
            crus = np.column_stack([*along, [3, 5, 5.5, 4, 3]])
            groups = union(groups, tubes(p, spline(crus)), blend=1.0)
        bone = self.on("vertebra", p.box)
        self.put("muscle", p, common(without(groups, bone, gap=0.3), self.on("Body", p.box) + 6, blend=2.0))
        self.put("muscle_fat", p, fat)

    def _ribs(self) -> None:
        bones, cartilages = [], []
        for number, zc in vertebrae():
            if number > 12:
                continue
            for side in (-1, 1):
                bone, cartilage = self.torso.rib(number, zc, side)
                for up in (-2.6, 2.6):  # higher than thick
                    bones.append(bone * (1, 1, 1, 0.86) + (0, 0, up, 0))
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
        bone = self.on("vertebra", p.box)
        a = without(tubes(p, spline(courses.AORTA)), bone, gap=1.0, blend=2.0)
        v = without(tubes(p, spline(courses.CAVA)), bone, a, gap=1.0, blend=3.0)
        o = without(tubes(p, spline(courses.OESOPHAGUS)), bone, a, v, gap=0.8, blend=1.5)
        self.put("A_Aorta", p, a)
        self.put("V_Venacava_I", p, v)
        self.put("Esophagus", p, o)

    # -- organs ---------------------------------------------------------------------------------------------------------

    def _kidneys(self) -> None:
        for name, centre, turn in (
            ("Kidney_R", (-67, 37, -34), rotation(-12, 10, -24)),
            ("Kidney_L", (65, 37, -16), rotation(-12, -10, 24)),
        ):
            s = 1 if name == "Kidney_L" else -1
            p = place(np.subtract(centre, (44, 44, 68)), np.add(centre, (44, 44, 68)), 1.5, self.fine_warp)
            outer = ellipsoid(p, centre, (27, 23.5, 53), turn, power=2.25)
            x, y, z = shapes.local(p, centre, turn)
            sinus = np.sqrt(((x + s * 19) / 15) ** 2 + (y / 9.5) ** 2 + (z / 24) ** 2)
            sinus_d = ((sinus - 1) * 10).astype(np.float32)
            d = without(outer, sinus_d, blend=6.0)
            d = common(d, self.on("cavity", p.box) + 4, blend=3.0)
            d = self.clear(p, d, *MIDLINE, "muscle")
            self.put(name, p, d)
            pyramid = np.cos(7 * np.arctan2(z, -s * x + 12)) + 0.6 * np.cos(np.pi * y / 12)
            self.put(
                f"medulla_{name}",
                p,
                np.maximum(np.maximum(d + 6.0, 2.5 - sinus_d), (2.5 * (0.1 - pyramid)).astype(np.float32)),
            )
            self.put(f"sinus_{name}", p, common(sinus_d, outer + 3))

    def _below_diaphragm(self, box: Box) -> Floats32:
        """Height above the diaphragm, mm, below zero in the belly: a dome on either side, steep towards the wall and the spine."""
        x, y, z = box.axes_mm
        spine = np.hypot(x / 1.25, y - spine_y(z) - 6) - 25
        edge = union(-self.on("cavity", box), 1.2 * spine.astype(np.float32), blend=18.0)
        rim = 42 - 0.22 * y
        top = 90.0 - 8 / (1 + np.exp(-(x - 10) / 12)) - 10 * np.exp(-(((x - 12) / 30) ** 2))
        top = top - 10 * np.clip((y - 10) / 70, -1, 1) ** 2
        e = np.clip(edge / 74, 0, 1)
        height = rim + (top - rim) * np.sqrt(1 - (1 - e) ** 2) - (DIAPHRAGM_DAY_MM if self.day else 0.0)
        return np.asarray(z - height, dtype=np.float32)

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
        ligament = np.maximum(
            np.abs(x - 8 - 0.12 * (z - 30)) - 1.2 - np.clip((-60 - y) / 8, 0, 3), np.maximum(y + 52, z - 40)
        )
        d = without(d, ligament.astype(np.float32), blend=4.0)
        d = common(d, self._below_diaphragm(p.box) + 1.6, self.on("cavity", p.box) + 2.5, blend=4.0)
        d = without(d, tubes(p, spline(courses.HILUM)), blend=10.0)
        bowel = self._duodenum_course()[:5]
        bowel[:, :3] = (bowel[:, :3] - self.liver_motion[:3, 3]) @ self.liver_motion[:3, :3]
        d = without(d, tubes(p, spline(bowel)), gap=0.8, blend=4.0)
        d = self.clear(p, d, "vertebra", "A_Aorta", "Kidney_R", "Esophagus", gap=1.2, blend=5.0)
        d = without(
            self.clear(p, d, "V_Venacava_I", gap=0.0, blend=2.0),
            ellipsoid(p, (-54, 62, -24), (42, 40, 62), rotation(-10, 0, 0)),
            blend=10.0,
        )
        self.put("Liver", p, d)

    def _gallbladder(self) -> None:
        p = place((-90, -100, -75), (-10, -5, 30), 1.5, self.liver_warp, self.fine_warp)
        d = common(tubes(p, spline(courses.GALLBLADDER)), self.on("cavity", p.box) + 3.5, blend=2.0)
        self.put("Gallbladder", p, d)
        liver = self.fields["Liver"]
        self.fields["Liver"] = Field(
            liver.box, without(liver.distance_mm, self.on("Gallbladder", liver.box), gap=0.2, blend=3.0)
        )

    def _lesions(self) -> None:
        warp = shapes.waves(self.seed + 7, 1.6, 26.0)
        for name, centre, radii in (
            ("GTV_1", GTV_1_MM, (14.3, 13.4, 15.1)),
            ("GTV_2", GTV_2_MM, (9.3, 8.7, 10.1)),
        ):
            moved = self.liver_motion[:3, :3] @ centre + self.liver_motion[:3, 3]
            p = place(moved - 24, moved + 24, 1.0, self.liver_warp, warp)
            target = p.field(ellipsoid(p, centre, radii, rotation(20, 30, 10)))
            self.fields[name] = target
            liver = self.fields["Liver"]  # bulges over a lesion at its surface
            self.fields["Liver"] = Field(liver.box, union(liver.distance_mm, target.on(liver.box) - 0.6, blend=1.0))
            self.fields[name.replace("GTV", "PTV")] = shapes.expanded(target, PTV_MARGIN_MM)

    def _spleen(self) -> None:
        p = place((50, -30, -30), (140, 92, 96), 2.0, self.warp)
        outer = ellipsoid(p, (94, 36, 30), (40, 50, 62), rotation(24, 0, -20))
        inner = ellipsoid(p, (54, 8, 32), (44, 40, 70), rotation(10, 0, 10))
        d = without(outer, inner, blend=10.0)
        below = self._below_diaphragm(p.box) + 2.5
        d = common(d, self.on("cavity", p.box) + 2.5, below, blend=3.0)
        self.put("Spleen", p, self.clear(p, d, "Kidney_L", gap=1.5, blend=4.0))

    def _duodenum_course(self) -> Floats:
        """(n, 4) x, y, z, radius."""
        return courses.DUODENUM + (DUODENUM_DAY_MM if self.day else 0.0)

    def _duodenum(self) -> None:
        p = place((-85, -85, -105), (60, 35, 40), 1.5, self.fine_warp)
        d = tubes(p, spline(self._duodenum_course()))
        self.put(
            "Duodenum",
            p,
            self.clear(p, d, *MIDLINE, "Kidney_R", "Gallbladder", "Liver", "GTV_1"),
        )

    def _stomach(self) -> None:
        p = place((-45, -100, -75), (115, 55, 92), 1.5, self.gut_warp)
        path = courses.STOMACH.copy()
        if self.day:
            path[:, 3] += STOMACH_DAY_MM * courses.STOMACH_FILLED
        d = tubes(p, spline(path))
        d = union(d, tubes(p, spline(courses.CARDIA)), blend=8.0)
        below = self._below_diaphragm(p.box) + 4.0
        d = common(d, self.on("cavity", p.box) + 3.5, below, blend=3.0)
        d = self.clear(
            p, d, *MIDLINE, "Liver", "Spleen", "Kidney_L", "Duodenum", "pancreas", "Esophagus", gap=1.0, blend=3.0
        )
        self.put("Stomach", p, d)
        ridge = np.abs(np.sin((0.9 * p.x - 0.35 * p.y + 0.25 * p.z) / 4.6)) * np.clip((p.y + 62) / 20, 0.15, 1)
        lumen = (d + 3.4 + (1.6 if self.day else 3.4) * ridge).astype(np.float32)
        self.put("lumen_stomach", p, lumen)
        self.put("gas_stomach", p, np.maximum(lumen, p.box.axes_mm[1] + (68 if self.day else 62)))

    def _colon(self) -> None:
        p = place((-135, -104, BOTTOM_MM), (135, 84, 60), 2.0, self.gut_warp)
        course = courses.COLON.copy()
        if self.day:
            course[:, 2] -= 8 * courses.COLON_SAGS
        path = spline(course)
        rng = np.random.default_rng(self.seed + (50 if self.day else 5))
        s = np.arange(len(path)) * 3.0
        path[:, 3] *= (
            1
            + 0.16 * np.sin(2 * np.pi * s / 34 + 2 * np.cumsum(rng.normal(0, 0.1, len(s))))
            + 0.05 * rng.normal(size=len(s))
        )
        tube, _, nearest = shapes.coil(p, path)
        d = common(tube, self.on("cavity", p.box) + 3.5, blend=3.0)
        self.put(
            "Bowel_Large",
            p,
            self.clear(p, d, *MIDLINE, *SOLID, *UPPER_GUT, gap=1.0),
        )
        level = np.cumsum(rng.normal(0, 3.0, len(path)))
        level = 0.35 * path[:, 3] * np.tanh((level - level.mean()) / 8) - 3 + path[:, 1]
        above = p.box.axes_mm[1] - shapes.smoothed(level[np.clip(nearest, 0, len(path) - 1)].astype(np.float32), 7)
        self.put("gas_colon", p, common(self.on("Bowel_Large", p.box) + 1.8, above, blend=2.0))

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
        d, second, nearest = shapes.coil(p, path, apart=14)
        d = common(d, self.on("cavity", p.box) + 3.5, blend=2.0)
        d = self.clear(p, d, *MIDLINE, *SOLID, *UPPER_GUT, "Bowel_Large", gap=1.0)
        self.put("Bowel_Small", p, d)
        lumen = np.maximum(d, (d - second) / np.float32(2))
        self.put("lumen_small_bowel", p, lumen)
        gassy = np.where(np.sin(np.arange(len(path)) / 11 + rng.uniform(0, 6)) > 0.86, -3.0, -40.0)
        level = (path[:, 1] + gassy).astype(np.float32)[np.clip(nearest, 0, len(path) - 1)]
        above = p.box.axes_mm[1] - shapes.smoothed(level, 5)
        self.put("gas_small_bowel", p, common(lumen + np.float32(2.2), above, blend=2.0))

    def _heart_and_lungs(self) -> None:
        p = place((-140, -110, -10), (140, 104, TOP_MM), 2.0)
        above = 1.5 - self._below_diaphragm(p.box)
        heart = union(
            ellipsoid(p, (30, -36, 112), (50, 40, 46), rotation(0, 0, 25)),
            ellipsoid(p, (-14, -28, 124), (30, 32, 44)),
            blend=16.0,
        )
        heart = common(heart, above + 2, self.on("cavity", p.box) + 6, blend=4.0)
        heart = self.clear(p, heart, "A_Aorta", "Esophagus", "vertebra", gap=1.0)
        heart = self.clear(p, heart, "V_Venacava_I", gap=0.0)
        self.put("Heart", p, heart)
        pools = union(
            ellipsoid(p, (42, -38, 112), (22, 17, 34), rotation(0, 0, 25)), ellipsoid(p, (6, -54, 112), (26, 14, 30), rotation(0, 0, 20)),
            ellipsoid(p, (-20, -22, 120), (18, 20, 34)), blend=2.0,
        )  # fmt: skip
        self.put("heart_blood", p, common(pools, heart + 3, blend=2.0))
        self.put("diaphragm", p, np.maximum(np.abs(above - 1.7) - 1.9, self.on("cavity", p.box) + 0.5))
        low = np.clip((78 - p.z) / 30, 0, 1).astype(np.float32)
        column = (np.hypot(p.x / 1.3, p.y - spine_y(p.z) + 12) - (14 + 15 * low)).astype(np.float32)
        mediastinum = union(
            self.on("Heart", p.box) - 4, self.on("vertebra", p.box) - 3, self.on("A_Aorta", p.box) - 2, self.on("V_Venacava_I", p.box) - 2,
            self.on("Esophagus", p.box) - 4, ellipsoid(p, (2, -60, 130), (20, 40, 60)), ellipsoid(p, (14, -40, 76), (46, 34, 16)), column, blend=5.0,
        )  # fmt: skip
        lungs = common(above - 0.8, self.on("cavity", p.box) + 2.0, -mediastinum, blend=6.0)
        lungs = self.clear(p, lungs, "Liver", "Spleen", "Stomach", gap=2.0)
        middle = np.float32(4.0)
        self.put("Lung_L", p, np.maximum(lungs, middle - p.x))
        self.put("Lung_R", p, np.maximum(lungs, p.x - middle))
        rng = np.random.default_rng(self.seed + 12)
        paths: list[Floats] = []
        for side in (-1, 1):
            for _ in range(16):
                end = np.array([side * rng.uniform(35, 118), rng.uniform(-75, 80), rng.uniform(35, 100)])
                start = np.array([side * rng.uniform(36, 52), rng.uniform(-5, 20), 158.0])
                bend = start + (end - start) * 0.55 + (side * 6, 0, 8) + rng.normal(0, 6, 3)
                paths.append(spline(np.column_stack([[start, bend, end], [3.4, 2.2, 0.9]])))
                twigs(rng, paths[-1], paths, 1)
        fine = place((-130, -100, 0), (130, 100, TOP_MM), 1.5)
        d = tubes(fine, *paths, reach_mm=4)
        lung = union(self.on("Lung_L", fine.box), self.on("Lung_R", fine.box))
        self.put("vessels_lung", fine, common(d, lung + np.float32(1.5)))

    def _liver_vessels(self) -> None:
        rng = np.random.default_rng(self.seed + 8)
        p = place((-126, -92, -80), (72, 74, 88), 1.25, self.liver_warp, self.fine_warp)
        for name, trunks in (("vessels_portal", courses.PORTAL), ("vessels_hepatic", courses.HEPATIC)):
            paths = [spline(t) for t in trunks]
            for path in paths[:]:
                twigs(rng, path, paths, 2)
            d = common(tubes(p, *paths, reach_mm=5), self.on("Liver", p.box) + 3, blend=1.0)
            self.put(name, p, without(d, self.on("V_Venacava_I", p.box) + 2))
        p = place((-60, -70, -70), (110, 40, 60), 1.5, self.liver_warp)
        self.put("veins", p, tubes(p, *map(spline, courses.PORTAL_ROOTS), reach_mm=6))
        p = place((-75, -70, BOTTOM_MM), (75, 70, 60), 1.5)
        self.put("arteries", p, tubes(p, *map(spline, courses.ARTERIES), reach_mm=6))
        self.put("renal_veins", p, tubes(p, *map(spline, courses.RENAL_VEINS), reach_mm=6))

    def _pancreas(self) -> None:
        p = place((-50, -70, -80), (100, 50, 50), 1.5, self.fine_warp, shapes.waves(self.seed + 9, 1.6, 11.0))
        around = ("Duodenum", "Kidney_L", "Spleen", "Liver", "veins", "arteries")
        d = self.clear(p, tubes(p, spline(courses.PANCREAS)), *MIDLINE, *around, gap=0.8, blend=2.0)
        self.put("pancreas", p, d)
        p = place((-60, -20, -10), (60, 60, 60), 1.25)
        self.put("adrenals", p, tubes(p, *map(spline, courses.ADRENALS), reach_mm=5))

    def _mesentery(self) -> None:
        p = place((-120, -100, BOTTOM_MM), (120, 50, 40), 1.5, self.fine_warp)
        rng = np.random.default_rng(self.seed + 10)
        paths = []
        for _ in range(30):
            end = np.array([rng.uniform(-80, 90), rng.uniform(-85, -15), rng.uniform(-150, -45)])
            start = np.array([rng.uniform(-2, 6), -27 + rng.uniform(-2, 2), end[2] * 0.5 + rng.uniform(-48, -12)])
            middle = (start + end) / 2 + rng.normal(0, 9, 3)
            paths.append(spline(np.column_stack([[start, middle, end], [2.0, 1.6, 1.1]])))
        for _ in range(14):
            a, b = (np.array([rng.uniform(-70, 90), rng.uniform(-92, -60), rng.uniform(-140, 0)]) for _ in range(2))
            b = a + np.clip(b - a, -45, 45)
            paths.append(spline(np.column_stack([[a, (a + b) / 2 + rng.normal(0, 7, 3), b], [1.2, 1.5, 1.0]])))
        self.put("mesentery", p, common(tubes(p, *paths, reach_mm=4), self.on("cavity", p.box) + 6))

    def _rinds(self) -> None:
        """Structures that are layers of others: skin as a rind of 5 mm, the right chest wall as 20 mm outside the lung's cavity."""
        box = self.fields["Body"].box
        body, cavity = self.fields["Body"].distance_mm, self.fields["cavity"].distance_mm
        p = Place(box, *(np.broadcast_to(a, box.shape_zyx) for a in box.axes_mm))
        self.put("Skin", p, np.maximum(body, -5 - body))
        margin = np.maximum(p.x + 6 + 18 * np.clip(p.y / 60, 0, 1), 0.45 * (-p.y) - p.z - 18)
        chest = common(cavity - 20, -cavity - 1.0, -self.torso.muscle(p) - 1.5, body + 6, blend=2.0)
        chest = common(chest, margin.astype(np.float32), blend=6.0)
        self.put("Chestwall", p, self.clear(p, chest, "vertebra", "canal", gap=2.0, blend=2.0))


def twigs(rng: np.random.Generator, path: Floats, into: list[Floats], generations: int) -> None:
    """Append side branches of a vessel's path, and theirs, to `into`."""
    if generations == 0 or len(path) < 5:
        return
    for i in range(3, len(path) - 1, 4):
        along = path[i + 1, :3] - path[i - 1, :3]
        along /= np.linalg.norm(along)
        side = np.cross(along, rng.normal(size=3))
        side /= np.linalg.norm(side)
        radius = path[i, 3] * rng.uniform(0.42, 0.62)
        if radius < 0.8:
            continue
        length = rng.uniform(6, 9) * radius + 6
        direction = 0.65 * along + 0.8 * side
        points = [path[i, :3]]
        for _ in range(3):
            points.append(points[-1] + direction * length / 3)
            direction = direction + rng.normal(0, 0.22, 3)
        twig = spline(np.column_stack([points, radius * np.array([1.0, 0.85, 0.7, 0.5])]))
        into.append(twig)
        twigs(rng, twig, into, generations - 1)
