"""The plot of a course: film strip, valence and arousal, labels over time, who shows what.

How sure the judge is shows by fading: what it does not know is pale.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.apps.emotion_summary import HALF_90, stretches
from affetto.apps.recognize_job import Recognition
from affetto.apps.recognize_palette import COLOURS, LIGHT_LABELS, WIDTH_IN, head, row_name, strength
from affetto.apps.report_data import clock
from affetto.apps.report_plots import LIGHT, Axes
from affetto.emotion import LABELS, EmotionTrack

Double = NDArray[np.float64]
LEFT, RIGHT = 0.105, 0.975
MAX_STEPS = 700
MOST_FACES = 9
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


def draw_course(figure: Any, found: Recognition) -> None:  # noqa: ANN401
    """Fill the figure, as tall as what there is to show needs."""
    rows = found.shown_rows(most_faces=MOST_FACES)
    strip_in = 0.95 if found.stills else 0.0
    parts = [(strip_in, _strip), (2.35, _affect), (2.1, _areas), (0.36 * len(rows) + 0.1, _rows)]
    gap_in, top_in, bottom_in = 0.52, 0.80, 0.42
    drawn = [(height, draw) for height, draw in parts if height > 0]
    height_in = top_in + bottom_in + sum(h for h, _ in drawn) + gap_in * (len(drawn) - 1)
    figure.set_size_inches(WIDTH_IN, height_in)
    head(figure, found, height_in)
    y_in = height_in - top_in
    for height, draw in drawn:
        y_in -= height
        axes = figure.add_axes((LEFT, y_in / height_in, RIGHT - LEFT, height / height_in))
        draw(axes, found)
        y_in -= gap_in


def _strip(axes: Axes, found: Recognition) -> None:
    """Pictures over the time they are from, side by side."""
    _frame(axes, found, "")
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.tick_params(bottom=False, labelbottom=False)
    axes.spines["bottom"].set_visible(False)
    box = axes.get_window_extent()
    wide_s = found.duration_s / len(found.stills)
    for number, (_, picture) in enumerate(found.stills):
        height, width = picture.shape[:2]
        keep_s = min(wide_s * 0.97, found.duration_s * width / height * box.height / box.width)
        columns = max(1, round(keep_s / found.duration_s * box.width / box.height * height))
        left = max(0, (width - columns) // 2)
        middle = (number + 0.5) * wide_s
        axes.imshow(
            picture[:, left : left + columns], aspect="auto", interpolation="bilinear",
            extent=(middle - keep_s / 2, middle + keep_s / 2, 0, 1),
        )  # fmt: skip
    axes.set_xlim(0, found.duration_s)


def _affect(axes: Axes, found: Recognition) -> None:
    """Valence and arousal with 90 % bands, paler where the judge is unsure."""
    _frame(axes, found, "Valence and arousal")
    axes.axhline(0, color=LIGHT.faint, linewidth=0.7)
    track = thinned(found.track)
    edges = _edges(track, found.duration_s)
    alpha = strength(track.confidence)
    half = HALF_90 * np.sqrt(track.vad_var)
    for axis, (name, colour) in enumerate((("valence", LIGHT.first), ("arousal", LIGHT.second))):
        mean = track.vad[:, axis].astype(np.float64)
        _band(axes, edges, mean, half[:, axis], colour, alpha)
        _line(axes, track, mean, colour, alpha)
        axes.plot([], [], color=colour, linewidth=2, label=name)
    axes.fill_between([], [], color=LIGHT.faint, alpha=0.25, label="90 % of moments lie here")
    axes.set_ylim(-1.02, 1.02)
    axes.set_yticks([-1, 0, 1], ["-1", "0", "+1"])
    axes.text(
        -0.012, 0.97, "pleasant\nexcited", transform=axes.transAxes, ha="right", va="top",
        fontsize=7.5, color=LIGHT.faint,
    )  # fmt: skip
    axes.text(
        -0.012, 0.03, "unpleasant\nquiet", transform=axes.transAxes, ha="right", va="bottom",
        fontsize=7.5, color=LIGHT.faint,
    )  # fmt: skip
    axes.tick_params(axis="y", pad=44)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, frameon=False, fontsize=8.5,
        labelcolor=LIGHT.ink, borderaxespad=0.2, handlelength=1.6, columnspacing=1.4,
    )  # fmt: skip


def _band(
    axes: Axes, edges: Double, mean: Double, half: Double, colour: str, alpha: Double
) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    low, high = np.clip(mean - half, -1, 1), np.clip(mean + half, -1, 1)
    quads = [
        [(edges[i], low[i]), (edges[i + 1], low[i]), (edges[i + 1], high[i]), (edges[i], high[i])]
        for i in range(len(mean))
    ]
    faces = [to_rgba(colour, 0.20 * a) for a in alpha]
    axes.add_collection(PolyCollection(quads, facecolors=faces, edgecolors="none"))


def _line(axes: Axes, track: EmotionTrack, mean: Double, colour: str, alpha: Double) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    points = np.stack([track.times.astype(np.float64), mean], axis=1)  # (T, 2)
    pieces = np.stack([points[:-1], points[1:]], axis=1)  # (T - 1, 2, 2)
    colours = [to_rgba(colour, min(a, b)) for a, b in pairwise(alpha)]
    axes.add_collection(LineCollection(list(pieces), colors=colours, linewidths=2.0))


def _areas(axes: Axes, found: Recognition) -> None:
    """Label probabilities stacked, each named where it is widest."""
    _frame(axes, found, "Probability")
    track = thinned(found.track)
    edges = _edges(track, found.duration_s)
    bottom = np.zeros(len(track.times))
    for index in _order(track):
        label, height = LABELS[index], track.probs[:, index].astype(np.float64)
        axes.fill_between(
            edges, _held(bottom), _held(bottom + height), step="post", color=COLOURS[label],
            linewidth=0,
        )  # fmt: skip
        _name_area(axes, found, track, label, bottom, height)
        bottom = bottom + height
    _legend(axes, [LABELS[index] for index in _order(track) if track.probs[:, index].max() > 0.1])
    pale = 1 - strength(track.confidence)
    axes.imshow(
        np.stack([np.ones((1, len(pale)))] * 3 + [0.9 * pale[None]], axis=-1), aspect="auto",
        extent=(edges[0], edges[-1], 0, 1), interpolation="nearest", zorder=3,
    )  # fmt: skip
    axes.set_xlim(0, found.duration_s)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50 %", "100 %"])


def _legend(axes: Axes, labels: list[str]) -> None:
    for label in labels:
        axes.fill_between([], [], color=COLOURS[label], label=label)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=max(1, len(labels)), frameon=False,
        fontsize=7.5, labelcolor=LIGHT.ink, borderaxespad=0.2, handlelength=0.9, handletextpad=0.4,
        columnspacing=0.9,
    )  # fmt: skip


def _held(values: Double) -> Double:
    """The last value once more, for the last border."""
    return np.append(values, values[-1])


def _order(track: EmotionTrack) -> list[int]:
    """Labels from below: the one most probable on the whole first, the least on top."""
    return [int(index) for index in np.argsort(-track.probs.mean(axis=0), kind="stable")]


def _name_area(
    axes: Axes, found: Recognition, track: EmotionTrack, label: str, bottom: Double, height: Double
) -> None:
    """Write the name once, where the area stays widest for as long as the name is."""
    wide_s = 0.0075 * (len(label) + 1) * found.duration_s
    reach = max(1, round(wide_s / found.duration_s * len(height)))
    if len(height) < reach:
        return
    windows = np.lib.stride_tricks.sliding_window_view
    low = windows(bottom, reach).max(axis=1)
    room = windows(bottom + height, reach).min(axis=1) - low  # (T - reach + 1,)
    best = int(room.argmax())
    if room[best] < 0.085:
        return
    middle = float(track.times[min(len(height) - 1, best + reach // 2)])
    axes.text(
        float(np.clip(middle, 0.6 * wide_s, found.duration_s - 0.6 * wide_s)),
        float(low[best] + room[best] / 2), label, ha="center", va="center", fontsize=8.5, zorder=4,
        color=LIGHT.ink if label in LIGHT_LABELS else LIGHT.ground,
    )  # fmt: skip


def _rows(axes: Axes, found: Recognition) -> None:
    """One bar for everything judged, in the colour of its label, over the time it was there."""
    rows = found.shown_rows(most_faces=MOST_FACES)
    _frame(axes, found, "Who shows what")
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_yticks(range(len(rows)), [row_name(row) for row in rows])
    axes.grid(visible=False)
    for place, row in enumerate(rows):
        start_s, end_s = found.span(row)
        for part in stretches(row.track, start_s=start_s, end_s=end_s):
            width_s = part.end_s - part.start_s
            if part.label is None:
                axes.plot(
                    [part.start_s, part.end_s], [place, place], color=LIGHT.grid, linewidth=1.2
                )
                continue
            alpha = float(strength(np.asarray([part.confidence]))[0])
            axes.barh(
                place, width_s, left=part.start_s, height=0.66, color=COLOURS[part.label],
                alpha=alpha, edgecolor=LIGHT.ground, linewidth=0.8,
            )  # fmt: skip
            if width_s / found.duration_s > 0.0075 * (len(part.label) + 2):
                dark = part.label in LIGHT_LABELS or alpha < 0.55
                axes.text(
                    part.start_s + width_s / 2, place, part.label, ha="center", va="center",
                    fontsize=8, color=LIGHT.ink if dark else LIGHT.ground,
                )  # fmt: skip
    if len(found.rows) > len(rows):
        axes.text(
            1.0, -0.02, f"and {len(found.rows) - len(rows)} more", transform=axes.transAxes,
            ha="right", va="top", fontsize=8, color=LIGHT.faint,
        )  # fmt: skip


def thinned(track: EmotionTrack) -> EmotionTrack:
    """The track, or evenly `MAX_STEPS` of its moments where it has more."""
    if len(track.times) <= MAX_STEPS:
        return track
    return track.at(np.linspace(track.times[0], track.times[-1], MAX_STEPS))


def _edges(track: EmotionTrack, end_s: float) -> Double:
    """(T + 1,) borders of the steps, from the start to the end of the medium."""
    times = track.times.astype(np.float64)
    return np.concatenate([[0.0], (times[:-1] + times[1:]) / 2, [max(end_s, times[-1])]])


def _frame(axes: Axes, found: Recognition, title: str) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter

    fitting = [step for step in _STEPS_S if found.duration_s / step <= 12]
    step = fitting[0] if fitting else _STEPS_S[-1]
    axes.set_xlim(0, found.duration_s)
    ticks = np.arange(0, found.duration_s + 1e-9, step)[:40].tolist()
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x, decimals=int(step < 1))))
    axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=LIGHT.ink, pad=6)
    axes.tick_params(colors=LIGHT.faint, labelcolor=LIGHT.ink, labelsize=8.5, length=3)
    axes.grid(axis="y", color=LIGHT.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LIGHT.faint)
