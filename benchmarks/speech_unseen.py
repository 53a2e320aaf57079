"""What the speech recognizer says of sound from elsewhere: synthesized voices, talking clips, music; and its speed.

Run: python benchmarks/speech_unseen.py [--data ../shared/data] [--voices FOLDER of wav files]

None of it has emotion labels, so nothing here is a score: it shows where the recognizer keeps quiet
and where it is probably wrong. Clips are named by number, not by person.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from result_file import write_result

from affetto.clip import Clip
from affetto.emotion import LABELS, EmotionTrack
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech, recognize_speech
from affetto.recognizers.speech.whisper import RATE_HZ

SPEECH = ("st_KristiNoem", "st_Obama_clip1", "st_Obama_clip2", "st_Obama_clip3", "st_feifeili_clip1",
          "st_feifeili_clip2_short", "st_feifeili_clip3", "st_reagan_clip1", "vr_1", "ls_1")  # fmt: skip
MUSIC = ("lp_d6", "lp_d10", "lp_d11", "lp_d12", "lp_d14")
LONG_S = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--voices", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = load_speech()
    lines = [
        "# Speech recognizer on sound that no model saw",
        "",
        "Mean over the windows (3 s each second). No labels exist; see the text of the script.",
        "",
        "| sound | windows | confidence, mean (most) | valence | arousal | most probable |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    if given.voices is not None:
        for path in sorted(given.voices.glob("*.wav")):
            samples, rate = soundfile.read(path, dtype="float32")
            wav = soxr.resample(samples, rate, RATE_HZ).astype(np.float32)
            lines.append(
                row(f"synthesized voice {path.stem}", recognize_speech(wav, recognizer=recognizer))
            )
    folder = given.data / "talking_clips" / "clips"
    for kind, names in (("speech", SPEECH), ("music or effects", MUSIC)):
        for number, name in enumerate(names, start=1):
            lines.append(row(f"{kind} {number}", heard(folder / f"{name}.mp4", recognizer)))
    film = Path("samples/lantern_boat.mp4")
    lines.append(row("our film with its music", heard(film, recognizer)))
    lines += ["", *speed(recognizer, given.data)]
    write_result(
        "speech_unseen",
        "\n".join(lines),
        command="python benchmarks/speech_unseen.py --voices FOLDER",
    )


def heard(path: Path, recognizer: SpeechRecognizer) -> EmotionTrack:
    blocks = Clip.open(path).audio_blocks(sample_rate=RATE_HZ, channels=1)
    return recognize_speech(blocks, recognizer=recognizer)


def row(name: str, track: EmotionTrack) -> str:
    probs = track.probs.mean(axis=0)
    tops = ", ".join(f"{LABELS[place]} {probs[place]:.2f}" for place in np.argsort(-probs)[:3])
    confidence = f"{track.confidence.mean():.2f} ({track.confidence.max():.2f})"
    valence, arousal, _ = track.vad.mean(axis=0)
    return (
        f"| {name} | {len(track.times)} | {confidence} | {valence:+.2f} | {arousal:+.2f} | {tops} |"
    )


def speed(recognizer: SpeechRecognizer, data: Path) -> list[str]:
    """Ten minutes of one voice in one-second blocks, one thread, CPU time."""
    files = sorted((data / "ravdess" / "flac").glob("*-01.flac"))[:20]
    voice = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in files])

    def blocks() -> Iterator[NDArray[np.float32]]:
        for start in range(LONG_S):
            yield np.take(voice, np.arange(start * RATE_HZ, (start + 1) * RATE_HZ), mode="wrap")

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.process_time()
    track = recognize_speech(blocks(), recognizer=recognizer)
    taken = time.process_time() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        f"Speed: {LONG_S} s of sound, {len(track.times)} windows, {taken:.1f} s of CPU time on one thread (a busy machine): "
        f"{LONG_S / taken:.0f}x real time. Peak memory of the process {before:.0f} MB before, {after:.0f} MB after."
    ]


if __name__ == "__main__":
    main()
