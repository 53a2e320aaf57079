"""EmotionRequest: what a person asks for, in one grammar for command line, UI, API and batch.

- `happy`, `angry:0.7`, `sad:0.6+surprised:0.4`: labels with strengths 0..1
- `fearfully surprised`, `sadly angry:0.6`: compounds, an adverb and a label in equal shares
- `va(-0.4,0.7)`, `vad(-0.4,0.7,0.2)`: valence, arousal, dominance in [-1, 1]
- `0=neutral; 2.5=happy:0.9; 1:30=sad:0.5 linear`: a timeline; easing smooth, linear or step
- `curve.csv`, `curve.json`: the same in a file (see `affetto.keyframe_file`)
- `auto`: as measured in the media; `counterpoint`: against it; `like:FILE`: as in that recording
- `bitter-sweet, hopeful at the end`: free text, several words without the signs : + =
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from affetto.emotion import LABELS
from affetto.emotion_words import labels_of, nearest_words
from affetto.errors import RequestError
from affetto.keyframe_file import MAX_KEYFRAMES, SUFFIXES, KeyframeWords, read_keyframes
from affetto.time_words import seconds_of

MAX_TEXT_BYTES = 4096
Easing = Literal["smooth", "linear", "step"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_POINT = re.compile(r"(vad?)\s*\((.*)\)", re.IGNORECASE)
_EASED = re.compile(rf"(.*\S)\s+({'|'.join(get_args(Easing))})", re.IGNORECASE)
# Marks that turn the reading direction: a text would not be what it looks like.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_WORDS = f"one of {', '.join(LABELS)} (angry:0.7, sad:0.6+surprised:0.4) or va(-0.4,0.7)"
_FORMS = (
    f"Write {_WORDS}, a timeline such as 0=neutral; 2.5=happy:0.9, auto, counterpoint, "
    "like:FILE, or several words of free text without ':', '+' and '='"
)
_KEYFRAME_FORMS = f"A keyframe takes {_WORDS}"
_KEYFRAME_FORM = "write a keyframe as 2.5=happy:0.9 or 1:30=sad:0.5 linear, and ';' between them"


@dataclass(frozen=True)
class Share:
    """One label of a mixture and its strength in [0, 1]."""

    label: str
    strength: float

    def __str__(self) -> str:
        """As written in a request."""
        return self.label if self.strength == 1 else f"{self.label}:{_spelled(self.strength)}"


@dataclass(frozen=True)
class Mixture:
    """One label or several at once, each label at most once."""

    shares: tuple[Share, ...]

    def __str__(self) -> str:
        """As written in a request."""
        return "+".join(map(str, self.shares))


@dataclass(frozen=True)
class Point:
    """A place in VAD space, each in [-1, 1]; dominance None leaves it to valence and arousal."""

    valence: float
    arousal: float
    dominance: float | None

    def __str__(self) -> str:
        """As written in a request."""
        if self.dominance is None:
            return f"va({_spelled(self.valence)},{_spelled(self.arousal)})"
        values = (self.valence, self.arousal, self.dominance)
        return f"vad({','.join(map(_spelled, values))})"


@dataclass(frozen=True)
class Keyframe:
    """At `time_s` the emotion is `target`; `easing` says how it comes there from the one before."""

    time_s: float
    target: Mixture | Point
    easing: Easing

    def __str__(self) -> str:
        """As written in a request."""
        easing = "" if self.easing == "smooth" else f" {self.easing}"
        return f"{_spelled(self.time_s)}={self.target}{easing}"


@dataclass(frozen=True)
class Timeline:
    """Keyframes in rising time; `file` is where they were read, None if typed."""

    keyframes: tuple[Keyframe, ...]
    file: Path | None = None

    def __str__(self) -> str:
        """As written in a request."""
        typed = "; ".join(map(str, self.keyframes))
        return str(self.file) if self.file else typed + ";" * (len(self.keyframes) == 1)


@dataclass(frozen=True)
class Auto:
    """The emotion measured in the media itself, or its opposite in valence and arousal."""

    against: bool = False

    def __str__(self) -> str:
        """As written in a request."""
        return "counterpoint" if self.against else "auto"


@dataclass(frozen=True)
class Like:
    """The emotion of another recording."""

    file: Path

    def __str__(self) -> str:
        """As written in a request."""
        return f"like:{self.file}"


@dataclass(frozen=True)
class FreeText:
    """A description in words."""

    text: str

    def __str__(self) -> str:
        """As written in a request."""
        return self.text


@dataclass(frozen=True)
class EmotionRequest:
    """What a person asks; made by `parse_request`, and `str` gives back a text with that meaning.

    Attributes:
        target: one of the forms of the grammar.
    """

    target: Mixture | Point | Timeline | Auto | Like | FreeText

    def __str__(self) -> str:
        """A text that parses to this request (for a file: as long as the file stays)."""
        return str(self.target)

    @property
    def needs(self) -> str | None:
        """The recognizer that must first resolve it, "text" or "face/voice"; None if there is none.

        `auto` needs none here: the track measured in the media is handed to the bank.
        """
        if isinstance(self.target, FreeText):
            return "text"
        return "face/voice" if isinstance(self.target, Like) else None

    @property
    def file(self) -> Path | None:
        """The file it names, if it names one, for the record of inputs."""
        return self.target.file if isinstance(self.target, (Timeline, Like)) else None


def parse_request(text: str) -> EmotionRequest:
    """Understand a request; a keyframe file is read here, free text and `like:` are resolved later.

    Args:
        text: at most 4 kB in the grammar above; upper and lower case are one.

    Raises:
        RequestError: what was wrong, where, and what a right one looks like.

    Example:
        >>> str(parse_request(" Joy:0.50 + sad "))
        'happy:0.5+sad'
    """
    text = _readable(text.strip())
    if text.casefold() in ("auto", "counterpoint"):
        return EmotionRequest(Auto(against=text.casefold() == "counterpoint"))
    if text[:5].casefold() == "like:":
        return EmotionRequest(_like(text[5:].strip()))
    if "=" in text or (";" in text and text[0].isdigit()):
        return EmotionRequest(Timeline(_keyframes(_split_timeline(text), "")))
    if text.casefold().endswith(SUFFIXES):
        file = Path(text)
        return EmotionRequest(Timeline(_keyframes(read_keyframes(file), f"{file}, "), file))
    many_words = len(text.split()) > 1 and not labels_of(text)
    if not _POINT.fullmatch(text) and many_words and not set(":+") & set(text):
        return EmotionRequest(FreeText(text))
    return EmotionRequest(_target(text, _FORMS))


def _readable(text: str) -> str:
    if not text:
        raise RequestError(f"the emotion request is empty. {_FORMS}")
    if len(text) > MAX_TEXT_BYTES or len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise RequestError(
            f"the emotion request is longer than {MAX_TEXT_BYTES} bytes: put keyframes in a file"
        )
    for place, sign in enumerate(text):
        if unicodedata.category(sign) in ("Cc", "Cs") or sign in _TURNING:
            raise RequestError(
                f"the emotion request holds the control character U+{ord(sign):04X} at place "
                f"{place + 1}: write it in one line of plain text"
            )
    return text


def _like(name: str) -> Like:
    if not name:
        raise RequestError("like: needs a file, for example like:voice.wav")
    return Like(Path(name))


def _split_timeline(text: str) -> list[KeyframeWords]:
    pieces = text.removesuffix(";").split(";")
    words = []
    for number, piece in enumerate(pieces, start=1):
        time, equals, target = piece.partition("=")
        if not equals:
            raise RequestError(f"keyframe {number} ({_quoted(piece)}) has no '=': {_KEYFRAME_FORM}")
        eased = _EASED.fullmatch(target.strip())
        target, easing = eased.groups() if eased else (target, "")
        words.append(KeyframeWords(time.strip(), target.strip(), easing))
    return words


def _keyframes(words: list[KeyframeWords], where: str) -> tuple[Keyframe, ...]:
    if not 1 <= len(words) <= MAX_KEYFRAMES:
        raise RequestError(
            f"{where}a timeline has 1 to {MAX_KEYFRAMES} keyframes, not {len(words)}"
        )
    keyframes: list[Keyframe] = []
    for number, word in enumerate(words, start=1):
        try:
            keyframe = Keyframe(
                _time(word.time), _target(word.target, _KEYFRAME_FORMS), _easing(word.easing)
            )
        except RequestError as error:
            raise RequestError(
                f"{where}keyframe {number} ({_quoted(f'{word.time}={word.target}')}): {error}"
            ) from error
        if keyframes and keyframe.time_s <= keyframes[-1].time_s:
            raise RequestError(
                f"{where}keyframe {number} is at {_spelled(keyframe.time_s)} s and keyframe "
                f"{number - 1} at {_spelled(keyframes[-1].time_s)} s: times must rise, none twice"
            )
        keyframes.append(keyframe)
    return tuple(keyframes)


def _time(word: str) -> float:
    try:
        return seconds_of(word)
    except ValueError as error:
        raise RequestError(f"{_quoted(word)} {error}: {_KEYFRAME_FORM}") from error


def _easing(word: str) -> Easing:
    easing = word.casefold() or "smooth"
    if easing not in get_args(Easing):
        raise RequestError(f"easing is {', '.join(get_args(Easing))}; got {_quoted(word)}")
    return cast(Easing, easing)


def _target(text: str, forms: str) -> Mixture | Point:
    point = _POINT.fullmatch(text)
    return _point(point[1], point[2]) if point else _mixture(text, forms)


def _point(name: str, inside: str) -> Point:
    values = [_number(word, low=-1) for word in inside.split(",")]
    if len(values) != len(name) or None in values:
        raise RequestError(
            f"{_quoted(f'{name}({inside})')} needs {len(name)} numbers from -1 to 1: "
            "write va(valence,arousal) such as va(-0.4,0.7), or vad(valence,arousal,dominance)"
        )
    valence, arousal, dominance = (*values, None)[:3]
    return Point(cast(float, valence), cast(float, arousal), dominance)


def _mixture(text: str, forms: str) -> Mixture:
    shares: list[Share] = []
    for part in text.split("+"):
        word, colon, amount = (piece.strip() for piece in part.partition(":"))
        if not word:
            raise RequestError(f"an emotion is missing in {_quoted(text)}. {forms}")
        labels = labels_of(word)
        if not labels:
            near = nearest_words(word[:60])
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise RequestError(f"unknown emotion {_quoted(word)}: {hint}{forms}")
        strength = _number(amount, low=0) if colon else 1.0
        if strength is None:
            raise RequestError(
                f"the strength of {word} must be a number from 0 to 1, got {_quoted(amount)}: "
                f"write for example {word}:0.7"
            )
        shares += [Share(label, strength / len(labels)) for label in labels]
    names = [share.label for share in shares]
    twice = [label for label in LABELS if names.count(label) > 1]
    if twice:
        raise RequestError(f"{_quoted(text)} names {twice[0]} twice: give it one strength")
    return Mixture(tuple(shares))


def _number(word: str, *, low: float) -> float | None:
    """The number in [low, 1], or None if the word is not such a number."""
    word = word.strip()
    if not _NUMBER.fullmatch(word):
        return None
    value = float(word) + 0.0  # no -0.0
    return value if low <= value <= 1 else None


def _spelled(value: float) -> str:
    return repr(value).removesuffix(".0")


def _quoted(text: str) -> str:
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
