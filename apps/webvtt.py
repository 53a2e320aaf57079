"""Subtitles: emotion written as WebVTT, and WebVTT or SubRip transcripts read."""

import html
import re
from dataclasses import dataclass
from pathlib import Path

from affetto.apps.emotion_summary import Stretch, stretches
from affetto.apps.recognize_job import Recognition
from affetto.errors import MediaError
from affetto.files import staged_file
from affetto.text_file import read_text

MAX_BYTES = 8 * 1024 * 1024
_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_ARROW = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_TAG = re.compile(r"<[^>\n]*>|\{\\[^}\n]*\}")


@dataclass(frozen=True)
class Spoken:
    """One subtitle: what is said from start to end, in seconds."""

    start_s: float
    end_s: float
    text: str


def write_webvtt(path: Path, found: Recognition) -> None:
    """Write the fused course as subtitles, one a stretch; what cannot be judged stays empty."""
    end_s = max(found.duration_s, float(found.track.times[-1]), 1.0)
    cues = [
        f"{_stamp(part.start_s)} --> {_stamp(part.end_s)}\n{_words(part)}\n"
        for part in stretches(found.track, end_s=end_s)
        if part.label is not None and round(part.end_s, 3) > round(part.start_s, 3)
    ]
    note = "NOTE Emotion recognized by Affetto: an estimate, not a fact about a person.\n"
    with staged_file(path) as staged:
        staged.write_text("\n".join(["WEBVTT\n", note, *cues]), encoding="utf-8")


def read_subtitles(path: Path) -> list[Spoken]:
    """Read the cues of a .srt or .vtt file, in order of time, formatting removed.

    Raises:
        MediaError: unreadable, or no cue in it.
    """
    text = read_text(path, max_bytes=MAX_BYTES, refusal=MediaError)
    found = []
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.split("\n")
        for number, line in enumerate(lines):
            match = _ARROW.fullmatch(line)
            if match:
                start_s, end_s = _seconds(match.groups()[:4]), _seconds(match.groups()[4:])
                words = html.unescape(_TAG.sub("", " ".join(lines[number + 1 :]))).strip()
                if end_s > start_s and words:
                    found.append(Spoken(start_s, end_s, words))
                break
    if not found:
        raise MediaError(f"{path} holds no subtitles: a cue is '0:01.000 --> 0:02.500' and a text")
    return sorted(found, key=lambda cue: (cue.start_s, cue.end_s))


def _words(part: Stretch) -> str:
    sure = "" if part.confidence >= 0.35 else f" ({part.words})"
    return (
        f"{part.label} {part.share:.0%}{sure}  "
        f"valence {part.valence:+.1f}  arousal {part.arousal:+.1f}"
    )


def _stamp(seconds: float) -> str:
    milliseconds = round(1000 * seconds)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    thousandths = int((fraction or "0").ljust(3, "0"))
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds or 0) + thousandths / 1000
