"""For people who write a lease store of their own: the suite that the stores of gradeonce are held to. It needs pytest.

class TestMyLeases(LeaseStoreConformance):
    def open_store(self, folder, clock):
        return MyLeases(folder / "leases", clock=clock)
"""

import pytest

# So that a failed assertion of the suite shows its values.
pytest.register_assert_rewrite("gradeonce.testing.lease_store", "gradeonce.testing.shared_lease_store")

from gradeonce.testing.lease_store import (  # noqa: E402
    KEY,
    TTL,
    LeaseStoreConformance,
    Unreachable,
    together,
)
from gradeonce.testing.shared_lease_store import SharedLeaseStoreConformance  # noqa: E402

__all__ = ["KEY", "TTL", "LeaseStoreConformance", "SharedLeaseStoreConformance", "Unreachable", "together"]
