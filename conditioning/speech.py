"""What a generator hears of a speech: Whisper states, phones, prosody, presence, at 50 Hz."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.conditioning.prosody import SILENT, loud_level
from affetto.errors import BadInput
from affetto.recognizers.speech.pooling import pool
from affetto.recognizers.speech.recognizer import SpeechRecognizer, load_speech
from affetto.recognizers.speech.whisper import FRAME, WhisperEncoder, load_whisper

Sound = NDArray[np.float32]
STEP_HZ = 50.0
LAYER = 3  # of Whisper's five states; hears phones best (benchmarks/phones.py)
LEVEL = 0.1  # loud level that a speech is brought to before Whisper, full scale 1
WINDOW_S, MARGIN_S = 10.0, 1.0
PRESENCE_S, PRESENCE_HOP_S = 1.6, 0.4
QUIET, QUIET_WIDTH = -1.9, 0.15  # log10 of amplitude over the loud level: a pause


def check_speech(wav: Sound) -> None:
    """Refuse what is no mono sound."""
    if wav.ndim != 1 or not len(wav) or not np.isfinite(wav).all():
        raise BadInput(f"a speech is finite samples (S,) at 16 kHz, S >= 1; got {wav.shape}")


def sounding(energy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T,) in [0, 1]: 0 in a pause, from the log10 of amplitude over the loud level."""
    share: NDArray[np.float32] = 1.0 / (1.0 + np.exp(-(energy - QUIET) / QUIET_WIDTH))
    return share


def state_windows(
    wav: Sound, recognizer: SpeechRecognizer | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Whisper states (t, 384) and presence of a voice (t,), piece by piece, each step once.

    Without a recognizer nobody judges, and the presence is 0.

    A window of `WINDOW_S` is heard at a time and its edges are left to its neighbours, so memory
    stays the same for hours of sound.
    """
    encoder: WhisperEncoder = (
        recognizer.__dict__["encoder"] if recognizer is not None else shared_encoder()
    )
    gain = LEVEL / max(loud_level(wav), SILENT)
    step, margin = round((WINDOW_S - 2 * MARGIN_S) * STEP_HZ), round(MARGIN_S * STEP_HZ)
    total = -(-len(wav) // FRAME)
    for first in range(0, total, step):
        start, last = max(0, first - margin), min(total, first + step)
        piece = torch.from_numpy(wav[start * FRAME : (last + margin) * FRAME] * np.float32(gain))
        with torch.no_grad():
            states = encoder(piece[None], torch.tensor([len(piece)]))  # (1, 5, t, D)
            there = (
                torch.zeros(states.shape[2])
                if recognizer is None
                else _presence(recognizer, states, piece / gain)
            )
        kept = slice(first - start, last - start)
        yield states[0, LAYER, kept], there[kept]


def _presence(recognizer: SpeechRecognizer, states: Tensor, wav: Tensor) -> Tensor:
    """(t,) judged on stretches of `PRESENCE_S`, linear between their middles."""
    total = states.shape[2]
    size, hop = (round(seconds * STEP_HZ) for seconds in (PRESENCE_S, PRESENCE_HOP_S))
    firsts = list(range(0, max(1, total - size + 1), hop))
    judged = []
    for first in firsts:
        part = states[:, :, first : first + size]
        sound = wav[first * FRAME : (first + size) * FRAME]
        level = sound.square().mean().sqrt()[None]
        length = torch.tensor([len(sound)])
        features = pool(part, torch.tensor([part.shape[2]]))
        judged.append(float(recognizer.presence(features, level, length)))
    middles = np.array(firsts) + min(size, total) / 2
    return torch.from_numpy(np.interp(np.arange(total), middles, judged).astype(np.float32))


@lru_cache(maxsize=1)
def shared_recognizer() -> SpeechRecognizer:
    """The speech recognizer that listens here, loaded once a process."""
    return load_speech()


@lru_cache(maxsize=1)
def shared_encoder() -> WhisperEncoder:
    """Whisper's encoder alone, loaded once a process."""
    return load_whisper()
