"""DICOM SEG as structures: frames written by pydicom alone, by highdicom, and by this program."""

from __future__ import annotations

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
import shapely
from dicom_samples import FRAME, SERIES, base, item, save, write_stack
from highdicom.seg import Segmentation, SegmentDescription
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from reviewer.case import Case, Image, Patient, Structure, StructureSet
from reviewer.cli import main
from reviewer.dicom.segmentation import _colour
from reviewer.dicom.write import fresh_uid
from reviewer.errors import InputError
from reviewer.export import Formats, export
from reviewer.geometry.grid import Grid
from reviewer.geometry.solid import solid
from reviewer.opening import open_case

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
ROWS, COLUMNS, ROW_MM, COLUMN_MM = 6, 8, 2.0, 1.5
PIXEL = ROW_MM * COLUMN_MM
POSITIONS = [0.0, 3.0, 6.0, 9.0, 12.0]
RNG = np.random.default_rng(7)


def frame(
    mask, z, segment=1, *, origin=(-10.0, -20.0), orientation=(1, 0, 0, 0, 1, 0), spacing=(ROW_MM, COLUMN_MM), **tags
):
    """One frame at a position: (pixels, its functional groups)."""
    place = (*origin, z) if np.isscalar(z) else z
    group = item(
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)],
        PlanePositionSequence=[item(ImagePositionPatient=list(place))],
        PlaneOrientationSequence=[item(ImageOrientationPatient=list(orientation))],
        PixelMeasuresSequence=[item(PixelSpacing=list(spacing), SliceThickness=3.0)],
    )
    return np.asarray(mask), item(**{**{e.keyword: e.value for e in group}, **tags})


def segmentation(frames, names=("Liver",), kind="BINARY", **tags) -> Dataset:
    ds = base(SEG, "SEG", SeriesDescription="Auto", SegmentationType=kind)
    ds.ReferencedSeriesSequence = [item(SeriesInstanceUID=SERIES)]
    ds.SegmentSequence = [item(SegmentNumber=n, SegmentLabel=name) for n, name in enumerate(names, start=1)]
    ds.PerFrameFunctionalGroupsSequence = [group for _, group in frames]
    values = np.stack([mask for mask, _ in frames])
    ds.NumberOfFrames, ds.Rows, ds.Columns = values.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if kind == "BINARY" else 8 * values.dtype.itemsize
    ds.BitsAllocated = ds.BitsStored = bits
    ds.HighBit = bits - 1
    data = np.packbits(values.ravel().astype(bool), bitorder="little").tobytes() if bits == 1 else values.tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OB" if bits < 16 else "OW"
    for keyword, value in tags.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def opened(folder: Path, ds: Dataset, *, images: bool = True) -> Case:
    if images:
        write_stack(folder / "ct", POSITIONS)
    else:
        folder.mkdir(exist_ok=True)
    save(ds, folder / "seg.dcm")
    return open_case([folder])


def area_of_pixels(mask, z, *, origin=(-10.0, -20.0)) -> shapely.Geometry:
    """The union of the set pixels as boxes, for an upright axial frame."""
    boxes = [
        shapely.box(x - COLUMN_MM / 2, y - ROW_MM / 2, x + COLUMN_MM / 2, y + ROW_MM / 2)
        for row, column in np.argwhere(mask)
        for x, y in [(origin[0] + column * COLUMN_MM, origin[1] + row * ROW_MM)]
    ]
    return shapely.union_all(boxes)


def assert_planes(structure: Structure, expected: dict[float, np.ndarray], **where) -> None:
    """expected: z -> mask."""
    found = {round(float(structure.grid.positions_mm[k]), 3): region for k, region in structure.planes.items()}
    assert found.keys() == expected.keys()
    for z, mask in expected.items():
        assert found[z].symmetric_difference(area_of_pixels(mask, z, **where)).area < 1e-6


def lines_of(case: Case) -> str:
    return "\n".join(p.message for p in case.problems)


def test_frames_in_any_order_with_empty_ones_missing_and_segments_that_overlap(tmp_path):
    """48 bits a frame are no whole bytes of 7 x 7, so that frames begin inside of a byte there: taken here with 6 x 7 of 8 columns."""
    masks = {(n, z): RNG.random((ROWS, COLUMNS)) < 0.5 for n in (1, 2) for z in (0.0, 3.0, 9.0)}
    order = [(2, 9.0), (1, 3.0), (2, 0.0), (1, 9.0), (1, 0.0), (2, 3.0)]
    case = opened(tmp_path, segmentation([frame(masks[key], key[1], key[0]) for key in order], ("Liver", "GTV")))
    (group,) = case.structure_sets
    assert (group.label, group.image_id, [s.name for s in group.structures]) == ("Auto", SERIES, ["Liver", "GTV"])
    for n, structure in enumerate(group.structures, start=1):
        assert structure.grid is case.images[0].grid
        assert_planes(structure, {z: masks[n, z] for z in (0.0, 3.0, 9.0)})


