"""Texts and transcripts in sentences, with the times at which they are spoken."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from affetto.errors import BadInput
from affetto.recognizers.text.encoder import MAX_TOKENS
from affetto.text_file import read_text

MAX_FILE_BYTES = 8 * 1024 * 1024
SECONDS_A_WORD = 0.4  # speech of 150 words a minute, where a transcript has no times
SUFFIXES = (".srt", ".vtt", ".txt")
_END = re.compile(r"(?<=[.!?…。！？])[\"'”’)\]]*\s+|\n\s*\n+|(?<=[。！？])")
_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE = re.compile(rf"^\s*{_TIME}\s*-->\s*{_TIME}.*$", re.MULTILINE)
_MARKUP = re.compile(r"<[^<>\n]{0,80}>|\{\\[^{}\n]{0,80}\}")
_SOUND = re.compile(r"^\s*[\[(♪].*[\])♪]\s*$")


@dataclass(frozen=True)
class Spoken:
    """A piece of text and when it is spoken, seconds."""

    text: str
    start_s: float
    end_s: float


def read_transcript(path: Path) -> tuple[Spoken, ...]:
    """Read .srt, .vtt or .txt; plain text is taken to be spoken at 150 words a minute.

    Raises:
        BadInput: missing, too large, not text, another suffix, or no cue in it.
    """
    if path.suffix.casefold() not in SUFFIXES:
        raise BadInput(f"{path}: a transcript is {', '.join(SUFFIXES)}")
    text = read_text(path, max_bytes=MAX_FILE_BYTES, refusal=BadInput)
    if path.suffix.casefold() != ".txt":
        return parse_cues(text, where=str(path))
    spoken: list[Spoken] = []
    for sentence in split_sentences(text):
        start_s = spoken[-1].end_s if spoken else 0.0
        spoken.append(Spoken(sentence, start_s, start_s + SECONDS_A_WORD * len(sentence.split())))
    return tuple(spoken)


def parse_cues(text: str, *, where: str = "transcript") -> tuple[Spoken, ...]:
    """The cues of SubRip or WebVTT text in the order of their times; markup is dropped.

    Sounds in brackets and music signs are not speech and are left out.

    Raises:
        BadInput: there is no line such as 00:01:02,500 --> 00:01:04,000.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    heads = list(_CUE.finditer(text))
    if not heads:
        raise BadInput(f"{where} has no cue: expected lines like 00:01:02,500 --> 00:01:04,000")
    ends = [head.start() for head in heads[1:]] + [len(text)]
    cues = []
    for head, end in zip(heads, ends, strict=True):
        body = text[head.end() : end].strip("\n").split("\n\n")[0]
        lines = [line.strip() for line in _MARKUP.sub("", body).split("\n")]
        said = " ".join(line for line in lines if line and not _SOUND.match(line))
        start_s, end_s = _seconds(head.groups()[:4]), _seconds(head.groups()[4:])
        if said and end_s > start_s:
            cues.append(Spoken(said, start_s, end_s))
    return tuple(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s)))


def spoken_sentences(
    text: str | Sequence[Spoken], *, count: Callable[[str], int]
) -> tuple[Spoken, ...]:
    """Sentences of at most a batch's tokens, in rising time.

    Args:
        text: plain text, whose sentence i gets the times i and i + 1, or pieces with times, which
            a piece's sentences share by their length; where pieces overlap the later one waits.
        count: how many tokens a text has.
    """
    if isinstance(text, str):
        pieces = [
            piece for sentence in split_sentences(text) for piece in short_pieces(sentence, count)
        ]
        return tuple(Spoken(piece, float(i), float(i + 1)) for i, piece in enumerate(pieces))
    sentences: list[Spoken] = []
    for cue in sorted(text, key=lambda one: one.start_s):
        parts = [
            part for sentence in split_sentences(cue.text) for part in short_pieces(sentence, count)
        ]
        time_s = max(cue.start_s, sentences[-1].end_s if sentences else cue.start_s)
        share_s = max(cue.end_s - time_s, 0.01 * len(parts)) / max(1, sum(map(len, parts)))
        for part in parts:
            sentences.append(Spoken(part, time_s, time_s + share_s * len(part)))
            time_s = sentences[-1].end_s
    return tuple(sentences)


def split_sentences(text: str) -> list[str]:
    """Sentences by their closing marks and empty lines; what has no letter is left out."""
    pieces = (" ".join(piece.split()) for piece in _END.split(text))
    return [piece for piece in pieces if any(sign.isalpha() for sign in piece)]


def short_pieces(sentence: str, count: Callable[[str], int]) -> Iterator[str]:
    """Halves of halves, cut between words, until each is read whole."""
    words = sentence.split()
    if count(sentence) < MAX_TOKENS - 2 or len(words) < 2:
        yield sentence
        return
    for part in (words[: len(words) // 2], words[len(words) // 2 :]):
        yield from short_pieces(" ".join(part), count)


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    whole = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0)
    return whole + float(f"0.{fraction}")
