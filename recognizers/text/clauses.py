"""The rules of a request in words: clauses in time, and parts with negation and degree.

English; what `foreign` brings into English goes through the same rules.
"""

import math
import re
from dataclasses import dataclass
from itertools import pairwise

# What is said of the place of a clause in the film: before it ("at first sad", "begins sad") or
# after it ("hopeful at the end").
_SUBJECT = r"(?:(?:it|the (?:music|film|video|scene|piece|mood))\s+)?(?:should\s+|must\s+)?"
_MARK_WORDS = {
    "start": (
        r"at first|at the (?:beginning|start|outset)|in the beginning|first(?:ly)?|initially"
        rf"|to begin with|{_SUBJECT}(?:begins?|beginning|starts?|starting|opens?|opening)"
        r"(?:\s+(?:out|off|with|as|in|by being|being)\b)?"
    ),
    "end": (
        r"(?:at|by|towards?) the (?:very )?end|in the end|finally|at last|eventually|ultimately"
        rf"|{_SUBJECT}(?:ends|ending|closes|closing|finishes|finishing|concludes|concluding)"
        r"(?:\s+(?:up|with|in|on|as)\b)*"
    ),
    "middle": r"in the middle|midway|half[- ]?way(?: through)?|meanwhile",
    "next": (
        r"(?:and |but )?then|after (?:that|this)|afterwards?|later(?: on)?|next|followed by"
        rf"|{_SUBJECT}(?:(?:slowly|gradually|suddenly|quickly)\s+)?(?:becom(?:es?|ing)"
        r"|turn(?:s|ing)?(?: into| to)?"
        r"|(?:chang|shift|mov|build|lead)(?:s|es|ing)? (?:up )?(?:in)?to"
        r"|giv(?:es|ing) way to|(?:grow|morph|fad|develop)(?:s|es|ing)? into|until it is)"
    ),
}
_MARKS = {name: re.compile(rf"\b(?:{words})\b", re.I) for name, words in _MARK_WORDS.items()}
_MARK = re.compile(rf"\b(?:{'|'.join(_MARK_WORDS.values())})\b", re.I)
# Nothing, or the next mark, comes after a mark that closes.
_CLOSED = re.compile(rf"\s*(?:(?:and|but)\s+)?(?:$|(?:{'|'.join(_MARK_WORDS.values())})\b)", re.I)
_FROM_TO = re.compile(r"\s*(?:(?:goes|moves|moving|going) )?from (.+?) (?:in)?to (.+)", re.I | re.S)
MAX_CHANGE_WORDS = 16  # "from sad to happy"; longer ones tell a story
_ORDER = {"start": 0, "": 1, "next": 1, "middle": 1, "end": 2}
_CUT = re.compile(r"\s*[,;.!?\n]+\s*|\s+[-–—]+\s+")
_JOINTS = " ,;.!?:-–—"
_EDGE_WORDS = re.compile(
    r"^(?:and|but|or|yet|it|is|it's|being|be|a bit of)\s+|\s+(?:and|but|it|is)$", re.I
)

_NEGATION = re.compile(
    r"\b(?:not|no|never|neither|nor|without|nothing|nobody|none|hardly|barely|anything but|far from"
    r"|no longer|isn't|aren't|wasn't|weren't|don't|doesn't|didn't|won't|ain't|less)\b",
    re.I,
)
_NOR = re.compile(r"\s+nor\s+", re.I)
# Negations in form that are none in meaning.
_IDIOM = re.compile(
    r"\b(?:not only|no doubt|no wonder|nothing but|can(?:no|')t (?:wait|believe|stop|help)"
    r"|cannot wait|could(?:n't| not) be (?:happier|better|prouder|more)"
    r"|never been (?:happier|better|so|more)|no (?:hope|way|idea|peace|rest|joy|friends|one)"
    r"|nothing left|nobody|not bad|nowhere|never again)\b",
    re.I,
)
_AT_ALL = re.compile(
    r"\b(?:at all|any ?more|any longer|in the least|the least bit|in any way)\b", re.I
)
DEGREES: dict[str, float] = {
    "slightly": 0.45, "a little": 0.5, "a bit": 0.5, "a touch of": 0.5, "a hint of": 0.4,
    "a trace of": 0.4, "somewhat": 0.6, "mildly": 0.5, "vaguely": 0.4, "faintly": 0.4,
    "subtly": 0.5, "fairly": 0.8, "rather": 0.9, "moderately": 0.7, "kind of": 0.7,
    "sort of": 0.7, "very": 1.15, "really": 1.1, "deeply": 1.15, "extremely": 1.3,
    "utterly": 1.3, "incredibly": 1.3, "absolutely": 1.25, "totally": 1.2, "completely": 1.2,
    "intensely": 1.3, "so very": 1.2, "insanely": 1.3, "overwhelmingly": 1.3, "terribly": 1.15,
}  # fmt: skip
_DEGREE = re.compile(rf"\b(?:{'|'.join(sorted(DEGREES, key=len, reverse=True))})\b", re.I)
_BETWEEN_PARTS = re.compile(r"\s*[,;.!?\n]+\s*(?:and|but|yet|or)?\s*|\s+(?:but|yet|nor)\s+", re.I)


