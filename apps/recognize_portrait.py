"""The plot of what has no course: a photo with its faces, or a text."""

from typing import Any

import numpy as np

from affetto.apps.emotion_summary import HALF_90, summarize
from affetto.apps.recognize_job import Recognition, Row
from affetto.apps.recognize_palette import COLOURS, LIGHT_LABELS, head, row_name, strength
from affetto.apps.report_plots import LIGHT, Axes
from affetto.emotion import LABEL_VAD, LABELS

HEIGHT_IN = 6.2
MOST_FACES = 6
# Where a label's name stands beside its point (points of type), so that none lie on another.
_NAME_AT = {
    "fearful": (-4, 3), "angry": (4, -3), "disgusted": (-4, 2), "contemptuous": (4, -6),
    "happy": (-4, -6), "excited": (-4, 2), "surprised": (-4, -5),
}  # fmt: skip


def draw_portrait(figure: Any, found: Recognition) -> None:  # noqa: ANN401 - matplotlib's Figure
    """The photo, if there is one, each judge's probabilities, and where valence and arousal lie."""
    figure.set_size_inches(11.0, HEIGHT_IN)
    head(figure, found, HEIGHT_IN)
    if found.stills:
        _photo(figure.add_axes((0.025, 0.05, 0.40, 0.80)), found)
    _bars(figure.add_axes((0.53, 0.60, 0.43, 0.24)), found)
    _plane(figure.add_axes((0.575, 0.075, 0.26, 0.42)), found)


def _photo(axes: Axes, found: Recognition) -> None:
    picture = found.stills[0][1]
    height, width = picture.shape[:2]
    axes.imshow(picture)
    axes.set_axis_off()
    axes.set_anchor("NW")
    for row in _shown(found):
        if row.boxes is None:
            continue
        left, top, wide, tall = row.boxes[0]
        label = summarize(row.track, start_s=0, end_s=0).label or "nothing to judge"
        for colour, line in ((LIGHT.ground, 4.0), (LIGHT.ink, 1.6)):
            axes.add_patch(
                _rectangle((left * width, top * height), wide * width, tall * height, colour, line)
            )
        axes.text(
            left * width, top * height - 0.012 * height, f"{row.what}: {label}", fontsize=8,
            va="bottom", color=LIGHT.ink, clip_on=True,
            bbox={"facecolor": LIGHT.ground, "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
        )  # fmt: skip
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)


def _rectangle(
    corner: tuple[float, float], wide: float, tall: float, colour: str, line: float
) -> Any:  # noqa: ANN401
    from matplotlib.patches import Rectangle

    return Rectangle(corner, wide, tall, fill=False, edgecolor=colour, linewidth=line)


def _bars(axes: Axes, found: Recognition) -> None:
    rows = _shown(found)
    axes.set_title(
        "How probable each emotion is", loc="left", fontsize=10.5, fontweight="bold",
        color=LIGHT.ink, pad=6,
    )  # fmt: skip
    for place, row in enumerate(rows):
        alpha = float(strength(row.track.confidence[:1])[0])
        left = 0.0
        for index in np.argsort(-row.track.probs[0], kind="stable"):
            share, label = float(row.track.probs[0, index]), LABELS[index]
            axes.barh(
                place, share, left=left, height=0.7, color=COLOURS[label], alpha=alpha,
                edgecolor=LIGHT.ground, linewidth=0.8,
            )  # fmt: skip
            if share > 0.016 * (len(label) + 3) and alpha > 0:
                dark = label in LIGHT_LABELS or alpha < 0.55
                axes.text(
                    left + share / 2, place, label, ha="center", va="center", fontsize=8,
                    color=LIGHT.ink if dark else LIGHT.ground,
                )  # fmt: skip
            left += share
        if alpha == 0:
            axes.text(0.01, place, "nothing to judge", va="center", fontsize=8, color=LIGHT.faint)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row_name(row) for row in rows])
    axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    _quiet(axes)


def _plane(axes: Axes, found: Recognition) -> None:
    """Valence across, arousal up; an ellipse holds 90 % of where each judge thinks it lies."""
    from matplotlib.patches import Ellipse

    axes.set_title(
        "Where that lies", loc="left", fontsize=10.5, fontweight="bold", color=LIGHT.ink, pad=6
    )
    axes.axhline(0, color=LIGHT.grid, linewidth=0.8)
    axes.axvline(0, color=LIGHT.grid, linewidth=0.8)
    for label, (valence, arousal, _) in LABEL_VAD.items():
        axes.plot(valence, arousal, ".", color=LIGHT.grid, markersize=5)
        right, up = _NAME_AT.get(label, (4, 2))
        axes.annotate(
            label, (valence, arousal), (right, up), textcoords="offset points", fontsize=6.5,
            color=LIGHT.faint, ha="left" if right > 0 else "right",
        )  # fmt: skip
    for row, colour in zip(_shown(found), _row_colours(), strict=False):
        if row.is_empty:
            continue
        valence, arousal = row.track.vad[0, :2].astype(float)
        wide, tall = 2 * HALF_90 * np.sqrt(row.track.vad_var[0, :2])
        axes.add_patch(
            Ellipse((valence, arousal), wide, tall, fill=False, edgecolor=colour, linewidth=1.1)
        )
        axes.plot(valence, arousal, "o", color=colour, markersize=6, label=row_name(row))
    axes.set_xlim(-1, 1)
    axes.set_ylim(-1, 1)
    axes.set_xticks([-1, 0, 1], ["unpleasant", "0", "pleasant"])
    axes.set_yticks([-1, 0, 1], ["quiet", "0", "excited"])
    for ticks, place in ((axes.get_xticklabels(), "ha"), (axes.get_yticklabels(), "va")):
        ticks[0].set(**{place: "left" if place == "ha" else "bottom"})
        ticks[2].set(**{place: "right" if place == "ha" else "top"})
    axes.set_aspect("equal")
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.04, 1.0), frameon=False, fontsize=8,
        labelcolor=LIGHT.ink, handletextpad=0.3,
    )  # fmt: skip
    _quiet(axes)


def _shown(found: Recognition) -> tuple[Row, ...]:
    return found.shown_rows(most_faces=MOST_FACES)


def _row_colours() -> tuple[str, ...]:
    """Okabe and Ito's, ink first for the whole."""
    return (
        LIGHT.ink, LIGHT.first, LIGHT.second, LIGHT.third, "#c2479f", "#e69f00", "#56b4e9",
        "#6b2a3a", "#7a7a7a",
    )  # fmt: skip


def _quiet(axes: Axes) -> None:
    axes.tick_params(colors=LIGHT.faint, labelcolor=LIGHT.ink, labelsize=8.5, length=0)
    axes.set_facecolor("none")
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(LIGHT.faint)
