"""Photon Monte Carlo on pyRadMC, in an environment of its own: `reviewer backends --install monte-carlo`."""
