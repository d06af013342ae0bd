"""Moving in: a table of grades that others kept is looked at, adopted, cleaned, graded again, and compared."""

from gradeonce.migrate.differences import RULES, Comparison, Difference, Sample
from gradeonce.migrate.findings import Findings, MovedLines
from gradeonce.migrate.run import MigrateOptions, MigrationReport, migrate

__all__ = [
    "RULES",
    "Comparison",
    "Difference",
    "Findings",
    "MigrateOptions",
    "MigrationReport",
    "MovedLines",
    "Sample",
    "migrate",
]
