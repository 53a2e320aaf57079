"""POP909's sung lines as tokens on sixteenths, with their chords, for the melody network.

Interludes are shortened to two bars of silence; every song is moved to C major or A minor and by
whole octaves to one register.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affetto.gen.music.chords import NO_CHORD, transpose
from affetto.gen.music.keys import Key
from affetto.gen.music.melody import (
    CENTRE,
    CONTROLS,
    FIRST_PITCH,
    HIGH,
    HOLD,
    LOW,
    REST,
    STEPS_PER_BAR,
    STEPS_PER_BEAT,
    Ints,
    MelodySteps,
    chord_values,
    control_values,
    line_states,
    lookbacks,
)
from affetto.train.data.muvi_sync import Split
from affetto.train.data.pop909_scores import PopScore, read_scores

_BREATH = 6  # sixteenths of silence
_GAP = 2  # shorter gaps are how a note is sung
_AHEAD = 8  # sixteenths to the chord that is coming
_WINDOW = 4  # bars over which rate and register are counted
_LONGEST_REST = 2  # bars


@dataclass(frozen=True)
class Line:
    """One song's melody; all arrays have T sixteenths, whole bars.

    Attributes:
        name: of the song.
        tokens: (T,) see `affetto.gen.music.melody`.
        chords: (T,) ids in the model's key.
        minor: whether that is A minor.
        controls: (T, 4) scaled, in the order of `CONTROLS`.
        beat_s: seconds in a beat.
    """

    name: str
    tokens: Ints
    chords: Ints
    minor: bool
    controls: NDArray[np.float32]
    beat_s: float


def read_melodies(root: Path, split: Split) -> list[Line]:
    """The lines of one split of POP909 (a minute for the training part).

    Raises:
        BadInput: no zip there.
    """
    return [line for score in read_scores(root, split) if (line := line_of(score)) is not None]


def line_of(score: PopScore) -> Line | None:
    """The melody on its grid; None where hardly anything is sung or the beats are not its own."""
    notes = sorted(score.melody, key=lambda n: (n.start_s, n.pitch))
    starts_s = np.array([n.start_s for n in notes])
    place = score.beat_of(starts_s) * STEPS_PER_BEAT
    if len(notes) < 32 or np.abs(place - np.round(place)).mean() > 0.12:
        return None
    major = max(score.keys, key=lambda k: -k.start_s)
    key = Key(major.tonic, "min" if major.minor else "maj")
    first = max(int(place[0] // STEPS_PER_BAR) * STEPS_PER_BAR, 0)
    ends = score.beat_of(np.array([n.end_s for n in notes])) * STEPS_PER_BEAT
    size = -(-int(np.ceil(ends.max()) - first) // STEPS_PER_BAR) * STEPS_PER_BAR
    steps = np.round(place).astype(int) - first
    pitches = np.array([n.pitch for n in notes]) - key.shift
    pitches -= 12 * round((float(np.median(pitches)) - CENTRE) / 12)
    tokens = _tokens(steps, np.round(ends).astype(int) - first, _folded(pitches), size)
    beats_s = np.interp(
        (np.arange(size) + first + 0.5) / STEPS_PER_BEAT + score.downbeat,
        np.arange(len(score.beats_s)),
        score.beats_s,
    )
    chords = np.full(size, NO_CHORD, dtype=np.int64)
    begin = np.array([c.start_s for c in score.chords])
    index = np.searchsorted(begin, beats_s, side="right") - 1
    for step in np.flatnonzero(index >= 0):
        chords[step] = transpose(score.chords[index[step]].chord, -key.shift)
    kept = _without_interludes(tokens)
    beat_s = float(np.median(np.diff(score.beats_s)))
    tokens = tokens[kept]
    return Line(
        score.name, tokens, chords[kept], key.mode == "min", _controls(tokens, beat_s), beat_s
    )


def _folded(pitches: NDArray[np.int64]) -> NDArray[np.int64]:
    """By octaves into LOW..HIGH."""
    pitches = pitches + 12 * -(-np.maximum(LOW - pitches, 0) // 12)
    return np.asarray(pitches - 12 * -(-np.maximum(pitches - HIGH, 0) // 12))


def _tokens(
    starts: NDArray[np.int64], ends: NDArray[np.int64], pitches: NDArray[np.int64], size: int
) -> Ints:
    tokens = np.full(size, HOLD, dtype=np.int64)
    following = [*starts[1:].tolist(), size + _GAP]
    for start, end, pitch, after in zip(starts, ends, pitches, following, strict=True):
        if 0 <= start < size:
            tokens[start] = FIRST_PITCH + pitch - LOW
            if after - max(end, start + 1) >= _GAP and max(end, start + 1) < size:
                tokens[max(end, start + 1)] = REST
    return tokens


def _without_interludes(tokens: Ints) -> NDArray[np.bool_]:
    """(T,) False in silent bars beyond the second in a row."""
    bars = tokens.reshape(-1, STEPS_PER_BAR).max(axis=1) >= FIRST_PITCH
    silent, kept = 0, []
    for sings in bars.tolist():
        silent = 0 if sings else silent + 1
        kept.append(silent <= _LONGEST_REST)
    return np.repeat(kept, STEPS_PER_BAR)


def _controls(tokens: Ints, beat_s: float) -> NDArray[np.float32]:
    """(T, 4) what could have been asked for: counted over windows of four bars."""
    bars = tokens.reshape(-1, STEPS_PER_BAR)
    struck: NDArray[np.bool_] = bars >= FIRST_PITCH
    breathes = _breaths(tokens).reshape(bars.shape).max(axis=1)
    rows = np.zeros((len(bars), len(CONTROLS)), dtype=np.float32)
    for bar in range(len(bars)):
        window = slice(bar - bar % _WINDOW, bar - bar % _WINDOW + _WINDOW)
        count = struck[window].sum()
        sung = max(int((bars[window].max(axis=1) >= FIRST_PITCH).sum()), 1)
        pitches = bars[window][struck[window]] - FIRST_PITCH + LOW
        ahead = np.flatnonzero(breathes[bar : bar + 4])
        rows[bar], _ = control_values(
            {
                "rate": count / sung,
                "register": float(pitches.mean()) if count else CENTRE,
                "bars_left": float(ahead[0]) if len(ahead) else 4.0,
                "tempo": 60.0 / beat_s,
            }
        )
    return np.repeat(rows, STEPS_PER_BAR, axis=0)


def _breaths(tokens: Ints) -> NDArray[np.bool_]:
    """(T,) True where a silence of six sixteenths or more begins."""
    found = np.zeros(len(tokens), dtype=bool)
    events = np.flatnonzero(tokens != HOLD)
    for index, step in enumerate(events):
        end = events[index + 1] if index + 1 < len(events) else len(tokens)
        found[step] = tokens[step] == REST and end - step >= _BREATH
    return found


def steps_of(line: Line) -> MelodySteps:
    """A whole song as a batch of one, all controls given."""
    size = len(line.tokens)
    pitch, age = line_states(line.tokens)
    table = {int(chord): chord_values(int(chord)) for chord in np.unique(line.chords)}
    values = np.stack([table[int(chord)] for chord in line.chords])
    coming = np.concatenate([values[_AHEAD:], np.repeat(values[-1:], _AHEAD, axis=0)])[:size]
    return MelodySteps(
        pitch=torch.from_numpy(pitch)[None],
        age=torch.from_numpy(age)[None],
        place=(torch.arange(size) % STEPS_PER_BAR)[None],
        lookback=torch.from_numpy(lookbacks(line.tokens))[None],
        chords=torch.from_numpy(np.concatenate([values, coming], axis=1))[None],
        minor=torch.full((1, size), float(line.minor)),
        controls=torch.from_numpy(line.controls)[None],
        given=torch.ones(1, size, len(CONTROLS)),
    )


@dataclass(frozen=True)
class MelodyBatch:
    """What the network reads and shall say; `targets` (B, T) are -1 after a song's end."""

    steps: MelodySteps
    targets: Tensor


