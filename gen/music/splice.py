"""Sound files of a piece of which some seconds were made anew: elsewhere the old samples stay."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from affetto.errors import BadInput
from affetto.gen.music.arrange.humanise import MAX_JITTER_S

EARLY_S = MAX_JITTER_S + 0.004  # players may be so early
IN_S = 0.002
RING_S = 3.0  # releases and room after the last new note's bar
FADE_S = 0.5
_BLOCK = 1 << 16
_FULL_SCALE = 2.0**31


def splice_wav(old: Path, new: Path, *, span_s: tuple[float, float] | None) -> float:
    """Put the samples of `old` outside [start - EARLY_S, end + RING_S] into `new`, bit by bit.

    Over `IN_S` at the start of that stretch the old sound gives way to the new, over `FADE_S` at
    its end the new to the old. Where `old` is missing (a part that did not play before) it was
    silent.

    Args:
        old: what to keep.
        new: what was made anew; changed in place.
        span_s: start and end of the bars that changed; None for none.

    Returns:
        The largest difference between the samples put back and those they replace, full scale 1.

    Raises:
        BadInput: the two differ in length or rate.
    """
    if not old.is_file():
        _silence(new, span_s)
        return 0.0
    off = 0.0
    spliced = new.with_name(f".{new.name}")
    with soundfile.SoundFile(old) as before, soundfile.SoundFile(new) as after:
        shape = (after.samplerate, after.channels, after.frames)
        if (before.samplerate, before.channels, before.frames) != shape:
            raise BadInput(f"{old} does not fit the piece: compose it anew")
        with soundfile.SoundFile(
            spliced, "w", after.samplerate, after.channels, subtype=after.subtype, format="WAV"
        ) as out:
            for at in range(0, after.frames, _BLOCK):
                mine, other = (
                    file.read(_BLOCK, dtype="int32", always_2d=True) for file in (after, before)
                )
                share = new_share(np.arange(at, at + len(mine)) / after.samplerate, span_s)[:, None]
                apart = mine.astype(np.float64) - other
                off = max(off, float(np.abs(apart * (share == 0)).max()) / _FULL_SCALE)
                mixed = (other + np.rint(share * apart)).astype(np.int32)
                out.write(np.where(share == 1.0, mine, mixed))
    spliced.replace(new)
    return off


def _silence(new: Path, span_s: tuple[float, float] | None) -> None:
    """A new player's file outside the span."""
    sound, rate = soundfile.read(new, dtype="int32", always_2d=True)
    share = new_share(np.arange(len(sound)) / rate, span_s)[:, None]
    kept = np.where(share == 1.0, sound, np.rint(share * sound).astype(np.int32))
    soundfile.write(new, kept, rate, subtype="PCM_24", format="WAV")


def new_share(
    times_s: NDArray[np.float64], span_s: tuple[float, float] | None
) -> NDArray[np.float64]:
    """How much of the new sound is heard at times (T,): 0 outside the span, 1 within."""
    if span_s is None:
        return np.zeros(len(times_s))
    start_s, end_s = span_s
    rise = (times_s - (start_s - EARLY_S)) / IN_S if start_s > 0 else np.ones(len(times_s))
    fall = (end_s + RING_S - times_s) / FADE_S
    return np.clip(np.minimum(rise, fall), 0.0, 1.0)
