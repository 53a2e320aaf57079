"""Recognitions as text for a terminal, as plain data for JSON, and as a CSV file."""

import csv
import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np

from affetto.apps.emotion_summary import HALF_90, NOTHING, Stretch, stretches, summarize
from affetto.apps.recognize_job import FUSED, Answer, Recognition, Row
from affetto.apps.report_data import clock
from affetto.emotion import LABELS, VAD_AXES
from affetto.files import staged_file

MOST_STRETCHES = 24
MOST_FACES = 8
_HEAD = ("what", "where", "label", "share", "valence", "arousal", "how sure")
_WIDTHS = (9, 14, 13, 6, 13, 13, 0)
FEW_DIGITS = 4


def table(answer: Answer) -> str:
    """All that was found, for people; what failed is told on stderr by the command line."""
    parts = [_page(found) for found in answer.found]
    if answer.skipped:
        names = ", ".join(path.name for path in answer.skipped[:6])
        more = f" and {len(answer.skipped) - 6} more" * (len(answer.skipped) > 6)
        parts.append(f"Not looked at, of no kind that can be read: {names}{more}")
    return "\n\n".join(parts)


def plain(answer: Answer) -> dict[str, Any]:
    """All that was found as JSON types."""
    return {
        "files": [_plain_recognition(found) for found in answer.found],
        "failed": [
            {"file": str(one.file), "error": str(one.error), "exit_code": one.error.exit_code}
            for one in answer.failed
        ],
        "skipped": [str(path) for path in answer.skipped],
        "labels": list(LABELS),
        "wall_s": round(answer.wall_s, 3),
        "peak_rss_mb": round(answer.peak_rss_mb, 1),
    }


def write_csv(path: Path, answer: Answer) -> None:
    """Write one row a step of everything judged; bounds are those of the 90 % interval."""
    bounds = [f"{axis}_{side}" for axis in VAD_AXES for side in ("low", "high")]
    boxes = ("box_left", "box_top", "box_width", "box_height")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ("file", "what", "time_s", "label", "share", "confidence", *VAD_AXES, *bounds, *LABELS,
         *boxes)
    )  # fmt: skip
    for found in answer.found:
        for row in found.rows:
            writer.writerows((found.file.name, row.what, *cells) for cells in _cells(row))
    with staged_file(path) as staged:
        staged.write_text(out.getvalue(), encoding="utf-8")


def _page(found: Recognition) -> str:
    length = f", {clock(found.duration_s)}" if found.duration_s else ""
    faces = sum(row.modality == "face" for row in found.rows)
    seen = f", {faces} face{'s' * (faces > 1)}" if faces else ""
    lines = [f"{found.file.name}  {found.kind}{length}{seen}", "", _line(_HEAD)]
    rows = found.shown_rows(most_faces=MOST_FACES)
    lines += [_line(_summary_cells(row, found)) for row in rows if row.what not in found.missing]
    if len(rows) < len(found.rows):
        more = len(found.rows) - len(rows)
        lines.append(f"... and {more} smaller faces (--csv and --json have all)")
    lines += [_line((name, "-", why)) for name, why in found.missing.items()]
    if any(row.modality == "scene" and not row.is_empty for row in found.rows):
        lines.append("(scene: what light, colour, movement and cuts may make a viewer feel)")
    if found.duration_s:
        lines += ["", "over time", *_course(found)]
    return "\n".join(lines)


def _summary_cells(row: Row, found: Recognition) -> tuple[str, ...]:
    part = _summary(row, found)
    where = f"{clock(part.start_s)}-{clock(part.end_s)}" if found.duration_s else "whole"
    return (row.what, where, *_stretch_cells(part))


def _summary(row: Row, found: Recognition) -> Stretch:
    """A row as one; of subtitles only what is spoken counts, not the time between."""
    start_s, end_s = found.span(row)
    return summarize(row.track, start_s=start_s, end_s=end_s, gaps_count=found.kind != "text")


def _course(found: Recognition) -> list[str]:
    parts = stretches(found.track, start_s=0.0, end_s=found.duration_s)
    shown = parts[:MOST_STRETCHES]
    lines = [
        _line(("", f"{clock(part.start_s)}-{clock(part.end_s)}", *_stretch_cells(part)))
        for part in shown
    ]
    if len(parts) > len(shown):
        lines.append(f"... and {len(parts) - len(shown)} more (--csv and --json have all)")
    return lines


def _stretch_cells(part: Stretch) -> tuple[str, ...]:
    if part.label is None:
        return ("-", "", "", "", NOTHING)
    return (
        part.label,
        f"{part.share:.0%}",
        f"{part.valence:+.2f} ±{part.valence_half:.2f}",
        f"{part.arousal:+.2f} ±{part.arousal_half:.2f}",
        f"{part.words} ({part.confidence:.2f})",
    )


def _line(cells: tuple[str, ...]) -> str:
    if len(cells) < len(_HEAD):  # a sentence instead of figures
        return "  ".join((cells[0].ljust(_WIDTHS[0]), cells[1].ljust(_WIDTHS[1]), cells[2]))
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _plain_recognition(found: Recognition) -> dict[str, Any]:
    return {
        "file": str(found.file),
        "kind": found.kind,
        "duration_s": round(found.duration_s, 3),
        "rows": [_plain_row(row, found) for row in found.rows],
        "missing": found.missing,
        "stretches": [
            _few_digits(dataclasses.asdict(part))
            for part in stretches(found.track, start_s=0.0, end_s=max(found.duration_s, 1.0))
        ],
        "judges": [{"name": one.name, "sha256": one.sha256} for one in found.judges],
        "wall_s": round(found.wall_s, 3),
    }


def _plain_row(row: Row, found: Recognition) -> dict[str, Any]:
    part = _summary(row, found)
    names = ("times", "vad", "vad_var", "probs", "confidence")
    return {
        "what": row.what,
        "modality": row.modality or FUSED,
        "kind": row.track.kind,
        "known": [label for label, can in zip(LABELS, row.known, strict=True) if can],
        "summary": _few_digits(dataclasses.asdict(part)) | {"how_sure": part.words},
        "evidence": [_few_digits(dataclasses.asdict(item)) for item in row.track.evidence],
        **{name: _listed(getattr(row.track, name)) for name in names},
        "boxes": None if row.boxes is None else _listed(row.boxes),
    }


def _listed(values: Any) -> Any:  # noqa: ANN401 - nested lists of numbers
    return np.round(np.asarray(values, dtype=np.float64), FEW_DIGITS).tolist()


def _few_digits(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, FEW_DIGITS) if isinstance(value, float) else value
        for name, value in record.items()
    }


def _cells(row: Row) -> list[tuple[Any, ...]]:
    track = row.track
    half = HALF_90 * np.sqrt(track.vad_var)
    bounds = np.stack([track.vad - half, track.vad + half], axis=-1).clip(-1, 1)  # (T, 3, 2)
    rows = []
    for step, time_s in enumerate(track.times.tolist()):
        top = int(track.probs[step].argmax())
        heard = track.confidence[step] > 0
        numbers = np.concatenate([track.vad[step], bounds[step].ravel(), track.probs[step]])
        box = ("",) * 4 if row.boxes is None else tuple(f"{x:.4f}" for x in row.boxes[step])
        rows.append(
            (
                f"{time_s:g}",
                LABELS[top] if heard else "",
                f"{track.probs[step, top]:.4f}" if heard else "",
                f"{track.confidence[step]:.4f}",
                *(f"{value:.4f}" for value in numbers),
                *box,
            )
        )
    return rows