def test_frames_that_begin_within_a_byte(tmp_path):
    """7 x 5 pixels are 35 bits."""
    masks = [RNG.random((7, 5)) < 0.5 for _ in POSITIONS]
    case = opened(tmp_path, segmentation([frame(m, z) for m, z in zip(masks, POSITIONS, strict=True)]))
    assert_planes(case.structures[0], dict(zip(POSITIONS, masks, strict=True)))
    assert case.structures[0].image_id == SERIES  # other pixels, but the same planes


@pytest.mark.parametrize("kind", ["OCCUPANCY", "PROBABILITY"])
def test_a_fractional_voxel_counts_from_one_half_on(tmp_path, kind):
    values = RNG.integers(0, 201, (ROWS, COLUMNS)).astype(np.uint8)
    values[0, :3] = 99, 100, 101
    ds = segmentation(
        [frame(values, 3.0)], kind="FRACTIONAL", MaximumFractionalValue=200, SegmentationFractionalType=kind
    )
    case = opened(tmp_path, ds)
    assert_planes(case.structures[0], {3.0: values >= 100})
    assert "of one half on" in lines_of(case)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_label_map_holds_numbers_of_segments(tmp_path, kind):
    values = RNG.integers(0, 4, (ROWS, COLUMNS)).astype(kind)
    pixels, group = frame(values, 3.0)
    del group.SegmentIdentificationSequence
    ds = segmentation([(pixels, group)], ("Liver", "GTV"), "LABELMAP", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.7")
    ds.PhotometricInterpretation = "PALETTE COLOR"
    case = opened(tmp_path, ds)
    for n, structure in enumerate(case.structures, start=1):
        assert_planes(structure, {3.0: values == n})
    assert "segment 3 was left out: the segmentation does not describe it" in lines_of(case)


def test_planes_of_its_own(tmp_path):
    """Between the slices; twice as thick as they; without an image at all: always where the file says."""
    mask = RNG.random((ROWS, COLUMNS)) < 0.5
    off = opened(tmp_path / "off", segmentation([frame(mask, z) for z in (1.0, 2.0, 5.0)]))
    assert_planes(off.structures[0], {1.0: mask, 2.0: mask, 5.0: mask})
    assert off.structures[0].grid.positions_mm.tolist() == [1, 2, 3, 4, 5]
    assert "do not lie on the slices of the image" in lines_of(off)
    thick = [item(PixelSpacing=[ROW_MM, COLUMN_MM], SliceThickness=6.0, SpacingBetweenSlices=6.0)]
    frames = [frame(mask, z, PixelMeasuresSequence=thick) for z in (0.0, 6.0, 12.0)]
    coarse = opened(tmp_path / "coarse", segmentation(frames))
    assert coarse.structures[0].grid.positions_mm.tolist() == [0, 6, 12]
    body = solid(coarse.structures[0])
    assert body.volume_mm3 == pytest.approx(mask.sum() * PIXEL * 18)
    alone = opened(tmp_path / "alone", segmentation([frame(mask, z) for z in (0.0, 3.0, 9.0)]), images=False)
    assert_planes(alone.structures[0], {0.0: mask, 3.0: mask, 9.0: mask})
    assert alone.structures[0].grid.positions_mm.tolist() == [0, 3, 6, 9]
    assert alone.structures[0].image_id is None


def test_every_other_slice_of_an_image_is_marked(tmp_path):
    """Slices as thick as the image's own, with empty ones between: they are no slices of twice the thickness."""
    mask = np.ones((ROWS, COLUMNS), bool)
    case = opened(tmp_path, segmentation([frame(mask, z) for z in (0.0, 6.0)]))
    assert case.structures[0].image_id == SERIES
    assert solid(case.structures[0]).volume_mm3 == pytest.approx(2 * mask.sum() * PIXEL * 3.0)


def test_a_tilted_segmentation_keeps_its_planes(tmp_path):
    """Frames turned by 30 degrees about x; the corner of every set pixel is found again at its patient position."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    normal = np.array([0, -s, c])
    mask = np.zeros((ROWS, COLUMNS), bool)
    mask[2, 3] = True
    frames = [
        frame(mask, np.array([-10.0, -20.0, 4.0]) + 3 * k * normal, orientation=(1, 0, 0, 0, c, s)) for k in range(3)
    ]
    case = opened(tmp_path, segmentation(frames))
    (structure,) = case.structures
    assert structure.image_id is None
    for k, region in structure.planes.items():
        centre = structure.grid.point_mm([region.centroid.x, region.centroid.y, structure.grid.positions_mm[k]])
        expected = np.array([-10.0, -20.0, 4.0]) + 3 * k * normal + 3 * COLUMN_MM * np.array([1, 0, 0])
        assert centre == pytest.approx(expected + 2 * ROW_MM * np.array([0, c, s]), abs=1e-6)


def test_a_frame_turned_in_its_plane_lies_on_the_same_slices(tmp_path):
    """Rows run to the right, columns to the front: the same plane from the other corner."""
    mask = RNG.random((ROWS, COLUMNS)) < 0.5
    corner = (-10.0 + (COLUMNS - 1) * COLUMN_MM, -20.0 + (ROWS - 1) * ROW_MM)
    turned = frame(mask[::-1, ::-1], 3.0, origin=corner, orientation=(-1, 0, 0, 0, -1, 0))
    case = opened(tmp_path, segmentation([turned]))
    assert case.structures[0].image_id == SERIES
    assert_planes(case.structures[0], {3.0: mask})


def test_frames_that_only_name_their_slices(tmp_path):
    """Neither frame of reference nor positions: those of the image that each frame was drawn on."""
    files = write_stack(tmp_path / "ct", POSITIONS)
    uids = {float(d.ImagePositionPatient[2]): d.SOPInstanceUID for d in map(pydicom.dcmread, files)}
    mask = RNG.random((ROWS, COLUMNS)) < 0.5
    frames = []
    for z in (3.0, 9.0):
        pixels, group = frame(mask, z)
        source = item(SourceImageSequence=[item(ReferencedSOPInstanceUID=uids[z])])
        segment = group.SegmentIdentificationSequence
        frames.append((pixels, item(SegmentIdentificationSequence=segment, DerivationImageSequence=[source])))
    ds = segmentation(frames, FrameOfReferenceUID=None)
    save(ds, tmp_path / "seg.dcm")
    case = open_case([tmp_path])
    assert_planes(case.structures[0], {3.0: mask, 9.0: mask})
    assert (case.structures[0].image_id, case.structures[0].grid.frame_of_reference_uid) == (SERIES, FRAME)
    (tmp_path / "alone").mkdir()
    save(ds, tmp_path / "alone" / "seg.dcm")
    with pytest.raises(InputError, match="the images that they were drawn on are not there"):
        open_case([tmp_path / "alone"])


def test_another_frame_of_reference_is_not_laid_on_the_image(tmp_path):
    mask = np.ones((ROWS, COLUMNS), bool)
    case = opened(tmp_path, segmentation([frame(mask, 3.0)], FrameOfReferenceUID="1.2.3"))
    assert case.structures[0].image_id is None
    assert "in another frame of reference than the image referred to" in lines_of(case)


BAD = {
    "frames without segment": ({"SegmentIdentificationSequence": []}, {}, "does not say of which segment"),
    "no position": ({"PlanePositionSequence": []}, {}, "position, orientation or pixel spacing of frame 1"),
    "no segments": ({}, {"SegmentSequence": []}, "describes no segments"),
    "fewer pixels": ({}, {"NumberOfFrames": 9}, "ends early"),
    "fewer groups": ({}, {"PerFrameFunctionalGroupsSequence": []}, "has 1 frames, but describes 0"),
    "spacing of zero": (
        {"PixelMeasuresSequence": [item(PixelSpacing=[0, 1])]}, {}, "is not that of a patient",
    ),
    "position of no patient": (
        {"PlanePositionSequence": [item(ImagePositionPatient=[0, 0, 1e9])]}, {}, "is not that of a patient",
    ),
    "fractional of nothing": ({}, {"SegmentationType": "FRACTIONAL"}, "MaximumFractionalValue"),
    "a slide": ({}, {"TotalPixelMatrixColumns": 9}, "of a slide"),
}  # fmt: skip


@pytest.mark.parametrize(("of_frame", "of_file", "said"), BAD.values(), ids=BAD.keys())
def test_bad_files_are_a_sentence(tmp_path, of_frame, of_file, said):
    case = opened(tmp_path, segmentation([frame(np.ones((ROWS, COLUMNS), bool), 3.0, **of_frame)], **of_file))
    assert case.structure_sets == ()
    assert said in lines_of(case)


def test_two_frames_in_one_place(tmp_path):
    """Alike they are one; unlike, nobody knows which of them counts."""
    one, other = RNG.random((2, ROWS, COLUMNS)) < 0.5
    frames = [frame(one, 3.0), frame(one, 3.0), frame(one, 3.0, 2), frame(other, 3.0, 2)]
    case = opened(tmp_path, segmentation(frames, ("Liver", "GTV")))
    assert_planes(case.structures[0], {3.0: one})
    assert case.structures[1].empty
    assert "segment 2 has different frames in one place" in lines_of(case)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_what_highdicom_writes(tmp_path, kind):
    """Frames of other software, compressed where it can."""
    sources = [pydicom.dcmread(f) for f in write_stack(tmp_path / "ct", POSITIONS)]
    sources.sort(key=lambda ds: float(ds.ImagePositionPatient[2]))
    for ds in sources:
        ds.StudyID = ds.AccessionNumber = ds.StudyTime = ds.PatientBirthDate = ds.PatientSex = ""
        ds.ReferringPhysicianName = ds.PositionReferenceIndicator = ""
    labels = RNG.integers(0, 3, (len(POSITIONS), ROWS, COLUMNS)).astype(np.uint8)
    labels[2] = 0
    organ = codes.SCT.AnatomicalStructure, codes.SCT.Liver
    target = codes.cid9580.RTTarget, codes.cid9534.GTV
    described = [
        SegmentDescription(n, name, *what, "MANUAL", display_color=highdicom.color.CIELabColor.from_rgb(*rgb))
        for n, name, what, rgb in ((1, "Leber", organ, (10, 200, 30)), (2, "Tumor", target, (255, 0, 0)))
    ]
    values = labels if kind != "FRACTIONAL" else np.stack([labels == 1, labels == 2], axis=-1).astype(np.float32)
    ds = Segmentation(
        sources, values, kind, described, fresh_uid(), 1, fresh_uid(), 1, "M", "M", "1", "1",
        transfer_syntax_uid="1.2.840.10008.1.2.5" if kind != "BINARY" else "1.2.840.10008.1.2.1",
    )  # fmt: skip
    ds.save_as(tmp_path / "seg.dcm")
    case = open_case([tmp_path])
    found = [(s.name, s.type, s.colour, s.number) for s in case.structures]
    assert found == [("Leber", "ORGAN", (10, 200, 30), 1), ("Tumor", "GTV", (255, 0, 0), 2)]
    for structure in case.structures:
        planes = {z: labels[k] == structure.number for k, z in enumerate(POSITIONS) if k != 2}
        assert_planes(structure, planes)


@settings(max_examples=300)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_come_back(rgb):
    """Against highdicom's own way there."""
    lab = highdicom.color.CIELabColor.from_rgb(*rgb).value
    assert _colour(item(RecommendedDisplayCIELabValue=list(lab))) == rgb


@pytest.mark.parametrize("fractional", [False, True])
def test_an_export_comes_back_as_it_was(tmp_path, fractional):
    """Names, colours, types; each plane within half a pixel along its outline; the volume likewise."""
    axes = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1.0]])
    grid = Grid(axes, (-30.0, -30.0), (1.5, 1.25), (44, 52), np.arange(12) * 2.5, fresh_uid())
    image = Image(fresh_uid(), "MR", "day", grid, np.zeros(grid.shape_zyx, np.int16), patient_position="HFS")
    ball = {k: shapely.Point(2, 1).buffer(np.sqrt(15**2 - (2.5 * k - 13) ** 2)) for k in range(1, 11)}
    ring = {k: shapely.Point(2, 1).buffer(17).difference(shapely.Point(2, 1).buffer(8)) for k in range(3, 8)}
    kinds = (("Liver", "ORGAN"), ("GTV_1", "GTV"), ("Kühlung", "AVOIDANCE"), ("BODY", "EXTERNAL"), ("x", ""))
    structures = tuple(
        Structure(f"s{n}", name, grid, ring if n % 2 else ball, kind, (40 * n, 250, 7), image.id, n + 3)
        for n, (name, kind) in enumerate(kinds)
    )
    case = Case(Patient("Doe^Jane", "p1", "F"), (image,), (StructureSet("rs", "Day 1", structures, image.id),))
    export(case, case.structure_sets, tmp_path, Formats(seg=True, fractional=fractional))
    (back,) = open_case([tmp_path / "SEG_Day_1.dcm"]).structure_sets
    assert back.label == "Day 1"
    for before, after in zip(structures, back.structures, strict=True):
        assert (after.name, after.type, after.colour) == (before.name, before.type, before.colour)
        doubt = 0.0
        for k, region in before.planes.items():
            other = after.planes[after.grid.nearest_plane(float(grid.positions_mm[k]))]
            assert abs(other.area - region.area) < region.length * 1.5 / 2
            doubt += region.length * 1.5 / 2 * 2.5
        assert abs(solid(after).volume_mm3 - solid(before).volume_mm3) < doubt


def test_info_names_the_segments(tmp_path, capsys):
    case = opened(tmp_path, segmentation([frame(np.ones((ROWS, COLUMNS), bool), 3.0)]))
    assert case.structures
    assert main(["info", str(tmp_path)]) == 0
    assert "Liver" in capsys.readouterr().out
