"""Gating review: where the target was on each frame of a cine, when the beam would have been on, and what another rule would have meant."""
