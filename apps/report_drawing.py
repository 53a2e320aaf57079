"""What is drawn in a report: plots as SVG in the page's own colours, and small pictures."""

import base64
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.apps.report_plots import Palette

THUMBNAIL_WIDTH = 320
# Colours that the page's style sheet replaces, so that one drawing serves light and dark.
_STAND_INS = {
    "ink": "#010101", "faint": "#020202", "grid": "#030303", "ground": "#040404",
    "first": "#050505", "second": "#060606", "third": "#070707",
}  # fmt: skip
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}
_TEXT_FONT = "system-ui, 'DejaVu Sans', sans-serif"
WIDTH_IN, MARGINS = 11.0, {"left": 0.062, "right": 0.978}


def svg(heading: str, height_in: float, draw: Callable[..., None]) -> str:
    """One panel as inline SVG: `draw` is given axes and `colours`."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stream = io.StringIO()
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": heading}
    with rc_context(settings):
        figure = Figure(figsize=(WIDTH_IN, height_in), facecolor="none")
        axes = figure.add_axes(
            (MARGINS["left"], 0.32 / height_in, MARGINS["right"] - MARGINS["left"],
             1 - 0.74 / height_in)
        )  # fmt: skip
        draw(axes, colours=Palette(**_STAND_INS))
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


def picture_address(picture: NDArray[np.uint8]) -> str:
    """A picture as a data: address, `THUMBNAIL_WIDTH` wide."""
    import cv2

    height, width = picture.shape[:2]
    size = (THUMBNAIL_WIDTH, max(1, round(height * THUMBNAIL_WIDTH / width)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    flipped = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".jpg", flipped, [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert done, "OpenCV encodes any picture of bytes as JPEG"
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
