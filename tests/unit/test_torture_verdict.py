"""The verdict on a history: its figures, its words, its timeline, its chart, and the file it comes from."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest
import resvg_py

from gradeonce.errors import ConfigError, InputError, UsageError
from gradeonce.torture import judge, read_history, verdict_text, write_history
from gradeonce.torture.chart import SECONDS_SHOWN, svg, window_of, write_chart
from gradeonce.torture.history import Event, Recorder
from gradeonce.torture.wording import timeline
from torture_histories import SHELF, A, B, attempt, correct_history, looked, seen, with_events, without


def test_a_correct_history_is_counted() -> None:
    """4 attempts: 2 published, 1 unchanged, 1 refused by the fence; 2 leases, one of them taken over; 3 looks."""
    verdict = judge(correct_history())

    assert verdict.holds
    assert (verdict.attempts, verdict.published, verdict.unchanged, verdict.stale_refused) == (4, 2, 1, 1)
    assert (verdict.acquired, verdict.takeovers, verdict.looks, verdict.partitions) == (2, 1, 3, 1)
    assert dict(verdict.faults) == {"pause": 1}
    assert verdict.seconds == pytest.approx(4.5)  # from 0.5 to 5.0


@pytest.mark.parametrize(
    ("store", "told"), [("the book", "a folder, leases in the book"), ("off", "a folder, no leases")]
)
def test_the_verdict_says_where(store: str, told: str) -> None:
    """Warehouse and lock store, in the text and in the document."""
    header = Event(0.0, "judge", "torture", {"command": "x", "warehouse": "a folder", "store": store})
    verdict = judge([header, *correct_history()[1:]])

    assert verdict.document()["place"] == told
    assert f"\n               {told}\n" in verdict_text(verdict)


def test_what_the_keepers_did_is_counted() -> None:
    """One write staged, a consolidation that merged two rows and one that merged none; filled, applied, taken back."""
    merged = {"batch": "b", "run": "k", "status": "consolidated", "staged": 2, "known": 0, "outdone": 0, "outdated": 0}
    verdict = judge(
        with_events(
            Event(2.1, "c8.1", "staging", {"run": "s", "batch": "b", "rows": []}),
            Event(2.2, "c8.1", "staged", {"run": "s", "batch": "b", "status": "staged"}),
            Event(2.3, "c8.1", "consolidated", {**merged, "rows": 2}),
            Event(2.4, "c8.1", "consolidated", {**merged, "rows": 0, "staged": 0}),
            Event(2.5, "d9.1", "filled", {"run": "f", "crate": "x"}),
            Event(2.6, "d9.1", "deduped", {"run": "d", "crate": "x", "plan": "p", "op": "apply"}),
            Event(2.7, "d9.1", "deduped", {"run": "r", "crate": "x", "plan": "p", "op": "rollback"}),
        )
    )

    assert (verdict.staged, verdict.consolidated) == (1, 1)
    assert (verdict.filled, verdict.deduplicated, verdict.rolled_back) == (1, 1, 1)
    text = verdict_text(verdict)
    assert "consolidators  1 writes staged, 1 consolidations that merged some" in text
    assert "deduplicators  1 crates filled with copies, 1 plans applied, 1 taken back" in text
    assert "consolidators" not in verdict_text(judge(correct_history()))


def test_a_violation_fails_the_verdict() -> None:
    """One empty look after the first version."""
    verdict = judge(with_events(looked(2.5, {})))

    assert not verdict.holds
    assert verdict.broken == {"G1": 0, "G2": 1, "G3": 0, "G4": 0, "G5": 0}


@pytest.mark.parametrize(
    "crash",
    [
        Event(4.5, "nemesis", "crashed", {"process": "w1.1", "error": "KeyError"}),
        Event(4.5, "w1.1", "failed", {"run": "x", "shelves": [], "error": "disk on fire", "expected": False}),
    ],
    ids=["a process", "a publish"],
)
def test_an_unplanned_end_fails_the_verdict(crash: Event) -> None:
    """No guarantee was broken, but something ended in a way nobody planned."""
    verdict = judge(with_events(crash))

    assert not verdict.violations
    assert not verdict.holds
    assert "in a way nobody planned" in verdict_text(verdict)


@pytest.mark.parametrize("missing", ["looked", "acknowledged"])
def test_a_torture_of_nothing_is_not_a_pass(missing: str) -> None:
    """Without publishes, or without looks, nothing was shown."""
    assert not judge(without(lambda event: event.kind in (missing, "ledger", "revised"))).holds
    assert not judge([]).holds
    assert "proves nothing" in verdict_text(judge([]))


def test_the_text_of_a_pass() -> None:
    """A person reads counts, five guarantees, and one closing line."""
    text = verdict_text(judge(correct_history()))

    assert "stale writers  1 refused by the fence" in text
    assert "G3 no stale writer  holds" in text
    assert text.endswith("No violation.")


def test_the_text_of_a_violation_names_it_and_the_way_back() -> None:
    """Guarantee, instant, partition, what was seen, and the command that runs the same plan."""
    text = verdict_text(judge(with_events(looked(2.5, {}))))

    assert "The first violation, G2 at 2.000 s on shelf-0000:" in text
    assert "G2 no torn reads    BROKEN 1 time\n" in text
    assert text.endswith("VIOLATED: G2 1. The same plan again: gradeonce torture --seed 1")


def test_the_timeline_tells_who_was_stopped_and_who_took_over() -> None:
    """A reader sees token 1 after token 2: the pause, both acquisitions and both publishes lead up to it."""
    events = with_events(looked(4.9, {SHELF: seen(A, "a")}))
    lines = timeline(events, judge(events).violations[0])

    told = [" ".join(line.split()[2:]) for line in lines]
    assert "w0.1 lease shelf-0000 acquired, token 1" in told
    assert "nemesis SIGSTOP to w0, for 2.0 s" in told
    assert "w1.1 lease shelf-0000 acquired, token 2, taken over" in told
    assert "w1.1 run b acknowledged: shelf-0000 version 2 published with token 2" in told
    assert "r0 sees 6 rows, 6 keys, written by a" in told
    # Right behind the look that shows it; after it only the judge's own.
    assert ">>>" in lines[-2]


def test_the_document_is_json_and_agrees_with_the_text() -> None:
    """`--json` prints the same figures, and the first violation with its timeline."""
    verdict = judge(with_events(looked(2.5, {})))
    document = json.loads(json.dumps(verdict.document()))

    assert document["holds"] is False
    assert document["violations"]["G2"] == 1
    assert document["first_violation"]["partition"] == SHELF
    assert document["first_violation"]["at_seconds"] == 2.0
    assert document["first_violation"]["timeline"]
    assert judge(correct_history()).document()["first_violation"] is None


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    """Written and read again it is the same."""
    events = with_events(looked(2.5, {}))
    write_history(events, tmp_path / "h.jsonl")

    assert read_history(tmp_path / "h.jsonl") == events


def test_processes_append_to_one_history(tmp_path: Path) -> None:
    """Two recorders on one file: no line is lost, each tells who and when."""
    path = tmp_path / "h.jsonl"
    with Recorder(path, "w0.1") as one, Recorder(path, "r0") as other:
        first = one.record("held", shelves=["x"])
        other.record("looked", began=1.0)
        one.record("held", shelves=["y"])

    events = read_history(path)
    assert [(event.who, event.kind) for event in events] == [("w0.1", "held"), ("r0", "looked"), ("w0.1", "held")]
    assert events[0].at == pytest.approx(first, abs=1e-5)
    assert [event.slot for event in events] == [0, None, 0]


@pytest.mark.parametrize("line", ["{", '{"at": 1}', "[]", '{"at": 1, "who": "x"}'])
def test_a_file_that_is_no_history_is_refused(tmp_path: Path, line: str) -> None:
    """The error names file and line."""
    path = tmp_path / "h.jsonl"
    path.write_text(line + "\n", encoding="utf-8")

    with pytest.raises(InputError, match=r"h\.jsonl line 1"):
        read_history(path)


def test_the_chart_is_an_svg_with_a_lane_per_worker() -> None:
    """Two workers, the readers, a lease with its token, a stop, a fenced publish; every text is escaped."""
    root = ElementTree.fromstring(svg(judge(correct_history())))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]

    assert {"worker 0", "worker 1", "readers", "1", "2", "stopped", "fenced"} <= set(texts)


def test_the_chart_shows_the_violation() -> None:
    """A mark under the readers says which guarantee."""
    chart = svg(judge(with_events(looked(2.5, {}))))

    assert 'class="violation"' in chart
    assert ">G2</text>" in chart


def test_a_long_history_is_cut_to_what_is_to_be_seen() -> None:
    """100 s, and the violation at 80.5: the stretch around it is drawn."""
    late = [attempt(80.0, "w1.1", "x", B, 2), looked(81.0, {}), Event(100.5, "nemesis", "ended")]
    verdict = judge(with_events(*late))
    window = window_of(verdict)

    assert window.end - window.start == pytest.approx(SECONDS_SHOWN)
    assert window.has(81.0)
    assert not window.has(50.0)


def test_charts_are_written_as_svg_or_html(tmp_path: Path) -> None:
    """HTML holds the verdict's text as well; any other ending is refused."""
    verdict = judge(correct_history())
    write_chart(verdict, tmp_path / "c.svg")
    write_chart(verdict, tmp_path / "c.html")

    ElementTree.parse(tmp_path / "c.svg")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "No violation." in page
    with pytest.raises(UsageError, match=r"c\.gif"):
        write_chart(verdict, tmp_path / "c.gif")


