"""Pictures as arrays, places as numbers, gestures as calls: the parts of the slice view that need no screen."""

from __future__ import annotations

from dataclasses import dataclass, field
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviewer_widgets.canvas import compose, fused
from reviewer_widgets.canvas.facts import Fact, Room, cut_short, facts_of, placed, scale_bar
from reviewer_widgets.canvas.interaction import (
    Distance,
    Interaction,
    Measuring,
    Pan,
    Rule,
    Ruler,
    Swipe,
    Touch,
    WindowLevel,
    Zoom,
)
from reviewer_widgets.canvas.layers import Layers
from reviewer_widgets.canvas.viewport import Slices, Viewport, fitting

from reviewer.case import Dose, Image, Window
from reviewer.geometry.grid import Grid
from reviewer.geometry.reslice import Cut
from reviewer.scene import DoseLayer, Isodose, Layer, Scene, view_planes

GRID = Grid(np.eye(3), (0.0, 0.0), (1.0, 1.0), (40, 30), np.arange(10) * 2.0, "f")
EYE = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))


def image_of(values=0, **changes):
    return Image("i", "CT", "CT", GRID, np.full(GRID.shape_zyx, values, np.int16), **changes)


# -- compose ------------------------------------------------------------------------------------------------------------


def cut_of(values, x_mm=None, y_mm=None, inside=None):
    """Samples 1 mm apart (or where told), that hold half a millimetre beyond the outermost."""
    values = np.atleast_2d(np.asarray(values, np.float32))
    y_mm = np.arange(values.shape[0]) * 1.0 if y_mm is None else np.asarray(y_mm)
    x_mm = np.arange(values.shape[1]) * 1.0 if x_mm is None else np.asarray(x_mm)
    reach = (x_mm[0] - 0.5, x_mm[-1] + 0.5), (y_mm[0] - 0.5, y_mm[-1] + 0.5)
    return compose.known(Cut(x_mm, y_mm, values, inside, *reach))


def of_values(values, inside=None):
    """A source with one sample to a pixel."""
    made = cut_of(values, inside=inside)
    return compose.source(made, (0.0, 0.0), 1.0, made.values.shape[::-1])


def grey_levels(values):
    """An image that is shown as it is: 0 is black, 255 white."""
    return compose.Toned(of_values(values), 1.0, 0.0)


def channels(colours):
    """(rows, columns, 3) red, green, blue."""
    assert (colours >> 24 == 0xFF).all()
    return np.stack([colours >> shift & 0xFF for shift in (16, 8, 0)], axis=-1).astype(int)


@pytest.fixture(params=[compose.painted, fused.painted], ids=["plain", "compiled"])
def paint(request):
    """The picture of a base, and what else there may be."""

    def painted(base, over=None, shown=None, dose=None):
        size = len(base.source.column), len(base.source.row)
        over = over or compose.Toned(compose.no_source(size), 1.0, 0.0)
        return channels(
            request.param(base, over, shown or compose.everywhere(size, 1.0), dose or compose.no_tint(size))
        )

    return painted


def test_the_window_maps_its_ends_to_black_and_white_and_its_level_to_mid_grey(paint):
    samples = of_values([-1000, -140, 60, 260, 3000, 160])
    picture = paint(compose.toned(samples, image_of(), Window(60, 400)))
    assert picture[0].tolist() == [[v] * 3 for v in (0, 0, 128, 255, 255, 191)]


def test_slope_and_intercept_come_before_the_window(paint):
    image = image_of(slope=2.0, intercept=-1024)
    picture = paint(compose.toned(of_values([0, 512, 1024]), image, Window(0, 2048)))
    assert picture[0, :, 0].tolist() == [0, 128, 255]


def test_blending_mixes_only_where_the_overlay_is_known(paint):
    base = grey_levels(np.full((2, 3), 100))
    over = compose.Toned(of_values(np.full((2, 3), 200), np.array([[True, True, False], [True, True, True]])), 1.0, 0.0)
    assert paint(base, over, compose.everywhere((3, 2), 0.25))[..., 0].tolist() == [[125, 100, 100], [125, 125, 125]]
    over = grey_levels(np.full((2, 3), 200))
    assert (paint(base, over, compose.everywhere((3, 2), 0.25)) == 125).all()
    assert (paint(base, over, compose.everywhere((3, 2), 0.0)) == 100).all()


