"""A chart of a history: one lane per worker, leases as bars with their tokens, faults, publishes and refusals on a time
axis. Plain SVG written by hand; no library is needed to draw it or to look at it, but for a PNG."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from gradeonce.errors import ConfigError, UsageError
from gradeonce.torture.history import Event
from gradeonce.torture.verdict import HOLDING_STEPS, Verdict, began_at
from gradeonce.torture.wording import told, verdict_text

SECONDS_SHOWN = 12.0
"""A longer history is cut to the stretch in which something is to be seen."""

PNG_ZOOM = 2
"""Pixels per unit of the drawing: legible on a fine screen and in a slide."""

_WIDTH, _LEFT, _TOP, _LANE = 1400, 90, 92, 46
_SHELF_COLOURS = ("#cfe3f5", "#d9ecd0", "#f6e3c0", "#e5d8f0", "#d5eeee")
_OK, _REFUSED, _DARK, _GREY, _ORANGE, _VIOLET = "#1a7f37", "#c4222b", "#1f2328", "#6e7781", "#fb8f44", "#8250df"

_STYLE = """
text { font: 11px system-ui, Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', 'Noto Sans', sans-serif }
text { fill: #1f2328 }
.small { font-size: 10px; fill: #57606a } .title { font-size: 15px; font-weight: 600 }
.token { font-size: 10px; font-weight: 600 } .axis { stroke: #d0d7de; stroke-width: 1 }
.violation { fill: #c4222b; font-weight: 600 } .flush { fill: #8250df }
"""


_ROLES = {"w": "worker", "c": "consol.", "d": "dedup."}


@dataclass(frozen=True)
class Window:
    """The stretch of time that is drawn, in monotonic seconds."""

    start: float
    end: float

    def x(self, at: float) -> float:
        """Return where an instant lies on the axis; what is outside lies at its edge."""
        inside = min(max(at, self.start), self.end)
        return _LEFT + (inside - self.start) / (self.end - self.start) * _WIDTH

    def has(self, at: float) -> bool:
        return self.start <= at <= self.end


def write_chart(verdict: Verdict, path: Path) -> None:
    """Write the chart to a file: `.svg`, `.png`, or `.html` with the verdict's text above it.

    Raises:
        UsageError: For any other ending.
        ConfigError: For a PNG, if what draws it is not installed.
    """
    if path.suffix == ".svg":
        path.write_text(svg(verdict), encoding="utf-8")
    elif path.suffix == ".png":
        path.write_bytes(_png(svg(verdict)))
    elif path.suffix in (".html", ".htm"):
        path.write_text(_page(verdict), encoding="utf-8")
    else:
        raise UsageError(f"A chart is an .svg, a .png or an .html file, not {path.name}.")


def _png(drawing: str) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise ConfigError(
            "A chart as PNG needs resvg-py, which is not installed.",
            hint="pip install 'gradeonce[chart]', or name an .svg file: that needs nothing.",
        ) from error
    drawn = f'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><style>{_STYLE}</style>'
    drawn = drawn.replace("{", "{{").replace("}", "}}") + '<text y="15">{}</text></svg>'
    word, blank = (drawn.format(content) for content in ("x", ""))
    if resvg_py.svg_to_bytes(svg_string=word) == resvg_py.svg_to_bytes(svg_string=blank):
        # It leaves out text for which it finds no font, and says nothing.
        raise ConfigError("No font for a PNG is installed.", hint="Install DejaVu Sans, or name an .svg file.")
    return bytes(resvg_py.svg_to_bytes(svg_string=drawing, zoom=PNG_ZOOM))


def svg(verdict: Verdict) -> str:
    """Return the chart as the text of an SVG document."""
    events = verdict.events
    window = window_of(verdict)
    roles = {event.slot: event.who[0] for event in events if event.slot is not None}
    slots = sorted({event.slot for event in events if event.slot is not None})
    lanes = {slot: _TOP + number * _LANE for number, slot in enumerate(slots)}
    bottom = _TOP + len(slots) * _LANE
    shown = f"{window.start - began_at(events):.1f} to {window.end - began_at(events):.1f} s of {verdict.seconds:.0f} s"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_LEFT + _WIDTH + 30} {bottom + 128}" '
        f'width="{_LEFT + _WIDTH + 30}" height="{bottom + 128}" role="img" aria-label="Chart of one torture">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_LEFT + _WIDTH + 30}" height="{bottom + 128}" fill="white"/>',
        f'<text class="title" x="12" y="24">{escape(_title(verdict))}</text>',
        f'<text class="small" x="12" y="42">{escape(verdict.command)} &#183; shown: {shown}</text>',
        *_axis(window, began_at(events), bottom),
        *_faults_on_all(events, window, bottom),
    ]
    for slot, y in lanes.items():
        parts += [
            f'<line class="axis" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y + _LANE}" y2="{y + _LANE}"/>',
            f'<text x="12" y="{y + 27}">{_ROLES[roles.get(slot, "w")]} {slot}</text>',
            *_lane([event for event in events if _is_of(event, slot)], window, y),
        ]
    parts += [*_readers(verdict, window, bottom), *_legend(bottom + 66), "</svg>"]
    return "\n".join(parts) + "\n"


def window_of(verdict: Verdict) -> Window:
    """Return the stretch to draw: around the first violation, else around a paused holder that was fenced."""
    events = verdict.events
    start = began_at(events)
    end = max(start + verdict.seconds, start + 1.0)
    if end - start <= SECONDS_SHOWN:
        return Window(start, end)
    middle = start + SECONDS_SHOWN / 2
    stale = [event.at for event in events if event.kind == "refused" and event.data["reason"] == "superseded"]
    if verdict.violations:
        middle = verdict.violations[0].at
    elif stale:
        # Where most of them are, so that one picture shows several.
        middle = max(stale, key=lambda at: sum(abs(other - at) < SECONDS_SHOWN / 2 for other in stale))
    first = min(max(start, middle - SECONDS_SHOWN / 2), end - SECONDS_SHOWN)
    return Window(first, first + SECONDS_SHOWN)


def _title(verdict: Verdict) -> str:
    faults = sum(verdict.faults.values())
    if verdict.violations:
        broken = ", ".join(f"{name} {count}" for name, count in verdict.broken.items() if count)
        return f"Violated: {broken} ({faults} faults, {verdict.published} publishes)"
    return (
        f"No violation in {verdict.published} publishes under {faults} faults; "
        f"{verdict.stale_refused} stale publishes refused by the fence"
    )


def _is_of(event: Event, slot: int) -> bool:
    if event.kind == "fault":
        return slot in event.data.get("workers", ())
    return event.slot == slot or event.data.get("worker") == slot


def _axis(window: Window, start: float, bottom: int) -> Iterator[str]:
    second = int(window.start - start)
    while start + second <= window.end:
        if window.has(start + second):
            x = window.x(start + second)
            yield f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 8}" y2="{bottom}"/>'
            yield f'<text class="small" x="{x:.1f}" y="{_TOP - 14}" text-anchor="middle">{second} s</text>'
        second += 1


def _faults_on_all(events: Sequence[Event], window: Window, bottom: int) -> Iterator[str]:
    for event in events:
        if event.kind == "fault" and event.data["fault"] == "flush" and window.has(event.at):
            x = window.x(event.at)
            line = (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 4}" y2="{bottom}" stroke="{_VIOLET}" '
                f'stroke-width="1.5" stroke-dasharray="5 3"/>'
            )
            label = f'<text class="small flush" x="{x:.1f}" y="{_TOP - 28}" text-anchor="middle">flush</text>'
            yield _mark(event, line + label)


def _lane(events: Sequence[Event], window: Window, y: int) -> Iterator[str]:
    """Draw one worker: first what lasts, then the marks on top."""
    for event in events:
        if event.kind == "fault" and event.data["fault"] in ("cut", "skew") and not event.data.get("step"):
            yield from _strip(event, window, y)
    yield from _leases(events, window, y)
    yield from _stops(events, window, y)
    for event in events:
        if not window.has(event.at):
            continue
        x = window.x(event.at)
        if event.kind == "fault" and event.data["fault"] == "kill":
            yield _mark(
                event, f'<path d="M{x - 5:.1f} {y + 15} l10 12 m0 -12 l-10 12" stroke="{_DARK}" stroke-width="3"/>'
            )
        elif event.kind == "fault" and event.data["fault"] == "cut" and event.data.get("step"):
            tick = f'<rect x="{x - 1.5:.1f}" y="{y + 28}" width="3" height="16" fill="{_ORANGE}"/>'
            yield _mark(event, tick)
        elif event.kind == "again" and event.data["after"] in HOLDING_STEPS:
            ring = f'<circle cx="{x:.1f}" cy="{y + 36}" r="4.5" fill="none" stroke="{_ORANGE}" stroke-width="2"/>'
            yield _mark(event, ring)
        elif event.kind == "acknowledged":
            published = any(part["status"] == "published" for part in event.data["shelves"].values())
            fill = _OK if published else "white"
            circle = f'<circle cx="{x:.1f}" cy="{y + 36}" r="3.5" fill="{fill}" stroke="{_OK}" stroke-width="1.5"/>'
            yield _mark(event, circle)
        elif event.kind in ("staged", "consolidated", "filled", "deduped"):
            yield _mark(event, f'<circle cx="{x:.1f}" cy="{y + 36}" r="3.5" fill="{_OK}"/>')
        elif event.kind == "refused":
            diamond = f'<path d="M{x:.1f} {y + 29} l7 7 l-7 7 l-7 -7 z" fill="{_REFUSED}" stroke="white"/>'
            why = "fenced" if event.data["reason"] == "superseded" else event.data["reason"].replace("_", " ")
            label = f'<text class="small" x="{x + 9:.1f}" y="{y + 40}" style="fill:{_REFUSED}">{escape(why)}</text>'
            yield _mark(event, diamond + label)


def _strip(event: Event, window: Window, y: int) -> Iterator[str]:
    if window.has(event.at) or window.has(event.at + event.data["seconds"]):
        x, end = window.x(event.at), window.x(event.at + event.data["seconds"])
        cut = event.data["fault"] == "cut"
        colour, top = (_ORANGE, y + 1) if cut else (_VIOLET, y + 5)
        strip = f'<rect x="{x:.1f}" y="{top}" width="{max(1.0, end - x):.1f}" height="3" fill="{colour}"/>'
        yield _mark(event, strip)


def _leases(events: Sequence[Event], window: Window, y: int) -> Iterator[str]:
    """Draw every lease from its acquisition to its release, its loss, its holder's death, or his next turn."""
    turn: list[Event] = []
    ends: dict[str, tuple[float, bool]] = {}
    working = False
    for event in events:
        over = event.kind in ("acquired", "held", "unlocked", "unreachable") and working
        killed = event.kind == "fault" and event.data["fault"] == "kill"
        if over or killed:
            # A release that never reached the store leaves no trace but the turn that comes after it.
            yield from _bars(turn, ends, event.at, window, y)
            turn, ends, working = [], {}, False
        if event.kind == "acquired":
            turn.append(event)
        elif event.kind == "attempt":
            working = True
        elif event.kind in ("released", "lost"):
            ends.setdefault(event.data["shelf"], (event.at, event.kind == "lost"))
    yield from _bars(turn, ends, window.end, window, y)


def _bars(
    turn: Sequence[Event], ends: Mapping[str, tuple[float, bool]], last: float, window: Window, y: int
) -> Iterator[str]:
    height = 18 / max(1, len(turn))
    for number, begin in enumerate(turn):
        end, lost = ends.get(begin.data["shelf"], (last, last < window.end))
        if end >= window.start and begin.at <= window.end:
            yield _bar(begin, end, window, y + 11 + number * height, height, lost=lost)


def _bar(begin: Event, end: float, window: Window, y: float, height: float, *, lost: bool) -> str:
    number = int(begin.data["shelf"].rsplit("-", 1)[-1])
    x, width = window.x(begin.at), max(1.5, window.x(end) - window.x(begin.at))
    edge = f'stroke="{_REFUSED}" stroke-dasharray="4 2"' if lost else f'stroke="{_GREY}"'
    bar = (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="2" '
        f'fill="{_SHELF_COLOURS[number % len(_SHELF_COLOURS)]}" {edge}/>'
    )
    if width > 14:
        base = y + height / 2 + 3.5
        bar += f'<text class="token" x="{x + 3:.1f}" y="{base:.1f}">{begin.data["token"]}</text>'
    return _mark(begin, bar)


def _stops(events: Sequence[Event], window: Window, y: int) -> Iterator[str]:
    stopped: Event | None = None
    for event in events:
        if event.kind == "fault" and event.data["fault"] == "pause":
            stopped = event
        elif event.kind == "woke" and stopped is not None:
            if stopped.at <= window.end and event.at >= window.start:
                x, end = window.x(stopped.at), window.x(event.at)
                box = (
                    f'<rect x="{x:.1f}" y="{y + 9}" width="{max(1.0, end - x):.1f}" height="22" fill="{_DARK}" '
                    f'fill-opacity="0.28"/>'
                )
                if end - x > 46:
                    box += f'<text x="{(x + end) / 2:.1f}" y="{y + 24}" text-anchor="middle">stopped</text>'
                yield _mark(stopped, box)
            stopped = None


def _readers(verdict: Verdict, window: Window, bottom: int) -> Iterator[str]:
    yield f'<text x="12" y="{bottom + 22}">readers</text>'
    for event in verdict.events:
        if event.kind == "looked" and window.has(event.at):
            x = window.x(event.at)
            yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{bottom + 12}" y2="{bottom + 24}" stroke="{_GREY}"/>'
    labelled = -100.0
    for violation in verdict.violations:
        if window.has(violation.at):
            x = window.x(violation.at)
            mark = f'<path d="M{x:.1f} {bottom + 26} l6 12 h-12 z" fill="{_REFUSED}"/>'
            if x - labelled > 22:
                mark += f'<text class="violation" x="{x:.1f}" y="{bottom + 50}" text-anchor="middle">'
                mark += f"{violation.guarantee}</text>"
                labelled = x
            yield f"<g><title>{escape(violation.guarantee)}: {escape(violation.message)}</title>{mark}</g>"


def _legend(y: int) -> Iterator[str]:
    entries = (
        (
            f'<rect width="26" height="14" y="-11" fill="{_SHELF_COLOURS[0]}" stroke="{_GREY}"/>',
            "lease, with its token",
        ),
        (
            f'<rect width="26" height="14" y="-11" fill="{_SHELF_COLOURS[0]}" stroke="{_REFUSED}" '
            'stroke-dasharray="4 2"/>',
            "lease lost",
        ),
        (f'<rect width="26" height="14" y="-11" fill="{_DARK}" fill-opacity="0.28"/>', "stopped (SIGSTOP)"),
        (f'<path d="M8 -10 l10 12 m0 -12 l-10 12" stroke="{_DARK}" stroke-width="3"/>', "killed (SIGKILL)"),
        (f'<rect width="26" height="3" y="-5" fill="{_ORANGE}"/>', "lock store cut off"),
        (f'<rect width="26" height="3" y="-5" fill="{_VIOLET}"/>', "clock off"),
        (f'<rect x="12" width="3" height="14" y="-11" fill="{_ORANGE}"/>', "way to the warehouse cut"),
        (
            f'<circle cx="13" cy="-4" r="4.5" fill="none" stroke="{_ORANGE}" stroke-width="2"/>',
            "commit lost, starts again",
        ),
        (f'<circle cx="13" cy="-4" r="3.5" fill="{_OK}" stroke="{_OK}"/>', "published"),
        (f'<circle cx="13" cy="-4" r="3.5" fill="white" stroke="{_OK}" stroke-width="1.5"/>', "unchanged"),
        (f'<path d="M13 -11 l7 7 l-7 7 l-7 -7 z" fill="{_REFUSED}"/>', "refused"),
        (f'<path d="M13 -11 l6 12 h-12 z" fill="{_REFUSED}"/>', "violation"),
    )
    for number, (sign, meaning) in enumerate(entries):
        x = 12 + 250 * (number % 6)
        yield (
            f'<g transform="translate({x} {y + 18 + 24 * (number // 6)})">{sign}'
            f'<text x="34" y="0">{escape(meaning)}</text></g>'
        )


def _mark(event: Event, shape: str) -> str:
    return f"<g><title>{escape(told(event))}</title>{shape}</g>"


def _page(verdict: Verdict) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>gradeonce torture</title>\n'
        "<style>body { margin: 2rem; font: 14px system-ui, sans-serif; color: #1f2328; background: white } "
        "pre { overflow-x: auto; padding: 1rem; background: #f6f8fa } div { overflow-x: auto }</style>\n"
        f"<h1>gradeonce torture</h1>\n<pre>{escape(verdict_text(verdict))}</pre>\n"
        f"<div>\n{svg(verdict)}</div>\n</html>\n"
    )
