"""report.html of a talking portrait: the film, how it looks, what was asked and what is seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import numpy as np

from affetto.apps.report_data import clock
from affetto.apps.report_drawing import picture_address, svg
from affetto.apps.report_parts import (
    document,
    fact_list,
    file_list,
    header,
    local_address,
    measure_table,
    notice_list,
    plot_list,
)
from affetto.apps.talk_job import Job, Made, Result, music_line
from affetto.apps.talk_measures import Measured
from affetto.apps.talk_plots import Course, emotion_panel, head_panel, mouth_panel
from affetto.clip import Picture
from affetto.files import staged_file
from affetto.recognizers.score import Metric
from affetto.weights import Weights

AI_NOTE = (
    "This film is AI-generated: Affetto moved a still photo. The person shown did not say or feel "
    "this in front of a camera. Show it only with the consent of the person in the photo and of "
    "the voice, and say that it is made."
)
READING_NOTE = (
    "The emotion seen is what Affetto's own face recognizer reads from the finished film: it says "
    "how the face looks to a net, not what anybody feels."
)
KINDS = {
    "talk.mp4": "the film with its sound",
    "motion.csv": "every movement of the face; edit it and hand it back with --motion-in",
    "emotion.json": "the emotion that was to be shown, over time",
    "seen_emotion.json": "the emotion that the face recognizer sees in the film, over time",
    "recipe.json": "everything needed to repeat this",
    "music/mix.wav": "the film's sound: voice and music, 24 bit",
    "music/stems": "one instrument alone, without the voice",
    "music/music.mid": "notes with their tempo map, for a sequencer",
    "music/chords.txt": "the chords",
    "music/lead.musicxml": "a lead sheet for notation programs",
}


@dataclass(frozen=True)
class TalkReport:
    """What the page shows.

    Attributes:
        title: names of photo and speech.
        course: what the plots show.
        stills: (time in seconds, picture) for the contact sheet.
        facts: (name, value).
        measures: (name, value, meaning).
        files: (name, what it is).
        command: the command line that repeats it.
        notices: what the reader should know.
    """

    title: str
    course: Course
    stills: Sequence[tuple[float, Picture]]
    facts: Sequence[tuple[str, str]]
    measures: Sequence[tuple[str, str, str]]
    files: Sequence[tuple[str, str]]
    command: str
    notices: Sequence[str]


def report_data(
    job: Job, result: Result, *, made: Made, seen: Measured, weights: Sequence[Weights]
) -> TalkReport:
    """Everything the page shows."""
    return TalkReport(
        title=f"{job.portrait.name}, {job.speech.name}",
        course=Course(
            duration_s=result.duration_s,
            asked=made.wanted,
            seen=seen.emotion,
            motion=made.motion,
            phones=[(phone.symbol, phone.start_s, phone.end_s) for phone in made.heard.phones],
            lips=seen.lips,
        ),
        stills=seen.stills,
        facts=_facts(job, result),
        measures=[*_measures(result, seen), *map(_metric_row, seen.metrics)],
        files=[(name, KINDS[kind]) for name in result.files if (kind := _kind(name)) in KINDS],
        command=result.command,
        notices=[
            *result.notices,
            *(f"Weights {one.name}, trained on {', '.join(one.trained_on)}. {one.licence}"
              for one in weights),
        ],
    )  # fmt: skip


def write_report(path: Path, data: TalkReport) -> None:
    """Write the page; the film is looked for beside it.

    Raises:
        ResourceError: the place cannot be written.
    """
    parts = [
        header(data.title, "Report of a talking portrait", AI_NOTE),
        fact_list("The film", data.facts, data.command, "this film"),
        _film(),
        _contact_sheet(data.stills),
        plot_list("Over the film", _plots(data.course)),
        measure_table(data.measures),
        file_list(data.files),
        notice_list((AI_NOTE, READING_NOTE, *data.notices)),
    ]
    with staged_file(path) as staged:
        staged.write_text(
            document(f"{data.title} \u2013 talking portrait report", parts), encoding="utf-8"
        )


def _kind(name: str) -> str:
    return name.rpartition("/")[0] if name.startswith("music/stems/") else name


def _facts(job: Job, result: Result) -> Sequence[tuple[str, str]]:
    return [
        ("Length", clock(result.duration_s, decimals=2)),
        ("Size", f"{result.width} x {result.height}, {result.fps:g} fps"),
        ("Emotion asked", job.emotion),
        ("Strength", f"{job.strength:g}"),
        ("Head", job.head),
        ("Gaze", job.gaze),
        ("Seed", str(job.seed)),
    ]


def _measures(result: Result, seen: Measured) -> Sequence[tuple[str, str, str]]:
    rows = [
        ("emotion asked", result.asked, "the label wanted for most of the time"),
        ("emotion seen", result.seen, "the label that the face recognizer sees most of the time"),
    ]
    for name, rate in seen.rates.items():
        rows.append(
            (
                f"lips: {name}",
                f"{rate.rate:.0%} of {rate.count}",
                f"seen in the film when these sounds are heard; at wrong times {rate.chance:.0%}",
            )
        )
    if seen.lag_ms is not None:
        rows.append(
            ("lips after sound", f"{seen.lag_ms:+.0f} ms", "40 ms are hardly noticed by anybody")
        )
    if seen.identity:
        rows.append(
            (
                "distance to the photo",
                f"{seen.identity[0]:.2f}",
                "of the farthest still, by dlib's face descriptor, which Affetto uses for nothing "
                f"else: the same photo as JPEG {seen.identity[1]:.2f}, another person 0.6 or more",
            )
        )
    seen_blinks = f", {seen.lively.blinks_per_min:.0f} seen in the film" if seen.lively else ""
    rows.append(
        (
            "blinks",
            f"{result.blinks_per_minute:.0f} a minute{seen_blinks}",
            "people who talk blink some 10 to 25 times",
        )
    )
    if result.music:
        rows.append(
            (
                "music",
                music_line(result.music),
                f"of the same emotion as the face; played by {result.music.synth}",
            )
        )
    per_second = result.cpu_s / result.duration_s
    rows.append(("work", f"{per_second:.2f} CPU s per second of film", "all steps, this machine"))
    return rows


def _metric_row(metric: Metric) -> tuple[str, str, str]:
    name = f"asked against seen: {metric.name.replace('_', ' ')}"
    if metric.score is None:
        return name, "not usable here", f"{metric.definition} {metric.note}".strip()
    controls = ", ".join(f"{control} {value:.2f}" for control, value in metric.controls.items())
    words = f"{metric.definition} Controls: {controls}." if controls else metric.definition
    return name, f"{metric.score:.2f}", words


def _film() -> str:
    return (
        "<section><h2>Watch and listen</h2>"
        f'<video controls preload="metadata" src="{local_address("talk.mp4")}" '
        'aria-label="The portrait talking"></video></section>'
    )


def _contact_sheet(stills: Sequence[tuple[float, Picture]]) -> str:
    cards = "".join(
        f'<li><img src="{picture_address(picture)}" style="aspect-ratio:auto" '
        f'alt="The film at {clock(time_s, decimals=1)}">'
        f'<div class="row"><span class="faint">{clock(time_s, decimals=1)}</span></div></li>'
        for time_s, picture in stills
    )
    return f'<section><h2>How it looks</h2><ol class="strip">{cards}</ol></section>'


def _plots(course: Course) -> list[tuple[str, str, str]]:
    labels = escape(", ".join(course.labels()))
    jaw = course.motion.channel("jawOpen")
    yaw = np.ptp(course.motion.channel("headYaw"))
    return [
        (
            "Emotion over time",
            f"Probabilities of {labels}: asked, and seen in the film.",
            svg("emotion", 2.5, partial(emotion_panel, data=course)),
        ),
        (
            "Mouth over time",
            f"{len(course.phones)} phones were heard; the jaw opens to {jaw.max():.2f} at most.",
            svg("mouth", 2.5, partial(mouth_panel, data=course)),
        ),
        (
            "Head and blinks over time",
            f"The head turns over {yaw:.1f} degrees from side to side.",
            svg("head", 2.1, partial(head_panel, data=course)),
        ),
    ]
