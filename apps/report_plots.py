"""The report's plots: each function draws one panel over the film's time into given axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.apps.report_data import Curve, HasDuration, ReportData, clock, meetings, signed_ms
from affetto.emotion import EmotionTrack
from affetto.gen.music.arrange import notes_sounding
from affetto.gen.music.chord_names import chord_name
from affetto.gen.music.keys import parse_key

Axes = Any  # matplotlib.axes.Axes: the package comes without types

MAX_POINTS = 900
MAX_BAR_LINES = 240
MAX_CHORD_BLOCKS = 300
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_KIND_WORDS = {
    "evoked": "read from the picture",
    "requested": "asked of the music",
    "expressed": "shown",
}


@dataclass(frozen=True)
class Palette:
    """Colours by what they stand for; any text that the output format takes as a colour."""

    ink: str
    faint: str
    grid: str
    ground: str
    first: str
    second: str
    third: str


# Okabe & Ito's colour-blind safe blue, vermilion and green, darkened for small text.
LIGHT = Palette("#1c2430", "#5d6877", "#d9dee6", "#ffffff", "#0068a8", "#c24e00", "#007a5a")


def spread_emotion(axes: Axes, data: ReportData, colours: Palette) -> None:
    """Valence and arousal with one standard deviation; dashed what was measured, if it differs."""
    frame_panel(axes, data, colours, "Emotion", "-1 to 1")
    axes.axhline(0, color=colours.faint, linewidth=0.6)
    for axis, (name, colour) in enumerate(
        (("valence", colours.first), ("arousal", colours.second))
    ):
        words = _KIND_WORDS[data.emotion.kind]
        times, mean, spread = _emotion_curve(data.emotion, axis)
        axes.fill_between(
            times, mean - spread, mean + spread, color=colour, alpha=0.16, linewidth=0
        )
        axes.plot(times, mean, color=colour, linewidth=1.8, label=f"{name}, {words}")
        if data.measured_emotion is not None and not _same(data.measured_emotion, data.emotion):
            words = _KIND_WORDS[data.measured_emotion.kind]
            times, mean, _ = _emotion_curve(data.measured_emotion, axis)
            axes.plot(
                times, mean, color=colour, linewidth=1.2, linestyle=(0, (4, 2)),
                label=f"{name}, {words}",
            )  # fmt: skip
    axes.set_ylim(-1.05, 1.05)
    axes.set_yticks([-1, -0.5, 0, 0.5, 1])
    legend(axes, colours)


def spread_density(axes: Axes, data: ReportData, colours: Palette) -> None:
    """Notes sounding in each second: asked of the arranger, and played."""
    frame_panel(axes, data, colours, "Notes sounding", "in each second")
    asked = data.soundtrack.dynamics
    played = notes_sounding(data.soundtrack.parts, data.soundtrack.duration_s).astype(np.float64)
    times = np.arange(len(played)) + 0.5
    times, played = thinned(np.minimum(times, data.duration_s), played)
    axes.fill_between(times, 0, played, step="mid", color=colours.first, alpha=0.22, linewidth=0)
    axes.step(times, played, where="mid", color=colours.first, linewidth=1.4, label="played")
    axes.plot(
        *thinned(asked.times_s, asked.density), color=colours.second, linewidth=1.6, label="asked"
    )
    axes.set_ylim(bottom=0)
    legend(axes, colours)


def spread_loudness(axes: Axes, data: ReportData, colours: Palette) -> None:
    """Short-term loudness of the mix, its target, and where the music made way."""
    frame_panel(axes, data, colours, "Loudness", "LUFS, short-term")
    times, lufs = thinned(data.loudness_times_s, _floored(data.loudness_lufs, data.target_lufs))
    axes.plot(times, lufs, color=colours.first, linewidth=1.6, label="mix")
    axes.axhline(
        data.target_lufs, color=colours.second, linewidth=1.2, linestyle=(0, (5, 3)),
        label=f"target {data.target_lufs:g} LUFS for the whole",
    )  # fmt: skip
    low, high = min(data.target_lufs - 14, *lufs), max(data.target_lufs + 6, *lufs + 2)
    if data.ducking_times_s is not None and data.ducking_gain_db is not None:
        duck_times, gain = thinned(data.ducking_times_s, data.ducking_gain_db)
        axes.fill_between(
            duck_times, high, high + np.clip(gain, -(high - low) / 2, 0), color=colours.third,
            alpha=0.35, linewidth=0, label="music lowered for the film's sound (dB, from above)",
        )  # fmt: skip
    axes.set_ylim(low, high)
    legend(axes, colours)


def spread_bars(axes: Axes, data: ReportData, colours: Palette) -> None:
    """Chords, bar lines and cuts: a filled mark is a cut that a downbeat meets."""
    frame_panel(axes, data, colours, "Cuts and bars", "strength of the cut")
    starts = [bar.start_s for bar in data.soundtrack.bars]
    every = -(-len(starts) // MAX_BAR_LINES)
    note = "bar line" if every == 1 else f"every {every}th bar line"
    axes.vlines(starts[::every], 0, 1.12, color=colours.faint, linewidth=0.7, alpha=0.7, label=note)
    met = meetings(data)
    for hit, face, label in ((True, colours.second, "cut on a downbeat"),
                             (False, colours.ground, "cut between downbeats")):  # fmt: skip
        some = [one for one in met if one.hit == hit]
        if some:
            at = [one.cut.time_s for one in some]
            tall = [one.cut.strength for one in some]
            axes.vlines(at, 0, tall, color=colours.second, linewidth=1.5)
            axes.plot(
                at, tall, "o", markersize=6, markerfacecolor=face,
                markeredgecolor=colours.second, markeredgewidth=1.4, label=label,
            )  # fmt: skip
    if len(met) <= 24:
        for one in met:
            axes.annotate(
                signed_ms(one.error_ms),
                (one.cut.time_s, one.cut.strength), (4, 5), textcoords="offset points",
                fontsize=7.5, color=colours.ink,
            )  # fmt: skip
    _chord_blocks(axes, data, colours)
    axes.set_ylim(0, 1.42)
    axes.set_yticks([0, 0.5, 1])
    legend(axes, colours)


def _chord_blocks(axes: Axes, data: ReportData, colours: Palette) -> None:
    key = parse_key(data.soundtrack.key)
    spans = _joined(data)
    if len(spans) > MAX_CHORD_BLOCKS:
        return
    for index, (start_s, end_s, symbol) in enumerate(spans):
        axes.fill_between(
            [start_s, end_s], 1.16, 1.40, color=colours.third, linewidth=0,
            alpha=0.30 if index % 2 else 0.16,
        )  # fmt: skip
        name = chord_name(symbol, key)
        share = (end_s - start_s) / data.duration_s
        if share * 200 > len(name) + 0.8:
            axes.text(
                0.5 * (start_s + end_s), 1.275, name, ha="center", va="center", fontsize=7,
                color=colours.ink, clip_on=True,
            )  # fmt: skip


def _joined(data: ReportData) -> list[tuple[float, float, str]]:
    spans: list[tuple[float, float, str]] = []
    for chord in data.soundtrack.chords:
        if spans and spans[-1][2] == chord.symbol:
            spans[-1] = (spans[-1][0], chord.end_s, chord.symbol)
        else:
            spans.append((chord.start_s, chord.end_s, chord.symbol))
    return spans


def spread_film(axes: Axes, data: ReportData, colours: Palette) -> None:
    """The film strip: a picture of each shot over the time it is seen."""
    frame_panel(axes, data, colours, "Film", "")
    axes.set_yticks([])
    axes.set_ylim(0, 1)
    box = axes.get_window_extent()
    unit_s = data.duration_s * box.height / box.width  # seconds as wide as the strip is tall
    for (start_s, end_s), picture in zip(data.shots(), data.thumbnails, strict=True):
        height, width = picture.shape[:2]
        count = max(1, round((end_s - start_s) * height / (unit_s * width)))  # a long shot repeats
        wide_s = (end_s - start_s) / count
        keep = min(width, max(1, round(height * wide_s / unit_s)))
        left = (width - keep) // 2
        part = picture[:, left : left + keep]
        for number in range(count):
            at = start_s + number * wide_s
            axes.imshow(
                part, extent=(at, at + wide_s, 0, 1), aspect="auto", interpolation="bilinear"
            )
    axes.set_xlim(0, data.duration_s)


def frame_panel(axes: Axes, data: HasDuration, colours: Palette, title: str, unit: str) -> None:
    """Title, unit, time axis in m:ss and the quiet frame that all panels share."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    steps = [step for step in _STEPS_S if data.duration_s / step <= 12]
    step = steps[0] if steps else _STEPS_S[-1]
    decimals = 1 if step < 1 else 0
    axes.set_xlim(0, data.duration_s)
    ticks = np.arange(0, data.duration_s + 1e-9, step)
    axes.xaxis.set_major_locator(FixedLocator(ticks[:40].tolist()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: clock(x, decimals=decimals)))
    axes.set_title(title, loc="left", fontsize=11, fontweight="bold", color=colours.ink, pad=8)
    axes.set_ylabel(unit, fontsize=8.5, color=colours.faint)
    axes.tick_params(colors=colours.faint, labelcolor=colours.ink, labelsize=8.5, length=3)
    axes.grid(axis="y", color=colours.grid, linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(colours.faint)


def thinned(times: NDArray[Any], values: NDArray[Any]) -> tuple[Curve, Curve]:
    """Means over equal groups, so that a long curve keeps at most `MAX_POINTS` points."""
    times, values = np.asarray(times, np.float64), np.asarray(values, np.float64)
    if len(times) <= MAX_POINTS:
        return times, values
    starts = np.linspace(0, len(times), MAX_POINTS, endpoint=False).astype(int)
    counts = np.diff(np.append(starts, len(times)))
    return np.add.reduceat(times, starts) / counts, np.add.reduceat(values, starts) / counts


def _floored(lufs: Curve, target_lufs: float) -> Curve:
    low = target_lufs - 30
    finite: Curve = np.where(np.isfinite(lufs), np.maximum(lufs, low), low)
    return finite


def _same(one: EmotionTrack, two: EmotionTrack) -> bool:
    return np.array_equal(one.times, two.times) and np.array_equal(one.vad, two.vad)


def _emotion_curve(track: EmotionTrack, axis: int) -> tuple[Curve, Curve, Curve]:
    times, mean = thinned(track.times, track.vad[:, axis])
    _, variance = thinned(track.times, track.vad_var[:, axis])
    return times, mean, np.sqrt(np.maximum(variance, 0))


def legend(axes: Axes, colours: Palette) -> None:
    """The panel's legend, beside its title."""
    axes.legend(
        loc="lower left", bbox_to_anchor=(0.15, 1.0), ncols=4, frameon=False, fontsize=8.5,
        labelcolor=colours.ink, borderaxespad=0.2, handlelength=1.8, columnspacing=1.4,
    )  # fmt: skip
