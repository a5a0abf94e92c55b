"""Images, structures and cines in files other than DICOM: NIfTI and MetaImage, read and written through SimpleITK."""
