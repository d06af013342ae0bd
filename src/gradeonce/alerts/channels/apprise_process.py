"""The process in which the Apprise library runs; orders come through its standard input, never as arguments.

Exit codes: 0 the service took the message, 1 it did not, 3 the address is none that the library knows.
"""

from __future__ import annotations

import json
import sys


def main() -> int:
    """Send what the orders say."""
    import apprise

    orders = json.load(sys.stdin)
    # In memory: the library would else keep files of its own about the services.
    asset = apprise.AppriseAsset(storage_mode=apprise.PersistentStoreMode.MEMORY)
    sender = apprise.Apprise(asset=asset)
    if not sender.add(orders["address"]):
        return 3
    taken = sender.notify(title=orders["title"], body=orders["body"], notify_type=orders["type"], body_format="text")
    return 0 if taken else 1


if __name__ == "__main__":
    sys.exit(main())
