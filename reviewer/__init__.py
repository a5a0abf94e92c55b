"""Reviewer's engine: contouring and plan review in MR-guided adaptive radiotherapy. Not a medical device.

Nothing in this package imports Qt, VTK or pyvista; the window (`reviewer_widgets`, the folder `widgets/`) is found through
the entry point group ``reviewer.window``.
"""

__version__ = "0.1.0"