def test_the_shapes_in_which_an_overlay_shows(paint):
    base, over = grey_levels(np.zeros((6, 8))), grey_levels(np.ones((6, 8)))

    def shown(shares):
        return paint(base, over, shares)[..., 0]

    assert shown(compose.right_of((8, 6), 5)).tolist() == [[0] * 5 + [1] * 3] * 6
    assert shown(compose.right_of((8, 6), -3)).all()
    circle = shown(compose.in_circle((8, 6), (4.0, 3.0), 2.0))
    assert circle[3, 4]
    assert not circle[0, 0]
    assert circle.sum() == 12  # pixel centres within 2 of the middle: 2 + 4 + 4 + 2
    squares = shown(compose.in_squares((8, 6), (0, 0), 2))
    assert squares[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert np.array_equal(squares[2:4], 1 - squares[0:2])
    assert np.array_equal(shown(compose.in_squares((8, 6), (2, 0), 2)), 1 - squares)  # fixed to the view


def test_the_wash_is_transparent_below_the_lowest_level_and_where_the_dose_is_unknown(paint):
    levels = (Isodose(20.0, (0, 0, 255)), Isodose(40.0, (255, 0, 0)))
    gray = of_values([19.99, 20.0, 30.0, 40.0, 90.0, 99.0, 50.0], np.array([[True] * 6 + [False]]))
    row = paint(grey_levels([100] * 7), dose=compose.tinted(gray, levels, 0.5))[0]
    assert row[0].tolist() == [100] * 3
    assert row[6].tolist() == [100] * 3
    assert row[1].tolist() == pytest.approx([50, 50, 178], abs=1)
    assert row[2].tolist() == pytest.approx([114, 50, 114], abs=1)
    assert row[3].tolist() == pytest.approx([178, 50, 50], abs=1)
    assert row[4].tolist() == row[3].tolist()


def test_between_the_samples_a_picture_is_linear_also_where_planes_are_uneven(paint):
    """A plane a x + b y + c is reproduced by linear interpolation whatever the distances of the samples; at the border the end value holds."""
    x, y = np.array([0.0, 1.0, 4.0, 6.0]), np.array([0.0, 3.0, 5.0])
    made = cut_of(20 * x[None, :] + 15 * y[:, None] + 10, x, y)
    start, step, size = (-0.9, -0.3), 0.3, (26, 20)
    picture = paint(compose.Toned(compose.source(made, start, step, size), 1.0, 0.0))[..., 0]
    px, py = (s + step * np.arange(n) for s, n in zip(start, size, strict=True))
    wanted = 20 * px.clip(0, 6)[None, :] + 15 * py.clip(0, 5)[:, None] + 10
    wanted[(py < -0.5) | (py > 5.5)] = 0
    wanted[:, (px < -0.5) | (px > 6.5)] = 0
    assert np.abs(picture - wanted).max() <= 0.51


def test_a_picture_smaller_than_its_voxels_is_their_mean(paint):
    values = np.random.default_rng(3).integers(0, 255, (12, 16)).astype(np.float32)
    samples = compose.source(cut_of(values), (0.5, 0.5), 2.0, (8, 6), smooth=True)
    wanted = values.reshape(6, 2, 8, 2).mean(axis=(1, 3))
    assert np.abs(paint(compose.Toned(samples, 1.0, 0.0))[..., 0] - wanted).max() <= 0.51


def test_next_to_an_unknown_sample_nothing_is_known_but_on_a_sample_itself(paint):
    inside = np.ones((1, 5), bool)
    inside[0, 3] = False
    samples = compose.source(cut_of([[80.0] * 5], inside=inside), (0.0, 0.0), 0.5, (9, 1))
    assert paint(compose.Toned(samples, 1.0, 0.0))[0, :, 0].tolist() == [80] * 4 + [0] * 4 + [80]


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.floats(0.2, 3.0), st.integers(1, 40), st.integers(1, 30), st.booleans(), st.booleans())
def test_the_compiled_picture_is_the_plain_one(seed, step, columns, rows, smooth, two_hands):
    rng = np.random.default_rng(seed)

    def any_source():
        h, w = rng.integers(1, 9, 2)
        x, y = (np.cumsum(rng.uniform(0.4, 3, n)) for n in (w, h))
        made = cut_of(rng.uniform(-50, 300, (h, w)), x, y, rng.random((h, w)) < 0.8)
        return compose.source(made, tuple(rng.uniform(-2, 6, 2)), step, (columns, rows), smooth)

    over = compose.Toned(any_source(), -1.0, 255.0)
    shown = compose.in_circle((columns, rows), (columns / 2, rows / 2), 6.0)
    dose = compose.tinted(any_source(), (Isodose(20.0, (0, 90, 255)), Isodose(200.0, (255, 0, 0))), 0.4)
    given_ = compose.Toned(any_source(), 0.7, 20.0), over, shown, dose
    with mock.patch.object(fused, "WORTH_A_THREAD", 1 if two_hands else 10**6):
        apart = channels(fused.painted(*given_)) - channels(compose.painted(*given_))
    assert np.abs(apart).max() <= 1  # a value halfway between two