@dataclass(frozen=True)
class Clause:
    """What holds for a part of the film, and how long beside the others."""

    text: str
    weight: float


@dataclass(frozen=True)
class Part:
    """Words of a clause that are read together."""

    text: str
    negated: bool
    degree: float


def parse_clauses(text: str) -> tuple[Clause, ...]:
    """Cut a request by its words of sequence; one clause where there are none."""
    found: list[tuple[str, str]] = []  # mark, words
    for mark, words in _segments(text):
        if found and not mark:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {words}")
        else:
            found.append((mark, words))
    if len(found) == 1:
        return (Clause(text.strip(), 1.0),)
    found.sort(key=lambda pair: _ORDER[pair[0]])
    marks = [mark for mark, _ in found]
    longer = 2.0 if marks == ["", "end"] else 1.0  # "at the end" is the last third
    return tuple(Clause(words, 1.0 if mark else longer) for mark, words in found)


def _segments(text: str) -> list[tuple[str, str]]:
    """Mark ("" for none) and words of each segment; a mark alone goes to the one after it."""
    change = _FROM_TO.match(text)
    if change and len(text.split()) <= MAX_CHANGE_WORDS:
        (mark, words), *rest = _segments(change[2])
        return [("start", change[1].strip(_JOINTS)), (mark or "next", words), *rest]
    segments: list[tuple[str, str]] = []
    waiting = ""
    for piece in _pieces(text):
        mark, words = _marked(piece)
        if words:
            segments.append((mark or waiting, words))
        waiting = "" if words else mark or waiting
    if waiting and segments:
        segments[-1] = (waiting, segments[-1][1])
    return segments or [("", text.strip(_JOINTS))]


def _pieces(text: str) -> list[str]:
    """Cut at punctuation, before marks that open and after marks that close a piece."""
    pieces: list[str] = []
    for piece in _CUT.split(text):
        cuts = {0, len(piece)}
        for match in _MARK.finditer(piece):
            if _CLOSED.match(piece, match.end()):
                cuts.add(match.end())
                joint = piece.rfind(" but ", 0, match.start())
                if joint < 0 and _MARK.search(piece, 0, match.start()):
                    joint = piece.rfind(" and ", 0, match.start())
                cuts.add(max(joint, 0))
            else:
                cuts.add(match.start())
        places = sorted(cuts)
        pieces += [piece[i:j].strip(_JOINTS) for i, j in pairwise(places)]
    return [piece for piece in pieces if piece]


def _marked(piece: str) -> tuple[str, str]:
    """Which mark is in a piece, the first of _MARKS, and its words without marks."""
    marks = [name for name, pattern in _MARKS.items() if pattern.search(piece)]
    for pattern in _MARKS.values():
        piece = pattern.sub(" ", piece)
    words = " ".join(piece.split()).strip(_JOINTS)
    while (shorter := _EDGE_WORDS.sub("", words).strip(_JOINTS)) != words:
        words = shorter
    return (marks[0] if marks else ""), "" if words.casefold() in ("and", "but", "or") else words


def parse_parts(text: str) -> tuple[Part, ...]:
    """Cut a clause where a negation or a degree stands in it; else it is one part."""
    if not (_NOR.search(text) or _negated(text) or _DEGREE.search(text)):
        return (Part(text, negated=False, degree=1.0),)
    text = _NOR.sub(", not ", text)
    parts = [_part(piece) for piece in _BETWEEN_PARTS.split(text) if piece.strip(_JOINTS)]
    return tuple(part for part in parts if part.text) or (Part(text, negated=False, degree=1.0),)


def _part(piece: str) -> Part:
    degrees = [DEGREES[match.group().casefold()] for match in _DEGREE.finditer(piece)]
    negated = _negated(piece)
    if negated:
        piece = _AT_ALL.sub(" ", _NEGATION.sub(" ", piece))
        degrees = []
    words = " ".join(_DEGREE.sub(" ", piece).split()).strip(_JOINTS)
    return Part(words, negated=negated, degree=math.prod(degrees))


def _negated(text: str) -> bool:
    """Whether it says that something is not; twice is not negated."""
    return len(_NEGATION.findall(_IDIOM.sub(" ", text))) % 2 == 1
