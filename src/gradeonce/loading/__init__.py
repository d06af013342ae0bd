"""Loading files: read, map, validate. Nothing here writes to a warehouse."""

from gradeonce.loading.bad_rows import raise_if_bad
from gradeonce.loading.content import content_id
from gradeonce.loading.read import ReadRows, read_rows

__all__ = ["ReadRows", "content_id", "raise_if_bad", "read_rows"]
