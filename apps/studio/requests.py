"""From what is set in the emotion editor to one request, as the command line takes it.

A request typed into a page is a stranger's text: it may name no file of this machine. The only
file it can speak of is the clip handed in beside it.
"""

from collections.abc import Sequence
from pathlib import Path

from affetto.errors import RequestError
from affetto.keyframe_file import SUFFIXES
from affetto.request import Keyframe, Mixture, Point, Share, Timeline, parse_request

NO_FEELING = "none"
MAX_ROWS = 200
LIKE_CLIP = "like:the clip"


def of_feelings(feelings: Sequence[tuple[str | None, float]]) -> str:
    """Labels with strengths 0 to 1, `NO_FEELING` for none: `happy:0.8+surprised:0.2`.

    Strength 0 counts as none; a label chosen twice counts with its greater strength.
    """
    shares: dict[str, float] = {}
    for label, strength in feelings:
        if label and label != NO_FEELING and strength > 0:
            shares[label] = max(strength, shares.get(label, 0.0))
    mixture = Mixture(tuple(Share(label, round(shares[label], 2)) for label in shares))
    return str(mixture) or "neutral"


def of_place(valence: float, arousal: float) -> str:
    """A place on the map, each -1 to 1: `va(-0.4,0.7)`."""
    return str(Point(round(valence, 2) + 0.0, round(arousal, 2) + 0.0, None))


def of_keyframes(rows: Sequence[Sequence[object]]) -> str:
    """Rows of (time, emotion, strength, easing) in any order: `0=neutral; 2.5=happy:0.9`.

    Rows without a time or without an emotion are passed over. A strength goes with a single label;
    an emotion that already says its strength, or a place, keeps what it says.

    Raises:
        RequestError: no row is filled in, there are more than `MAX_ROWS`, or one cannot be
            understood.
    """
    if len(rows) > MAX_ROWS:
        raise RequestError(f"the table has {len(rows)} rows: give at most {MAX_ROWS}")
    pieces = [_keyframe(*(str(cell or "").strip() for cell in row)) for row in rows if _filled(row)]
    if not pieces:
        raise RequestError("the timeline is empty: give at least one row a time and an emotion")
    keyframes: list[Keyframe] = []
    for piece in pieces:
        target = parse_request(f"{piece};").target
        assert isinstance(target, Timeline)
        keyframes += target.keyframes
    keyframes.sort(key=lambda keyframe: keyframe.time_s)
    return str(parse_request(str(Timeline(tuple(keyframes)))))


def without_files(text: str, *, clip: Path | None) -> str:
    """The request a job is given: understood, and naming no file but the clip handed in.

    Raises:
        RequestError: it names a file, asks to be like a clip that is not there, or is none.
    """
    text = text.strip()
    if text[:5].casefold() == "like:":
        if clip is None:
            raise RequestError("to be like a clip, hand one in under 'Like a clip' first")
        return f"like:{clip}"
    if text.casefold().endswith(SUFFIXES):
        raise RequestError(
            "the page takes no names of files: write the keyframes (0=neutral; 2.5=happy:0.9), or "
            "hand a saved track in under 'Like a clip'"
        )
    return str(parse_request(text))


def _filled(row: Sequence[object]) -> bool:
    return all(str(cell if cell is not None else "").strip() for cell in row[:2])


def _keyframe(time: str, emotion: str, strength: str = "", easing: str = "") -> str:
    plain = not set(emotion) & set(":+(")
    amount = f":{strength}" if strength and plain else ""
    return f"{time}={emotion}{amount} {easing}".strip()
