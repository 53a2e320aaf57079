"""What the plots of recognitions share: colours by emotion, fading by confidence, the heading."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.apps.recognize_job import Recognition, Row
from affetto.apps.report_data import clock
from affetto.apps.report_plots import LIGHT
from affetto.emotion import LABELS

Double = NDArray[np.float64]
# Any two differ by at least 16 (CIE 1976) for normal, protan, deutan and tritan eyes (simulated
# after Machado, Oliveira and Fernandes 2009); areas also carry their names.
COLOURS = dict(
    zip(
        LABELS,
        ("#b4bcc6", "#eab430", "#1246b8", "#d0450d", "#35136b", "#317e50", "#fbf24a", "#4a1a22",
         "#62b0f5", "#c2479f", "#58dfae"),
        strict=True,
    )
)  # fmt: skip
LIGHT_LABELS = ("neutral", "happy", "surprised", "calm", "tender")  # dark writing on these
WIDTH_IN = 11.0
FULL_CONFIDENCE = 0.6  # from here on nothing is pale
PALEST = 0.12


def strength(confidence: NDArray[Any]) -> Double:
    """How strongly something is drawn, `PALEST`..1; 0 where there was nothing to judge."""
    sure = np.asarray(confidence, dtype=np.float64)
    shown = PALEST + (1 - PALEST) * np.clip(sure / FULL_CONFIDENCE, 0, 1)
    drawn: Double = np.where(sure > 0, shown, 0.0)
    return drawn


def head(figure: Any, found: Recognition, height_in: float) -> None:  # noqa: ANN401
    """Name and what one should know, in the top 0.62 inches."""
    length = f" ({clock(found.duration_s)})" if found.duration_s else ""
    figure.text(
        0.025, 1 - 0.28 / height_in, f"{found.file.name}{length}", fontsize=14, fontweight="bold",
        color=LIGHT.ink,
    )  # fmt: skip
    gone = "   ".join(f"{name}: {why}." for name, why in found.missing.items())
    figure.text(
        0.025, 1 - 0.50 / height_in,
        f"Estimates, not facts about a person. Pale: the judge is unsure.   {gone}", fontsize=8.5,
        color=LIGHT.faint,
    )  # fmt: skip


def row_name(row: Row) -> str:
    """As it stands beside its bar."""
    return {"all": "all together", "scene": "scene (felt)"}.get(row.what, row.what)
