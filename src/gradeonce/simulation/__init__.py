"""A made-up season, for trying things out: invented players, invented results, and the answers known beforehand."""

from gradeonce.simulation.season import Season, SeasonFile, simulate_season
from gradeonce.simulation.truth import Truth

__all__ = ["Season", "SeasonFile", "Truth", "simulate_season"]
