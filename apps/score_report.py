"""Scores as a table, as plain data, and as a folder: scores.json, scores.md, a plot each."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from affetto.apps.recognize_palette import head
from affetto.apps.report_data import clock
from affetto.apps.report_plots import LIGHT, Axes
from affetto.apps.score import Comparison, Result
from affetto.emotion import EmotionTrack
from affetto.files import staged_folder
from affetto.recognizers.score import Metric

_CONTROLS = ("constant neutral", "shuffled in time", "best of other emotions")
_HEAD = ("metric", "score", "95 % interval", "best possible", *_CONTROLS, "beats them")
_LEAST_COVER = 0.5
_PORTRAIT = "the talking portrait, looked at again"
_MUSIC = "the music, measured again"


def table(result: Result) -> str:
    """The scores for a terminal."""
    lines = [
        f"{result.job.media.name} judged by {_judges(result)}",
        _losses(result),
        *result.notices,
    ]
    for one in result.comparisons:
        rows = [_HEAD, *(_cells(metric) for metric in one.score.metrics)]
        widths = [max(len(row[i]) for row in rows if len(row) > 2) for i in range(len(_HEAD))]
        lines += ["", _title(one)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join(cells).rstrip())
    for title, measured in ((_PORTRAIT, result.portrait), (_MUSIC, result.music)):
        if measured:
            width = max(len(one.name) for one in measured)
            lines += ["", title]
            lines += [f"{one.name.ljust(width)}  {one.value}  ({one.beside})" for one in measured]
    return "\n".join([*lines, "", *_definitions(result)])


def plain(result: Result) -> dict[str, Any]:
    """The scores as JSON types."""
    return {
        "media": result.job.media.name,
        "judge": result.job.judge,
        "judges": [vars(net) | {"trained_on": list(net.trained_on)} for net in result.judges],
        "losses": [vars(net) | {"trained_on": list(net.trained_on)} for net in result.losses],
        "losses_on_record": result.has_record,
        "notices": list(result.notices),
        "comparisons": [
            {
                "against": one.against,
                "what": one.what,
                "duration_s": round(one.duration_s, 3),
                "steps": one.score.num_steps,
                "judged_share": round(one.score.judged, 4),
                "metrics": [_plain_metric(metric) for metric in one.score.metrics],
            }
            for one in result.comparisons
        ],
        "portrait": [vars(one) for one in result.portrait],
        "music": [vars(one) for one in result.music],
        "command": result.job.command(),
    }


def write_report(folder: Path, result: Result) -> None:
    """Write the folder, whole or not at all."""
    with staged_folder(folder) as staged:
        text = json.dumps(plain(result), indent=2, ensure_ascii=False)
        (staged / "scores.json").write_text(text + "\n", encoding="utf-8")
        (staged / "scores.md").write_text(_markdown(result), encoding="utf-8")
        for one in result.comparisons:
            _plot(staged / f"{one.against}.png", result, one)


def _judges(result: Result) -> str:
    names = ", ".join(net.name for net in result.judges)
    return f"{result.job.judge} ({names})" if names else result.job.judge


def _losses(result: Result) -> str:
    if not result.has_record:
        return "No recipe.json beside it: whether the judge was a loss is not known."
    names = ", ".join(f"{net.name} {net.sha256[:12]}" for net in result.losses) or "none"
    return f"Losses on record: {names}; the judge is none of them."


def _title(one: Comparison) -> str:
    return (
        f"against the {one.against} {one.what}: {clock(one.duration_s, decimals=1)}, "
        f"{one.score.num_steps} steps, {one.score.judged:.0%} of them judged"
        + (" (too little to mean much)" if one.score.judged < _LEAST_COVER else "")
    )


def _cells(metric: Metric) -> tuple[str, ...]:
    if metric.score is None:
        return (metric.name, metric.note)
    low_high = metric.interval
    beats = {True: "yes", False: "NO", None: "too short to say"}[metric.beats_controls]
    return (
        metric.name,
        f"{metric.score:.2f}",
        f"{low_high[0]:.2f} to {low_high[1]:.2f}" if low_high else "too short",
        f"{metric.best_possible:.2f}",
        *(f"{metric.controls[name]:.2f}" if name in metric.controls else "-" for name in _CONTROLS),
        beats,
    )


def _definitions(result: Result) -> list[str]:
    if not result.comparisons:
        return []
    metrics = result.comparisons[0].score.metrics
    return [
        *(f"{metric.name}: {metric.definition}." for metric in metrics),
        "best possible: the wanted course itself, as if it had been recognized.",
        "shuffled in time: the same recording, its stretches of 5 s in random order, mean of 200.",
        "best of other emotions: the recording against the emotion, not asked for, that fits best.",
        "beats them: 97.5 % of the bootstrap above neutral, 95 % of shuffles and every other "
        "emotion below.",
    ]


def _plain_metric(metric: Metric) -> dict[str, Any]:
    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 4)

    return {
        "name": metric.name,
        "definition": metric.definition,
        "score": short(metric.score),
        "interval_95": None if metric.interval is None else [short(x) for x in metric.interval],
        "best_possible": short(metric.best_possible),
        "controls": {name: short(value) for name, value in metric.controls.items()},
        "beats_controls": metric.beats_controls,
        "note": metric.note,
    }


def _markdown(result: Result) -> str:
    lines = [
        f"# {result.job.media.name} judged by {_judges(result)}",
        "",
        _losses(result),
        *(line for notice in result.notices for line in ("", notice)),
    ]
    for one in result.comparisons:
        lines += ["", f"## {_title(one)}", "", f"| {' | '.join(_HEAD)} |", "| --- " * 8 + "|"]
        for metric in one.score.metrics:
            cells = _cells(metric)
            cells += ("",) * (len(_HEAD) - len(cells))
            lines.append(f"| {' | '.join(cells)} |")
        lines += ["", f"![{one.against}]({one.against}.png)"]
    for title, measured in ((_PORTRAIT, result.portrait), (_MUSIC, result.music)):
        if measured:
            lines += ["", f"## {title}", "", "| what | measured | beside |", "| --- | --- | --- |"]
            lines += [f"| {one.name} | {one.value} | {one.beside} |" for one in measured]
    lines += ["", "## What is measured", "", *(f"- {text}" for text in _definitions(result))]
    return "\n".join([*lines, "", f"Repeat: `{result.job.command()}`", ""])


def _plot(path: Path, result: Result, one: Comparison) -> None:
    """Valence and arousal, wanted and recognized, one above the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.0, 5.6), dpi=150, facecolor=LIGHT.ground)
    head(figure, result.found, 5.6)
    for place, (name, colour) in enumerate((("Valence", LIGHT.first), ("Arousal", LIGHT.second))):
        axes = figure.add_axes((0.07, 0.50 - 0.42 * place, 0.905, 0.31))
        _course(axes, one.wanted, one, place, "wanted", LIGHT.ink, dashed=True)
        _course(axes, result.found.track, one, place, "recognized", colour, dashed=False)
        axes.axhline(0, color=LIGHT.grid, linewidth=0.8)
        axes.set_xlim(0, one.duration_s)
        axes.set_ylim(-1.02, 1.02)
        axes.set_yticks([-1, 0, 1])
        axes.set_title(name, loc="left", fontsize=10.5, fontweight="bold", color=LIGHT.ink, pad=6)
        axes.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, fontsize=8.5,
            labelcolor=LIGHT.ink, borderaxespad=0.2,
        )  # fmt: skip
        axes.tick_params(colors=LIGHT.faint, labelcolor=LIGHT.ink, labelsize=8.5, length=3)
        axes.xaxis.set_major_formatter(lambda x, _: clock(x))
        for side, spine in axes.spines.items():
            spine.set_visible(side == "bottom")
            spine.set_color(LIGHT.faint)
    figure.savefig(path, format="png", metadata={"Software": None})


def _course(
    axes: Axes,
    track: EmotionTrack,
    one: Comparison,
    axis: int,
    label: str,
    colour: str,
    *,
    dashed: bool,
) -> None:
    times = np.linspace(0, one.duration_s, 400)
    there = track.at(times)
    axes.plot(
        times, there.vad[:, axis], color=colour, linewidth=1.8, label=label,
        linestyle=(0, (4, 2)) if dashed else "solid",
    )  # fmt: skip
    if not dashed:
        half = 1.645 * np.sqrt(there.vad_var[:, axis])
        low, high = (np.clip(there.vad[:, axis] + s * half, -1, 1) for s in (-1, 1))
        axes.fill_between(times, low, high, color=colour, alpha=0.15, linewidth=0)