def batches(
    songs: Sequence[tuple[MelodySteps, Tensor]],
    *,
    bars: int,
    size: int,
    rng: np.random.Generator,
) -> Iterator[MelodyBatch]:
    """One epoch of windows of `bars` bars in random order.

    Args:
        songs: each with its tokens (T,).
        bars: of a window; the first one of each song begins 0 to `bars` - 1 bars early.
        size: windows in a batch.
        rng: draws the order and where windows begin.
    """
    length = bars * STEPS_PER_BAR
    windows = []
    for index, (_, tokens) in enumerate(songs):
        first = -int(rng.integers(bars)) * STEPS_PER_BAR
        windows += [(index, max(start, 0)) for start in range(first, len(tokens) - 64, length)]
    order = rng.permutation(len(windows))
    for begin in range(0, len(order), size):
        chosen = [windows[i] for i in order[begin : begin + size]]
        parts = [(*songs[index], start, start + length) for index, start in chosen]
        targets = [_padded(tokens[a:b], length, -1) for _, tokens, a, b in parts]
        steps = {
            field.name: torch.stack(
                [_padded(getattr(s, field.name)[0, a:b], length, 0) for s, _, a, b in parts]
            )
            for field in fields(MelodySteps)
        }
        yield MelodyBatch(MelodySteps(**steps), torch.stack(targets))


def _padded(values: Tensor, length: int, filler: int) -> Tensor:
    """(T, ...) filled up at the end to `length`."""
    missing = values.new_full((length - len(values), *values.shape[1:]), filler)
    return torch.cat([values, missing])
