"""A recognition as WebVTT subtitles, to be laid over the film."""

from pathlib import Path

from affetto.apps.emotion_summary import Stretch, stretches
from affetto.apps.recognize_job import Recognition
from affetto.files import staged_file


def write_webvtt(path: Path, found: Recognition) -> None:
    """Write the fused course as subtitles, one a stretch; what cannot be judged stays empty."""
    end_s = max(found.duration_s, float(found.track.times[-1]), 1.0)
    cues = [
        f"{_stamp(part.start_s)} --> {_stamp(part.end_s)}\n{_words(part)}\n"
        for part in stretches(found.track, start_s=0.0, end_s=end_s)
        if part.label is not None and round(part.end_s, 3) > round(part.start_s, 3)
    ]
    note = "NOTE Emotion recognized by Affetto: an estimate, not a fact about a person.\n"
    with staged_file(path) as staged:
        staged.write_text("\n".join(["WEBVTT\n", note, *cues]), encoding="utf-8")


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