def test_a_chart_is_written_as_png(tmp_path: Path) -> None:
    """Two pixels per unit of the drawing; width and height stand in bytes 16 to 24 of the file."""
    write_chart(judge(correct_history()), tmp_path / "c.png")
    root = ElementTree.fromstring(svg(judge(correct_history())))

    found = (tmp_path / "c.png").read_bytes()
    assert found[:8] == b"\x89PNG\r\n\x1a\n"
    size = (int.from_bytes(found[16:20], "big"), int.from_bytes(found[20:24], "big"))
    assert size == (2 * int(root.attrib["width"]), 2 * int(root.attrib["height"]))


@pytest.mark.parametrize("missing", ["package", "fonts"])
def test_a_png_that_cannot_be_drawn_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """Without the package, or without a font (text would be left out silently): what to install, and no file."""
    if missing == "package":
        monkeypatch.setitem(sys.modules, "resvg_py", None)
    else:
        drawn = resvg_py.svg_to_bytes
        monkeypatch.setattr(resvg_py, "svg_to_bytes", partial(drawn, skip_system_fonts=True))

    with pytest.raises(ConfigError, match="PNG") as refused:
        write_chart(judge(correct_history()), tmp_path / "c.png")

    assert "nstall" in refused.value.hint
    assert not (tmp_path / "c.png").exists()


def test_the_chart_shows_a_commit_that_was_lost() -> None:
    """The way to the warehouse was cut at a step, and the run started again: a tick and a ring, each with its story."""
    cut = {"fault": "cut", "number": 9, "workers": [1], "step": "commit.pointed", "seconds": 0.0, "mode": ""}
    events = [Event(3.2, "w1.1", "fault", cut), Event(3.3, "w1.1", "again", {"run": "b", "after": "commit.pointed"})]
    chart = svg(judge(with_events(*events)))

    assert "way of w1 to the warehouse cut at commit.pointed" in chart
    assert "run b starts again from base, after commit.pointed" in chart


def test_publishes_that_started_again_are_counted() -> None:
    """Before the fence was in hand others had come first; after it, a commit under way was lost."""
    steps = ("commit.begun", "publish.staged", "commit.fenced", "commit.done")
    verdict = judge(with_events(*(Event(3.2, "w1.1", "again", {"run": "b", "after": step}) for step in steps)))

    assert (verdict.started_again, verdict.taken_back) == (2, 2)
