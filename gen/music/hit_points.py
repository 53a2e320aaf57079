"""Hit points: which moments of the film the music shall meet, as `--hits` says them.

- `cuts`: the strong cuts that are found; `none`: the tempo goes its own way
- `3.2, 17.5`, `1:02.5; 1:10`: the user's own times; they go before the cuts, which still count
- `17.5=stop, 30=swell, 41=silence:4`: how a moment is met, see `WISHES`
- `markers.edl`, `.otio`, `.csv`: markers of an editing program (see `affetto.gen.music.markers`);
  one that is called `stop`, `swell`, `silence` or `silence 4` asks for it
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from affetto.errors import BadInput, UsageError
from affetto.gen.music.markers import SUFFIXES, read_markers
from affetto.soundtrack import Cut, HitPoint, Marker
from affetto.time_words import seconds_of

WISHES = ("stop", "swell", "silence")
MAX_POINTS = 500
_SAME_S = 0.001
_HOUR_S = 3600.0
_ASKED = re.compile(r"(stop|swell|silence)(?:\s*[: ]\s*(.*?)\s*s?)?", re.IGNORECASE | re.DOTALL)
_FORMS = (
    f"Write cuts, none, times such as 3.2,17.5=stop,30=silence:4 (after '=': {', '.join(WISHES)}) "
    f"or a file of markers ({', '.join(SUFFIXES)})"
)


@dataclass(frozen=True)
class Hits:
    """What the bars shall meet.

    Attributes:
        cuts: whether they meet the film's strong cuts.
        points: the user's own moments, by time, each once; they go first.
    """

    cuts: bool
    points: tuple[HitPoint, ...] = ()

    def accents(self, cuts: Sequence[Cut]) -> tuple[Cut, ...]:
        """The moments an accent may lie on: the user's as the strongest, and the cuts."""
        chosen = tuple(Cut(point.time_s, 1.0) for point in self.points)
        return chosen + tuple(cuts if self.cuts else ())

    def markers(self, cuts: Sequence[Cut]) -> tuple[Marker, ...]:
        """A marker for each cut of the film and each of the user's moments, by time."""
        found = [Marker(cut.time_s, f"cut {number}") for number, cut in enumerate(cuts, 1)]
        for number, point in enumerate(self.points, 1):
            said = point.name or point.wish
            found.append(Marker(point.time_s, f"hit {number}" + (f": {said}" if said else "")))
        return tuple(sorted(found, key=lambda marker: marker.time_s))

    def __str__(self) -> str:
        """Words for `parse_hits` without any file; the points' names are lost."""
        if not self.points:
            return "cuts" if self.cuts else "none"
        return ", ".join(map(_spelled, self.points))


CUTS = Hits(cuts=True)


def names_file(words: str) -> bool:
    """Whether the words of `--hits` name a file."""
    return words.strip().lower().endswith(SUFFIXES)


def parse_hits(words: str, *, duration_s: float, film_rate: Fraction) -> Hits:
    """Understand `--hits`; a file is read here.

    Args:
        words: as above.
        duration_s: of the music; no point may lie outside of it.
        film_rate: frames a second of the film, for a file's timecode.

    Raises:
        UsageError: the words mean nothing.
        BadInput: the file cannot be used, there are too many points, or one lies outside.
    """
    words = words.strip()
    if words.lower() in ("cuts", "none"):
        return Hits(cuts=words.lower() == "cuts")
    if names_file(words):
        markers = _from_start(read_markers(Path(words), film_rate=film_rate), duration_s)
        points = [_marked(marker) for marker in markers]
    else:
        points = _typed(words)
    return Hits(True, _checked(points, duration_s))


def _typed(words: str) -> list[HitPoint]:
    pieces = [piece.strip() for piece in re.split("[,;]", words.rstrip(",; "))]
    if pieces == [""]:
        raise UsageError(f"--hits is empty. {_FORMS}")
    points = []
    for piece in pieces:
        time, equals, asked = (part.strip() for part in piece.partition("="))
        try:
            wish, rest_s = _wish(asked) if equals else ("", None)
            points.append(HitPoint(seconds_of(time), wish, rest_s))
        except ValueError as error:
            raise UsageError(f"--hits: {piece[:60]!r} {error}. {_FORMS}") from error
    return points


def _wish(asked: str) -> tuple[str, float | None]:
    """What is asked of a point, and for how many seconds.

    Raises:
        ValueError: it is none of `WISHES`.
    """
    match = _ASKED.fullmatch(asked)
    if not match or (match[2] and match[1].lower() != "silence"):
        raise ValueError(f"asks for {asked[:40]!r}, not for {', '.join(WISHES)} or silence:4")
    rest_s = seconds_of(match[2]) if match[2] else None
    if rest_s == 0:
        raise ValueError("is a silence of no length")
    return match[1].lower(), rest_s


def _marked(marker: Marker) -> HitPoint:
    """The point of a marker, which asks for something if that is all its name says."""
    try:
        wish, rest_s = _wish(marker.text)
    except ValueError:
        wish, rest_s = "", None
    return HitPoint(marker.time_s, wish, rest_s, marker.text)


def _from_start(markers: Sequence[Marker], duration_s: float) -> Iterable[Marker]:
    """Times from the film's start: timelines often begin at an hour, such as 01:00:00:00."""
    hours_s = _HOUR_S * (markers[0].time_s // _HOUR_S)
    if markers[-1].time_s <= duration_s:
        return markers
    return [replace(marker, time_s=round(marker.time_s - hours_s, 6)) for marker in markers]


def _checked(points: Iterable[HitPoint], duration_s: float) -> tuple[HitPoint, ...]:
    """The points by time, those at one time as one."""
    kept: list[HitPoint] = []
    for point in sorted(points, key=lambda point: point.time_s):
        if point.time_s > duration_s:
            name = f" ({point.name})" if point.name else ""
            raise BadInput(
                f"--hits: {point.time_s:g} s{name} lies behind the end of the music: give times "
                f"from 0 to {duration_s:.2f} s"
            )
        if kept and point.time_s - kept[-1].time_s < _SAME_S:
            kept[-1] = kept[-1] if kept[-1].wish else replace(point, time_s=kept[-1].time_s)
        else:
            kept.append(point)
    if len(kept) > MAX_POINTS:
        raise BadInput(
            f"--hits: {len(kept)} moments are too many: give at most {MAX_POINTS}, those that "
            "matter (weaker cuts are found by themselves)"
        )
    return tuple(kept)


def _spelled(point: HitPoint) -> str:
    time = repr(round(point.time_s, 6)).removesuffix(".0")
    rest = "" if point.rest_s is None else f":{repr(point.rest_s).removesuffix('.0')}"
    return f"{time}={point.wish}{rest}" if point.wish else time