# -- layers -------------------------------------------------------------------------------------------------------------


def scene_of(image, **more):
    return Scene(view_planes(GRID), Layer(image, EYE, Window(500, 1000)), **more)


def port_of(orientation="axial", size=(40.0, 30.0), scale=1.0, ratio=1.0, position=8.0, slices=None):
    slices = slices or Slices.of(GRID, view_planes(GRID)[orientation])
    return Viewport(slices.plane, position, slices.centre_mm, scale, size, ratio), slices


@pytest.mark.parametrize("ratio", [1.0, 1.25, 2.0])
def test_a_voxel_is_painted_where_it_lies_at_every_device_pixel_ratio(ratio):
    image = image_of()
    image.voxels[4, 10, 25] = 1000
    port, slices = port_of(ratio=ratio, size=(400.0, 300.0), scale=0.1)
    picture = Layers().picture(scene_of(image), slices, port, None, True)
    grey = picture.pixels[..., 0]
    bright = np.argwhere(grey == grey.max())
    middle = (bright.mean(axis=0)[::-1] + 0.5 + picture.lattice.corner) / ratio
    assert port.plane_mm(tuple(middle)) == pytest.approx((25, 10), abs=0.06 / ratio)


def test_steps_are_reused_when_only_the_window_or_the_blend_changes():
    layers, image, other = Layers(), image_of(300), image_of(700)
    port, slices = port_of()
    scene = scene_of(image, overlay=Layer(other, EYE, Window(500, 1000)), blend=0.5)
    first = layers.picture(scene, slices, port, None, True)
    assert layers.picture(scene, slices, port, None, True) is first
    assert first.pixels[15, 20, 0] == pytest.approx((0.3 + 0.7) / 2 * 255, abs=1)
    image.voxels[:] = 0  # nothing reads the voxels again
    brighter = Scene(scene.planes, Layer(image, EYE, Window(300, 600)), scene.overlay, blend=0.0)
    assert layers.picture(brighter, slices, port, None, True).pixels[15, 20, 0] == 128
    layers.arrived(image.id)
    assert layers.picture(brighter, slices, port, None, True).pixels[15, 20, 0] == 0


def test_planes_that_have_not_arrived_show_nothing_of_the_overlay():
    pending = np.zeros(10, bool)
    pending[4] = True
    other = Image("o", "MR", "MR", GRID, np.full(GRID.shape_zyx, 900, np.int16), pending=pending)
    scene = scene_of(image_of(300), overlay=Layer(other, EYE, Window(500, 1000)), blend=1.0)
    port, slices = port_of()
    assert Layers().picture(scene, slices, port, None, True).pixels[15, 20, 0] == pytest.approx(77, abs=1)
    port, _ = port_of(position=10.0)
    assert Layers().picture(scene, slices, port, None, True).pixels[15, 20, 0] == pytest.approx(230, abs=1)


