"""Curves over time as HTML: lines stretch with the page, the words beside them do not."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from affetto.emotion import LABELS, EmotionTrack

MAX_POINTS = 300
MAX_LABELS = 3
LEAST_SHARE = 0.15  # a label that never reaches this is not drawn
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800)


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: in the legend.
        times, values: (T,), seconds and whatever the axis counts.
        colour: 0 to 2.
        seen: measured, drawn dashed.
    """

    name: str
    times: NDArray[np.floating]
    values: NDArray[np.floating]
    colour: int
    seen: bool = False


def label_lines(
    asked: EmotionTrack, seen: EmotionTrack | None = None, *, seen_word: str = "measured"
) -> list[Line]:
    """The labels asked for most, at most three, neutral only where there is nothing else.

    Each as asked, and as measured where that is known.
    """
    top = asked.probs.max(axis=0)
    there = [index for index in np.argsort(-top, kind="stable") if top[index] >= LEAST_SHARE]
    order = [index for index in there if LABELS[index] != "neutral"] or there
    lines = []
    for colour, index in enumerate(order[:MAX_LABELS]):
        label = LABELS[int(index)]
        lines.append(Line(f"{label}, asked", asked.times, asked.probs[:, index], colour))
        if seen is not None:
            known = seen.confidence > 0
            lines.append(
                Line(f"{label}, {seen_word}", seen.times[known], seen.probs[known, index],
                     colour, seen=True)
            )  # fmt: skip
    return lines


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    duration_s: float,
    low: float = 0.0,
    high: float = 1.0,
    marks_s: Sequence[float] = (),
) -> str:
    """A figure: curves, a grid, seconds below, a legend; `marks_s` are thin upright lines."""
    rows = [low, (low + high) / 2, high]
    grid = "".join(f'<path class="grid" d="M0 {_y(y, low, high)}H100"/>' for y in rows)
    marks = "".join(f'<path class="cut" d="M{100 * at / duration_s:.2f} 0V100"/>' for at in marks_s)
    paths = "".join(
        f'<path class="line c{line.colour}{" seen" * line.seen}" '
        f'd="{_path(line, duration_s, low, high)}"/>'
        for line in lines
        if len(line.times)
    )
    ys = "".join(f'<span class="y" style="top:{_y(y, low, high)}%">{y:g}</span>' for y in rows)
    xs = "".join(
        f'<span class="x" style="left:{100 * at / duration_s:.2f}%">{_clock(at)}</span>'
        for at in _ticks(duration_s)
    )
    names = "; ".join(_spoken(line) for line in lines if len(line.times))
    return (
        f'<figure class="s-chart"><figcaption>{escape(title)}</figcaption><div class="plot" '
        f'role="img" aria-label="{escape(f"{title}. {names}", quote=True)}"><svg '
        f'viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{grid}{marks}'
        f'{paths}</svg>{ys}</div><div class="xs" aria-hidden="true">{xs}</div>'
        f'<ul class="s-legend" aria-hidden="true">{"".join(map(_key, lines))}</ul></figure>'
    )


def _path(line: Line, duration_s: float, low: float, high: float) -> str:
    pick = np.unique(np.linspace(0, len(line.times) - 1, MAX_POINTS).round().astype(int))
    points = [
        f"{100 * time / duration_s:.2f} {_y(value, low, high)}"
        for time, value in zip(line.times[pick].tolist(), line.values[pick].tolist(), strict=True)
        if 0 <= time <= duration_s + 1e-6
    ]
    if len(points) == 1:  # a single judgement is a short level line
        return f"M{points[0]}h2"
    return "M" + "L".join(points) if points else ""


def _y(value: float, low: float, high: float) -> str:
    return f"{100 * (high - min(high, max(low, value))) / (high - low):.2f}"


def _ticks(duration_s: float) -> list[float]:
    step = next((one for one in _STEPS_S if duration_s / one <= 6), 3600)
    return [number * step for number in range(int(duration_s / step + 1e-6) + 1)]


def _clock(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _spoken(line: Line) -> str:
    first, last = float(line.values[0]), float(line.values[-1])
    return f"{line.name}: from {first:.2f} to {last:.2f}, highest {float(line.values.max()):.2f}"


def _key(line: Line) -> str:
    return (
        f'<li><svg viewBox="0 0 26 8"><path class="line c{line.colour}{" seen" * line.seen}" '
        f'd="M0 4H26"/></svg>{escape(line.name)}</li>'
    )


def strip(title: str, parts: Sequence[tuple[float, str]], *, duration_s: float) -> str:
    """Names side by side, each as wide as it lasts: `parts` are (start in seconds, name)."""
    ends = [start for start, _ in parts[1:]] + [duration_s]
    cells = "".join(
        f'<span class="k{number % 2}" style="width:{100 * (end - start) / duration_s:.2f}%" '
        f'title="{escape(f"{name}, {_clock(round(start, 1))}", quote=True)}">{escape(name)}</span>'
        for number, ((start, name), end) in enumerate(zip(parts, ends, strict=True))
        if end > start
    )
    return (
        f'<figure class="s-chart"><figcaption>{escape(title)}</figcaption>'
        f'<div class="s-strip">{cells}</div></figure>'
        if parts
        else ""
    )
