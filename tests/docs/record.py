"""Put what the examples print now into a page, where it is no longer what the page shows.

PYTHONPATH=tests python -m docs.record docs/howto/read-a-report.md

Look at the difference before you commit it: a changed output is either meant, or a bug.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from docs.examples import Runner, examples, same
from docs.pages import DOCS, read_page


def record(path: Path) -> int:
    """Run the page's examples and rewrite the outputs that differ. Return how many did."""
    page = read_page(path)
    text, changed = page.text, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        if page.start:
            Runner(folder).page(read_page(DOCS / f"{page.start}.md"))
        runner = Runner(folder)
        runner.save_files(page)
        for example in examples(page):
            printed = "\n".join(line.rstrip() for line in runner.run(example).splitlines()) + "\n"
            if example.expected is not None and not same(printed, example.expected):
                text = text.replace(example.expected, printed, 1)
                changed += 1
    path.write_text(text, encoding="utf-8")
    return changed


if __name__ == "__main__":
    for argument in [Path(given).resolve() for given in sys.argv[1:]]:
        sys.stdout.write(f"{argument.name}: {record(argument)} outputs changed\n")