def test_isodose_lines_lie_where_the_dose_is_and_stop_where_the_grid_ends():
    """A dose that rises 1 Gy per mm from left to right: the line of 12.5 Gy stands at x = 12.5 mm, from end to end of the dose grid."""
    grid = Grid(np.eye(3), (5.0, 5.0), (2.0, 3.0), (12, 5), np.arange(10) * 2.0, "f")
    gray = np.broadcast_to(5.0 + 2.0 * np.arange(12), grid.shape_zyx).astype(np.float32)
    dose = DoseLayer(
        Dose("d", "dose", grid, gray), EYE, (Isodose(12.5, (1, 2, 3)), Isodose(99.0, (0, 0, 0))), True, True, 0.5
    )
    port, slices = port_of()
    lines = Layers().isodose_lines(dose, slices, port)
    assert [line.gy for line in lines] == [12.5]
    (piece,) = lines[0].pieces
    assert np.allclose(piece[:, 0], 12.5)
    assert sorted(piece[[0, -1], 1].tolist()) == [5.0, 17.0]


def test_the_wash_covers_what_reaches_the_level_and_nothing_else():
    grid = Grid(np.eye(3), (5.0, 5.0), (2.0, 3.0), (12, 5), np.arange(10) * 2.0, "f")
    gray = np.broadcast_to(5.0 + 2.0 * np.arange(12), grid.shape_zyx).astype(np.float32)
    dose = DoseLayer(Dose("d", "dose", grid, gray), EYE, (Isodose(12.5, (255, 0, 0)),), True, True, 1.0)
    port, slices = port_of(size=(400.0, 300.0), scale=0.1)
    picture = Layers().picture(scene_of(image_of(500), dose=dose), slices, port, None, True)
    red = (picture.pixels[..., 2] == 255) & (picture.pixels[..., 0] == 0)
    rows, columns = np.nonzero(red)
    x0, y0 = port.plane_mm((columns.min() + picture.lattice.corner[0], rows.min() + picture.lattice.corner[1]))
    x1, y1 = port.plane_mm((columns.max() + 1 + picture.lattice.corner[0], rows.max() + 1 + picture.lattice.corner[1]))
    assert (x0, y0, x1, y1) == pytest.approx((12.5, 3.5, 28.0, 18.5), abs=0.11)


# -- where things are ---------------------------------------------------------------------------------------------------


@given(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.05, 5), st.floats(-50, 50), st.floats(1, 3000))
def test_pixels_and_millimetres_are_each_others_inverse(x, y, scale, middle, width):
    port = Viewport(view_planes(GRID)["coronal"], 3.0, (middle, -middle), scale, (width, 500.0))
    assert port.plane_mm(port.pixel((x, y))) == pytest.approx((x, y), abs=1e-6)
    assert port.projected(port.point_mm((x, y))) == pytest.approx((x, y), abs=1e-9)


@pytest.mark.parametrize("orientation", ["axial", "sagittal", "coronal"])
@pytest.mark.parametrize(
    "axes",
    [
        np.eye(3),
        np.diag([-1.0, -1.0, 1.0]),  # prone: rows run to the right, columns to the front
        np.diag([-1.0, 1.0, -1.0]),  # feet first: rows run to the right, the stack to the feet
        np.array([[0.0, 1, 0], [0, 0, -1], [-1, 0, 0]]),  # acquired sagittally
    ],
)
def test_slices_count_towards_left_back_and_head_whatever_the_acquisition(orientation, axes):
    grid = Grid(axes, (-20.0, -10.0), (1.0, 2.0), (41, 11), np.array([-5.0, -2.0, 4.0, 5.0]), "f")
    slices = Slices.of(grid, view_planes(grid)[orientation])
    assert np.all(np.diff(slices.positions_mm) > 0)
    normal = np.array(slices.plane.normal)
    centres = grid.point_of_index_mm(np.argwhere(np.ones(grid.shape_zyx))) @ normal
    assert np.allclose(np.unique(np.round(centres, 6)), slices.positions_mm)
    letters = Viewport(slices.plane, 0.0, (0.0, 0.0), 1.0, (10.0, 10.0)).letters
    assert (
        letters
        == {"axial": ("R", "L", "A", "P"), "sagittal": ("A", "P", "H", "F"), "coronal": ("R", "L", "H", "F")}[
            orientation
        ]
    )


