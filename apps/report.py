"""report.html: one self-contained page that shows a soundtrack over its film.

Nothing in it runs a script or asks a server: pictures and plots are inside, film and sounds are
the files beside it. The same data give the same bytes.
"""

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.apps import report_plots
from affetto.apps.report_data import ReportData, clock, meetings
from affetto.apps.report_page import page, shown_shots
from affetto.apps.report_plots import LIGHT, Palette
from affetto.files import staged_file
from affetto.gen.music.arrange import notes_sounding

__all__ = ["ReportData", "write_report", "write_report_picture"]

THUMBNAIL_WIDTH = 320
# Colours that the page's style sheet replaces, so that one drawing serves light and dark.
_STAND_INS = {
    "ink": "#010101", "faint": "#020202", "grid": "#030303", "ground": "#040404",
    "first": "#050505", "second": "#060606", "third": "#070707",
}  # fmt: skip
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_TEXT_FONT = "system-ui, 'DejaVu Sans', sans-serif"
_WIDTH_IN, _MARGINS = 11.0, {"left": 0.062, "right": 0.978}

Draw = Callable[[Any, ReportData, Palette], None]
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
    pictures = {index: _picture_address(data.thumbnails[index]) for index in shown}
    plots = [
        (heading, words, _svg(heading, draw, height_in, data))
        for (heading, words), (draw, height_in) in zip(_captions(data), PANELS, strict=True)
    ]
    text = page(data, pictures=pictures, plots=plots)
    with staged_file(path) as staged:
        staged.write_text(text, encoding="utf-8")


def write_report_picture(path: Path, data: ReportData) -> None:
    """Write the report's main panel, film strip above the plots, as a PNG 1760 pixels wide."""
    from matplotlib.figure import Figure

    heights = [1.05, *(height_in for _, height_in in PANELS)]
    figure = Figure(figsize=(_WIDTH_IN, sum(heights)), dpi=160, facecolor=LIGHT.ground)
    grid = figure.add_gridspec(
        len(heights), 1, height_ratios=heights, hspace=0.48, top=0.965, bottom=0.03, **_MARGINS
    )
    drawings: list[Draw] = [report_plots.spread_film, *(draw for draw, _ in PANELS)]
    for row, draw in enumerate(drawings):
        draw(figure.add_subplot(grid[row]), data, LIGHT)
    with staged_file(path) as staged:
        figure.savefig(staged, format="png", metadata={"Software": None})


def _svg(heading: str, draw: Draw, height_in: float, data: ReportData) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stream = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": heading}
    with rc_context(settings):
        figure = Figure(figsize=(_WIDTH_IN, height_in), facecolor="none")
        axes = figure.add_axes(
            (_MARGINS["left"], 0.32 / height_in, _MARGINS["right"] - _MARGINS["left"],
             1 - 0.74 / height_in)
        )  # fmt: skip
        draw(axes, data, Palette(**_STAND_INS))
        figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    return _inlined(stream.getvalue())


def _inlined(svg: str) -> str:
    """A drawing of matplotlib's as part of a page: no prologue, names or fixed colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = svg.replace("xlink:href", "href")
    svg = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg \1 aria-hidden="true">', svg, count=1
    )
    svg = re.sub(r"(font: [^;\"]*?[\d.]+px) [^;\"]*", rf"\1 {_TEXT_FONT}", svg)
    for name, stand_in in _STAND_INS.items():
        svg = svg.replace(stand_in, f"var(--{name})")
    return re.sub(r"\n\s*", "\n", svg)


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


def _picture_address(picture: NDArray[np.uint8]) -> str:
    import cv2

    height, width = picture.shape[:2]
    size = (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    flipped = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", flipped, [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert done, "OpenCV encodes any picture of bytes as JPEG"
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
