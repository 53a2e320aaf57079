"""Markers of an OpenTimelineIO file (.otio), by their place in the timeline; plain JSON is read.

A track plays its children one after the other, a stack all at once; transitions take no time of
their own. A marker counts in the time of what it sits on: of a clip, in its media, so that it lies
as far behind the clip's place as behind the start of its source range. What lies outside the part
of a clip that is used is not in the film.

Source: OpenTimelineIO, "File Format Specification" and "Timeline Structure". Retimed clips are
taken at their own speed, as OpenTimelineIO does.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64

Found = tuple[float, str]


def otio_markers(text: str) -> list[Found]:
    """(seconds from the timeline's start, name) of each marker.

    Raises:
        ValueError: the text is no timeline, or something in it is no OpenTimelineIO.
    """
    timeline = json.loads(text)
    if _kind(timeline) != "Timeline":
        raise ValueError("not an OpenTimelineIO timeline (OTIO_SCHEMA is not Timeline)")
    return [*_marks(timeline), *_placed(timeline.get("tracks"), 0)[1]]


def _placed(item: object, depth: int) -> tuple[float, list[Found]]:
    """How many seconds an item lasts, and the markers on it and in it from its beginning on."""
    if depth > MAX_DEPTH:
        raise ValueError(f"the timeline is nested more than {MAX_DEPTH} deep")
    if not isinstance(item, dict):
        raise ValueError(f"expected an item of the timeline, got {str(item)[:40]!r}")
    found = list(_marks(item))
    in_turn = _kind(item) == "Track"
    at_s = whole_s = 0.0
    for child in _list(item.get("children")):
        if _kind(child) == "Transition":
            continue
        length_s, inside = _placed(child, depth + 1)
        found += [(at_s + time_s, name) for time_s, name in inside]
        whole_s = max(whole_s, at_s + length_s)
        at_s += length_s if in_turn else 0.0
    used = _used(item)
    if used is None:
        return whole_s, [(time_s, name) for time_s, name in found if time_s >= 0]
    begins_s, length_s = used
    return length_s, [
        (time_s - begins_s, name) for time_s, name in found if 0 <= time_s - begins_s <= length_s
    ]


def _marks(item: dict[str, Any]) -> Iterator[Found]:
    """An item's own markers, in its own time."""
    for mark in _list(item.get("markers")):
        if _kind(mark) != "Marker" or not isinstance(mark.get("marked_range"), dict):
            raise ValueError(f"expected a marker with a marked_range, got {str(mark)[:40]!r}")
        name = mark.get("name") or mark.get("comment") or ""
        yield _seconds(mark["marked_range"].get("start_time")), str(name)


def _used(item: dict[str, Any]) -> tuple[float, float] | None:
    """Where the part of an item that is used begins in its own time and how long it is, if said."""
    part = item.get("source_range")
    if part is None:  # then all of its media
        media = item.get("media_reference")
        several = item.get("media_references")
        if media is None and isinstance(several, dict):
            media = several.get(str(item.get("active_media_reference_key")))
        part = media.get("available_range") if isinstance(media, dict) else None
    if part is None:
        return None
    if not isinstance(part, dict):
        raise ValueError(f"expected a range of time, got {str(part)[:40]!r}")
    return _seconds(part.get("start_time")), _seconds(part.get("duration"))


def _seconds(time: object) -> float:
    """Seconds of a RationalTime."""
    try:
        value, rate = float(time["value"]), float(time["rate"])  # type: ignore[index]
        if not (math.isfinite(value) and math.isfinite(rate) and rate > 0):
            raise ValueError
        return value / rate
    except (TypeError, KeyError, ValueError, OverflowError):
        raise ValueError(f"expected a RationalTime, got {str(time)[:60]!r}") from None


def _kind(item: object) -> str:
    """The name of a schema without its version: Clip of 'Clip.2'."""
    schema = item.get("OTIO_SCHEMA") if isinstance(item, dict) else None
    return schema.partition(".")[0] if isinstance(schema, str) else ""


def _list(value: object) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise ValueError(f"expected a list, got {str(value)[:40]!r}")
    return value or []
