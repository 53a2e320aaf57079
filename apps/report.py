"""report.html: one self-contained page that shows a soundtrack over its film.

Nothing in it runs a script or asks a server: pictures and plots are inside, film and sounds are
the files beside it. The same data give the same bytes.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from affetto.apps import report_plots
from affetto.apps.report_data import ReportData, clock, meetings
from affetto.apps.report_drawing import MARGINS, WIDTH_IN, picture_address, svg
from affetto.apps.report_page import page, shown_shots
from affetto.apps.report_plots import LIGHT
from affetto.files import staged_file
from affetto.gen.music.arrange import notes_sounding

__all__ = ["ReportData", "write_report", "write_report_picture"]

Draw = Callable[..., None]  # (axes, data: ReportData, colours: Palette)
# Each drawing with its height in inches.
PANELS: tuple[tuple[Draw, float], ...] = (
    (report_plots.spread_emotion, 2.5),
    (report_plots.spread_bars, 2.6),
    (report_plots.spread_density, 2.1),
    (report_plots.spread_loudness, 2.4),
)


def write_report(path: Path, data: ReportData) -> None:
    """Write the report.

    Args:
        path: the .html file; film and sounds are looked for beside it.
        data: what it shows.

    Raises:
        ResourceError: the place cannot be written.
    """
    shown = shown_shots(len(data.thumbnails))
    pictures = {index: picture_address(data.thumbnails[index]) for index in shown}
    plots = [
        (heading, words, svg(heading, height_in, partial(draw, data=data)))
        for (heading, words), (draw, height_in) in zip(_captions(data), PANELS, strict=True)
    ]
    text = page(data, pictures=pictures, plots=plots)
    with staged_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def write_report_picture(path: Path, data: ReportData) -> None:
    """Write the report's main panel, film strip above the plots, as a PNG 1760 pixels wide."""
    from matplotlib.figure import Figure

    heights = [1.05, *(height_in for _, height_in in PANELS)]
    figure = Figure(figsize=(WIDTH_IN, sum(heights)), dpi=160, facecolor=LIGHT.ground)
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.48, top=0.965, bottom=0.03, **MARGINS
    )
    drawings: list[Draw] = [report_plots.spread_film, *(draw for draw, _ in PANELS)]
    for row, draw in enumerate(drawings):
        draw(figure.add_subplot(grid[row]), data=data, colours=LIGHT)
    with staged_file(path) as staged:
        figure.savefig(staged, format="png", metadata={"Software": None})


def _captions(data: ReportData) -> list[tuple[str, str]]:
    vad = data.emotion.vad
    met = meetings(data)
    played = notes_sounding(data.soundtrack.parts, data.soundtrack.duration_s)
    lufs = data.loudness_lufs[np.isfinite(data.loudness_lufs)]
    span = f"{lufs.min():.1f} to {lufs.max():.1f} LUFS" if lufs.size else "silence"
    return [
        (
            "Emotion over time",
            f"Over {clock(data.duration_s)}, valence goes from {vad[:, 0].min():+.2f} to "
            f"{vad[:, 0].max():+.2f} and arousal from {vad[:, 1].min():+.2f} to "
            f"{vad[:, 1].max():+.2f}.",
        ),
        (
            "Cuts and bars over time",
            f"{len(data.soundtrack.bars)} bars; {sum(one.hit for one in met)} of {len(met)} cuts "
            "fall on a downbeat. The tables below give chords and cuts in words.",
        ),
        (
            "Notes sounding over time",
            f"Asked for {data.soundtrack.dynamics.density.mean():.1f} notes a second on average, "
            f"played {played.mean():.1f}.",
        ),
        (
            "Loudness over time",
            f"Short-term loudness goes over {span}; the target is {data.target_lufs:g} LUFS.",
        ),
    ]
