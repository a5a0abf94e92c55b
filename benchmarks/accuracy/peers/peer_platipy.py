# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["platipy==0.7.2"]
# ///
"""Volumes of the masks of platipy, in cc."""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import SimpleITK as sitk
from platipy.dicom.io.rtstruct_to_nifti import convert_rtstruct


def main():
    job = json.load(sys.stdin)
    answers = {}
    for place, phantom in job["phantoms"].items():
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            convert_rtstruct(phantom["image"], phantom["structures"], prefix="", output_dir=folder)
            for roi in phantom["rois"]:
                path = next(p for p in Path(folder).iterdir() if p.name == f"{roi}.nii.gz")
                image = sitk.ReadImage(str(path))
                voxel = float(image.GetSpacing()[0] * image.GetSpacing()[1] * image.GetSpacing()[2])
                answers.setdefault(place, {})[roi] = float(sitk.GetArrayViewFromImage(image).sum()) * voxel / 1000
    print(json.dumps(answers))


main()