def test_fitting_centres_the_box_and_leaves_a_border():
    camera = fitting((0.0, 0.0, 200.0, 100.0), (50.0, 50.0), (400.0, 400.0))
    assert camera.centre_mm == (50.0, 0.0)
    assert 200 / camera.mm_per_pixel == pytest.approx(400 * 0.94)


# -- words --------------------------------------------------------------------------------------------------------------


def overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@pytest.mark.parametrize("size", [(120.0, 100.0), (200.0, 160.0), (300.0, 250.0), (640.0, 400.0), (1280.0, 800.0)])
def test_no_word_lies_on_another_and_refusals_stay(size):
    image = Image(
        "i", "MR", "TrueFISP breath-hold of the day", GRID, np.zeros(GRID.shape_zyx, np.int16), date="2025-03-01"
    )
    dose = Dose("d", "LIV_50_5 adapted", GRID, np.zeros(GRID.shape_zyx, np.float32))
    scene = scene_of(
        image,
        overlay=Layer(image, EYE, Window(500, 1000)),
        dose=DoseLayer(dose, EYE, (), True, True, 0.3),
        contour_refusal="structures RS of the planning CT are not registered to this image",
    )
    port, slices = port_of(size=size)
    facts = facts_of(scene, slices, port, 1.7, "41 HU  over 380  23.4 Gy", complete=False)
    shown = placed(facts, Room(size), lambda text: 7.0 * len(text), 15.0)
    boxes = [p.box for p in shown]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if overlap(a, b)]
    assert all(x >= 0 and y >= 0 and x + w <= size[0] and y + h <= size[1] for x, y, w, h in boxes)
    assert {"image", "refusal 2", "late"} <= {p.fact.name for p in shown}
    if size[0] >= 300:
        assert {p.fact.name for p in shown} >= {"position", "window", "left", "right", "top", "bottom"}
    if size[0] >= 640:
        assert {p.fact.name for p in shown} >= {f.name for f in facts}


def test_what_is_said_of_a_picture():
    image = Image(
        "i", "MR", "TrueFISP", GRID, np.zeros(GRID.shape_zyx, np.int16), date="2025-03-01", field_strength_t=0.35
    )
    port, slices = port_of(position=8.0)
    texts = {f.name: f.texts[0] for f in facts_of(scene_of(image), slices, port, 1.0, "")}
    assert texts["image"] == "TrueFISP · MR 0.35 T · 2025-03-01"
    assert texts["position"] == "H 8.0 mm   5/10"
    assert texts["window"] == "W 1000  L 500"
    port, slices = port_of(position=0.0)
    low = Viewport(port.plane, -12.0, port.middle_mm, 1.0, (400.0, 300.0))
    assert {f.name: f.texts[0] for f in facts_of(scene_of(image), slices, low, 1.0, "")}["position"].startswith(
        "F 12.0 mm"
    )


def test_a_text_that_is_too_long_ends_with_dots():
    assert cut_short("abcdef", 4, len) == "abc…"
    assert cut_short("abc", 4, len) == "abc"
    assert cut_short("abc", 0, len) == ""


def test_a_fact_without_room_is_left_out_but_a_warning_is_not():
    room = Room((100.0, 40.0))
    shown = placed(
        [Fact("a", "top left", ("x" * 30,)), Fact("b", "top left", ("y" * 30,), "caution", must=True)],
        room,
        lambda t: 7.0 * len(t),
        12.0,
    )
    assert [(p.fact.name, p.text) for p in shown] == [("b", "y" * 11 + "…")]


def test_a_letter_steps_aside_before_it_leaves_its_line():
    def where(taken: float) -> tuple[float, float]:
        room = Room((200.0, 100.0))
        room.take((0.0, 80.0, taken, 12.0))
        (letter,) = placed([Fact("bottom", "bottom", ("F",))], room, lambda t: 10.0 * len(t), 12.0)
        return letter.box[0], letter.box[1]

    assert where(71.0) == (95.0, 80.0)  # in the middle
    assert where(72.0) == (103.0, 80.0)  # 24 pixels are kept, so that it is not read as the end of the words beside it
    assert where(200.0) == (95.0, 68.0)  # no room to either side: one line up


