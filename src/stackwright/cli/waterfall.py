"""Where the time of an `up` went, as text: a bar for each service, and the critical path."""

from __future__ import annotations

from textwrap import wrap

from stackwright.run.timeline import Span, Timeline

_VERBS = {
    "image": "image",
    "network": "network",
    "volume": "volume",
    "converge": "create",
    "start": "start",
    "ready": "boot",
}
_MARKS = {"image": "▒", "converge": "░", "start": "▓", "ready": "█"}


def render(timeline: Timeline, columns: int = 80) -> str:
    """The waterfall and the critical path; empty when nothing was done."""
    spans = [span for span in timeline.spans.values() if span.kind in _MARKS]
    if not spans:
        return ""
    share = timeline.share()
    services = list(dict.fromkeys(span.subject for span in sorted(spans, key=lambda span: span.begin)))
    ends = {name: max(span.end for span in spans if span.subject == name) for name in services}
    services.sort(key=lambda name: ends[name])
    width = min(24, columns // 3, max(len(name) for name in services))
    room = max(10, columns - width - 16)  # the frame, the figure, and the last column left free
    lines = [_headline(timeline)]
    for name in services:
        own = [span for span in spans if span.subject == name]
        bar = _bar(own, timeline, room)
        seconds = max(span.end for span in own) - timeline.begin
        lines.append(f"  {name[:width]:<{width}} │{bar}│ {seconds:7.2f} s")
    lines += _wrapped("  ▒ image  ░ create  ▓ start  █ the service's own boot", columns)
    steps = " → ".join(
        f"{_VERBS.get(span.kind, span.kind)} {span.subject} {span.seconds:.2f}"
        for span in timeline.critical_path()
        if span.seconds >= 0.005 or span.kind == "ready"
    )
    lines += _wrapped(f"Critical path: {steps or 'nothing took time'}", columns)
    lines += _wrapped(
        f"  services' own boot {share.boot:.2f} s ({share.boot_percent:.0f} %), "
        f"images {share.images:.2f} s, ours {share.ours:.2f} s (start-up {_start_up(timeline):.2f} s)",
        columns,
    )
    return "\n".join(lines)


def _wrapped(text: str, columns: int) -> list[str]:
    if len(text) < columns:
        return [text]
    return wrap(text, max(20, columns - 1), subsequent_indent="  ", break_on_hyphens=False)


def _start_up(timeline: Timeline) -> float:
    """From the start of the process to the first step: interpreter, model, finding the engine."""
    return min(span.begin for span in timeline.spans.values()) - timeline.begin


def _headline(timeline: Timeline) -> str:
    return f"Where the time went: {timeline.seconds:.2f} s"


def _bar(spans: list[Span], timeline: Timeline, room: int) -> str:
    cells = [" "] * room
    total = timeline.seconds or 1.0
    for span in sorted(spans, key=lambda one: one.begin):
        first = int((span.begin - timeline.begin) / total * room)
        last = int((span.end - timeline.begin) / total * room)
        for index in range(max(0, first), min(room, max(last, first + 1))):
            cells[index] = _MARKS[span.kind]
    return "".join(cells)


def as_json(timeline: Timeline) -> dict[str, object]:
    """The same for programs; times in seconds from the start of the run."""
    share = timeline.share()
    return {
        "seconds": timeline.seconds,
        "boot_seconds": share.boot,
        "boot_percent": share.boot_percent,
        "image_seconds": share.images,
        "own_seconds": share.ours,
        "critical_path": [span.id for span in timeline.critical_path()],
        "steps": [
            {
                "id": span.id,
                "begin": span.begin - timeline.begin,
                "end": span.end - timeline.begin,
            }
            for span in timeline.spans.values()
        ],
    }
