"""Plots of a talking portrait over its time: emotion asked and seen, mouth and phones, head."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affetto.apps.report_plots import Axes, Palette, frame_panel, legend, thinned
from affetto.emotion import LABELS, EmotionTrack
from affetto.motion import Motion
from affetto.recognizers.score_portrait.lips import Lips

MAX_LABELS = 3
LEAST_PROBABILITY = 0.2
MAX_PHONES = 160  # more than these cannot be read in one panel
BLINK_SHUT = 0.5


@dataclass(frozen=True)
class Course:
    """What the plots show.

    Attributes:
        duration_s: of the film.
        asked: the emotion to be shown.
        seen: what the face recognizer sees in the film.
        motion: of the face.
        phones: (symbol, start_s, end_s).
        lips: measured in the film's first minute, None without a face.
    """

    duration_s: float
    asked: EmotionTrack
    seen: EmotionTrack
    motion: Motion
    phones: Sequence[tuple[str, float, float]]
    lips: Lips | None

    def labels(self) -> list[str]:
        """The labels asked for most, at most three, at least one."""
        mean, top = self.asked.probs.mean(axis=0), self.asked.probs.max(axis=0)
        order = [index for index in np.argsort(-mean) if top[index] >= LEAST_PROBABILITY]
        return [LABELS[index] for index in order[:MAX_LABELS]]


def emotion_panel(axes: Axes, data: Course, colours: Palette) -> None:
    """Probabilities over time: whole lines are asked, dashed ones are seen in the film."""
    frame_panel(axes, data, colours, "Emotion", "probability")
    paints = (colours.first, colours.second, colours.third)
    for label, paint in zip(data.labels(), paints, strict=False):
        place = LABELS.index(label)
        axes.plot(
            *thinned(data.asked.times, data.asked.probs[:, place]), color=paint, linewidth=1.8,
            label=f"{label}, asked",
        )  # fmt: skip
        there = data.seen.confidence > 0
        axes.plot(
            *thinned(data.seen.times[there], data.seen.probs[there, place]), color=paint,
            linewidth=1.2, linestyle=(0, (4, 2)), label=f"{label}, seen",
        )  # fmt: skip
    axes.set_ylim(-0.03, 1.05)
    axes.set_yticks([0, 0.5, 1])
    legend(axes, colours)


def mouth_panel(axes: Axes, data: Course, colours: Palette) -> None:
    """How far the jaw is to open and how far the lips are seen apart, under the phones heard."""
    frame_panel(axes, data, colours, "Mouth", "opening")
    times = np.arange(len(data.motion.values)) / data.motion.fps
    jaw = data.motion.channel("jawOpen")
    axes.fill_between(times, 0, jaw, color=colours.first, alpha=0.2, linewidth=0)
    axes.plot(*thinned(times, jaw), color=colours.first, linewidth=1.4, label="jaw asked")
    top = max(0.3, float(jaw.max()))
    if data.lips is not None:
        gap = data.lips.gap
        axes.plot(
            *thinned((np.arange(len(gap)) + 0.5) / data.lips.fps, gap), color=colours.second,
            linewidth=1.2, label="lips apart, seen (eye-corner distances)",
        )  # fmt: skip
        top = max(top, float(gap.max()))
    top *= 1.12
    if len(data.phones) <= MAX_PHONES:
        for symbol, start_s, end_s in data.phones:
            axes.axvline(start_s, ymin=0.86, color=colours.grid, linewidth=0.7)
            axes.text(
                (start_s + end_s) / 2, top * 1.07, symbol, ha="center", va="center", fontsize=7,
                color=colours.ink, clip_on=True,
            )  # fmt: skip
    axes.set_ylim(0, top * 1.14)
    legend(axes, colours)


def head_panel(axes: Axes, data: Course, colours: Palette) -> None:
    """Turns of the head in degrees; marks where both eyes shut."""
    frame_panel(axes, data, colours, "Head", "degrees")
    times = np.arange(len(data.motion.values)) / data.motion.fps
    paints = (colours.first, colours.second, colours.third)
    names = {"headPitch": "up", "headYaw": "to the side", "headRoll": "tilt"}
    for (name, words), paint in zip(names.items(), paints, strict=True):
        axes.plot(*thinned(times, data.motion.channel(name)), color=paint, linewidth=1.4,
                  label=words)  # fmt: skip
    both = np.minimum(data.motion.channel("eyeBlinkLeft"), data.motion.channel("eyeBlinkRight"))
    starts = np.flatnonzero((both[1:] > BLINK_SHUT) & (both[:-1] <= BLINK_SHUT)) + 1
    low, high = axes.get_ylim()
    axes.plot(
        times[starts], np.full(len(starts), low), "|", color=colours.ink, markersize=14,
        label="blink",
    )  # fmt: skip
    axes.set_ylim(low - 0.05 * (high - low), high)
    legend(axes, colours)