def test_the_scale_bar_is_as_long_as_it_says():
    length, label = scale_bar(0.5, 120.0)
    assert (length, label) == (100.0, "5 cm")
    assert scale_bar(5.0, 120.0) == (40.0, "20 cm")
    assert scale_bar(0.01, 120.0)[1] == "0.1 cm"


# -- hands --------------------------------------------------------------------------------------------------------------


@dataclass
class Table:
    """A desk that only remembers."""

    camera: tuple = (0.5, (10.0, 20.0))
    windows: dict = field(default_factory=lambda: {False: (60.0, 400.0), True: (300.0, 600.0)})
    point: tuple = ()
    swipe: float = 0.0

    def level_and_width(self, overlay):
        return self.windows[overlay]

    def set_window(self, overlay, level, width):
        self.windows[overlay] = (level, width)

    def point_to(self, point_mm):
        self.point = point_mm

    def swipe_to(self, pixel_x):
        self.swipe = pixel_x


def touch(x, y, button="left", *keys):
    return Touch((x, y), (x * 0.5, y * 0.5), (x * 0.5, y * 0.5, 7.0), button, frozenset(keys))


def test_panning_moves_the_picture_with_the_pointer_and_cancel_puts_it_back():
    desk = Table()
    hand = Pan(desk)
    hand.press(touch(100, 100))
    hand.drag(touch(120, 90))
    assert desk.camera == (0.5, (0.0, 25.0))
    hand.cancel()
    assert desk.camera == (0.5, (10.0, 20.0))


def test_zooming_up_enlarges_about_the_point_that_was_pressed():
    desk = Table()
    hand = Zoom(desk)
    start = touch(100, 100)
    hand.press(start)
    hand.drag(touch(100, 0))
    scale, middle = desk.camera
    assert scale == pytest.approx(0.5 / np.exp(0.5))
    before = (np.array(start.plane_mm) - (10.0, 20.0)) / 0.5
    assert (np.array(start.plane_mm) - middle) / scale == pytest.approx(before)


def test_window_level_widens_to_the_right_and_brightens_upwards_for_base_or_overlay():
    desk = Table()
    hand = WindowLevel(desk)
    hand.press(touch(0, 0))
    hand.drag(touch(125, -25))
    assert desk.windows[False] == pytest.approx((20.0, 600.0))
    hand.drag(touch(-9999, 0))
    assert desk.windows[False][1] > 0
    hand.cancel()
    assert desk.windows[False] == (60.0, 400.0)
    hand = WindowLevel(desk)
    hand.press(touch(0, 0, "left", "shift", "alt"))
    hand.release(touch(250, 0))
    assert desk.windows == {False: (60.0, 400.0), True: pytest.approx((300.0, 1200.0))}


def test_a_distance_is_drawn_by_a_drag_but_not_by_a_click_and_cancel_leaves_the_others():
    ruler = Ruler()
    for end in ((100, 60), (1, 1)):
        hand = Measuring(ruler)
        hand.press(touch(0, 0))
        hand.drag(touch(*end))
        assert len(ruler.shown) == len(ruler.drawn) + 1
        hand.release(touch(*end))
    assert [d.length_mm for d in ruler.drawn] == pytest.approx([np.hypot(50, 30)])
    hand = Measuring(ruler)
    hand.press(touch(0, 0))
    hand.drag(touch(50, 50))
    hand.cancel()
    assert len(ruler.shown) == 1
    assert Distance((0, 0, 0), (1, 2, 2)).length_mm == 3


def test_one_hand_at_a_time():
    desk = Table()
    machine = Interaction(
        [
            Rule(lambda t: t.button == "middle", lambda: Pan(desk)),
            Rule(lambda t: t.button == "left", lambda: Swipe(desk)),
        ]
    )
    assert not machine.move(touch(5, 5))
    assert not machine.press(touch(0, 0, "right"))
    assert machine.press(touch(0, 0, "left"))
    assert not machine.press(touch(0, 0, "middle"))
    assert machine.move(touch(30, 0, None))
    assert not machine.release(touch(30, 0, "middle"))
    assert machine.release(touch(40, 0, "left"))
    assert (desk.swipe, machine.held) == (40, None)
    machine.press(touch(10, 0, "left"))
    machine.move(touch(90, 0, None))
    assert machine.cancel()
    assert desk.swipe == 10
    assert not machine.cancel()
