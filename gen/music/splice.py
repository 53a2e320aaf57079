"""Sound files of a piece of which some seconds were made anew: elsewhere the old samples stay."""

from pathlib import Path

import numpy as np
import soundfile

from affetto.errors import BadInput

RING_S = 3.0  # releases and room after the last new note's bar
FADE_S = 0.5
_BLOCK = 1 << 16


def splice_wav(old: Path, new: Path, *, start_s: float, end_s: float) -> None:
    """Put the samples of `old` outside [start_s, end_s + RING_S] into `new`, bit by bit.

    In the last `FADE_S` of that stretch the new sound gives way to the old. Where `old` is missing
    (a part that did not play before) `new` stays as it is.

    Raises:
        BadInput: the two differ in length or rate.
    """
    if not old.is_file():
        return
    spliced = new.with_name(f".{new.name}")
    with soundfile.SoundFile(old) as before, soundfile.SoundFile(new) as after:
        shape = (after.samplerate, after.channels, after.frames)
        if (before.samplerate, before.channels, before.frames) != shape:
            raise BadInput(f"{old} does not fit the piece: compose it anew")
        rate = after.samplerate
        first = max(0, int(start_s * rate))
        stop = min(after.frames, int((end_s + RING_S) * rate))
        fade = stop - int(FADE_S * rate)
        with soundfile.SoundFile(
            spliced, "w", rate, after.channels, subtype=after.subtype, format="WAV"
        ) as out:
            for at in range(0, after.frames, _BLOCK):
                mine, other = (
                    file.read(_BLOCK, dtype="int32", always_2d=True) for file in (after, before)
                )
                place = np.arange(at, at + len(mine))
                share = np.clip((stop - place) / max(1, stop - fade), 0.0, 1.0) * (place >= first)
                mixed = other + np.rint(share[:, None] * (mine.astype(np.float64) - other))
                out.write(np.where(share[:, None] == 1.0, mine, mixed.astype(np.int32)))
    spliced.replace(new)
