"""`affetto recognize --live`: a voice as it speaks, from a pipe or the microphone."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
import torch

from affetto.apps.emotion_summary import NOTHING, summarize
from affetto.apps.report_data import clock
from affetto.errors import BadInput, UsageError
from affetto.media_sound import Sound
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech, recognize_speech
from affetto.recognizers.speech.whisper import RATE_HZ

HOP_S = 0.5
SAMPLE = 2  # bytes of one
FULL_SCALE = 32768.0


@dataclass(frozen=True)
class LiveStep:
    """What was heard up to a moment.

    Attributes:
        time_s: since the beginning, of the newest sound in it.
        label: the most probable canonical label; None where there was nothing to judge.
        share: its probability.
        valence: [-1, 1].
        arousal: as valence.
        confidence: [0, 1].
        took_s: wall time of the judging.
    """

    time_s: float
    label: str | None
    share: float
    valence: float
    arousal: float
    confidence: float
    took_s: float


def listen_live(
    blocks: Iterable[Sound], *, recognizer: SpeechRecognizer, window_s: float = 3.0
) -> Iterator[LiveStep]:
    """Judge the last `window_s` seconds after every block; memory does not grow.

    Args:
        blocks: (S,) at 16 kHz, as they come.
        recognizer: of voices.
        window_s: as in `recognize_speech`; at first there is less.

    Raises:
        BadInput: a block of another kind.
    """
    held = np.zeros(0, np.float32)
    heard = 0
    for block in blocks:
        started = time.perf_counter()
        heard += len(block)
        held = np.concatenate([held, block])[-round(window_s * RATE_HZ) :]
        length_s = len(held) / RATE_HZ
        track = recognize_speech(held, window_s=window_s, hop_s=window_s, recognizer=recognizer)
        found = summarize(track, start_s=0.0, end_s=length_s)
        yield LiveStep(
            time_s=round(heard / RATE_HZ, 3),
            label=found.label,
            share=found.share,
            valence=found.valence,
            arousal=found.arousal,
            confidence=found.confidence,
            took_s=time.perf_counter() - started,
        )


def pipe_blocks(stream: BinaryIO, *, hop_s: float = HOP_S) -> Iterator[Sound]:
    """Blocks of `hop_s` from raw s16le, mono, 16 kHz, to the stream's end."""
    size = SAMPLE * round(hop_s * RATE_HZ)
    while data := stream.read(size):
        whole = data[: len(data) // SAMPLE * SAMPLE]
        if whole:
            yield np.frombuffer(whole, "<i2").astype(np.float32) / np.float32(FULL_SCALE)


def microphone_blocks(*, hop_s: float = HOP_S) -> Iterator[Sound]:
    """Blocks of `hop_s` from the default microphone, until Ctrl-C.

    Raises:
        UsageError: the package sounddevice is missing, or there is no microphone.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the package is there, PortAudio is not
        raise UsageError(
            f"the microphone needs the package sounddevice and PortAudio ({error}): pip install "
            "sounddevice; or pipe raw sound in: ffmpeg ... -f s16le -ac 1 -ar 16000 - | affetto "
            "recognize --live"
        ) from error
    size = round(hop_s * RATE_HZ)
    try:
        with sounddevice.InputStream(RATE_HZ, size, channels=1, dtype="float32") as stream:
            while True:
                block, _ = stream.read(size)
                yield block[:, 0].copy()
    except sounddevice.PortAudioError as error:
        raise UsageError(f"no microphone can be opened: {error}") from error


def run(*, window_s: float, as_json: bool, stdin: Any = None) -> None:  # noqa: ANN401
    """Print a line after each half second, flushed, until the sound ends.

    Args:
        window_s: seconds judged at once.
        as_json: one JSON object a line instead of a table's row.
        stdin: where piped sound comes from; the process's own if None. A terminal means the
            microphone.

    Raises:
        UsageError: no microphone.
        BadInput: the pipe held no sound.
    """
    torch.set_num_threads(1)
    source = sys.stdin if stdin is None else stdin
    blocks = microphone_blocks() if source.isatty() else pipe_blocks(source.buffer)
    count = 0
    for step in listen_live(blocks, recognizer=load_speech(), window_s=window_s):
        print(json.dumps(_few(asdict(step))) if as_json else line(step), flush=True)
        count += 1
    if not count:
        raise BadInput(
            "nothing came through the pipe: give raw sound, signed 16 bit, mono, 16 kHz "
            "(ffmpeg ... -f s16le -ac 1 -ar 16000 -)"
        )


def line(step: LiveStep) -> str:
    """A step as a row."""
    when = clock(step.time_s, decimals=1)
    if step.label is None:
        return f"{when:>8}  {NOTHING}"
    return (
        f"{when:>8}  {step.label:<12} {step.share:>4.0%}  valence {step.valence:+.2f}  arousal "
        f"{step.arousal:+.2f}  confidence {step.confidence:.2f}"
    )


def _few(record: dict[str, Any]) -> dict[str, Any]:
    return {k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}
