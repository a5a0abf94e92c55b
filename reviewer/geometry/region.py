"""`Region`: what a structure is in one plane."""

from __future__ import annotations

from shapely import MultiPolygon, Polygon

Region = Polygon | MultiPolygon
"""A valid shapely Polygon or MultiPolygon in the plane coordinates (u, v) of one slice, mm. Holes are interiors, islands further polygons."""
