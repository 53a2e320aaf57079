"""A recognition as a picture: a course over time, or a photo with its faces."""

from pathlib import Path

from affetto.apps.recognize_course import draw_course
from affetto.apps.recognize_job import Recognition
from affetto.apps.recognize_palette import WIDTH_IN
from affetto.apps.recognize_portrait import draw_portrait
from affetto.apps.report_plots import LIGHT
from affetto.files import staged_file


def write_plot(path: Path, found: Recognition) -> None:
    """Write the plot of one medium as PNG, 1650 pixels wide.

    Raises:
        ResourceError: the place cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, 1.0), dpi=150, facecolor=LIGHT.ground)
    if found.duration_s > 0 and len(found.track.times) > 1:
        draw_course(figure, found)
    else:
        draw_portrait(figure, found)
    with staged_file(path) as staged:
        figure.savefig(staged, format="png", metadata={"Software": None})
