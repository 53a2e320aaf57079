"""What `affetto score` adds for music as notes: key, tempo, density, hits, loudness.

Beside a measure stands the band in which nine of ten real songs lie, two minutes of POP909's and
VGMIDI's each (benchmarks/music_distribution.py). Bars, key and cuts are those of composition.json
where one lies beside the notes, loudness that of mix.wav.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from affetto.apps.judges import Nets
from affetto.clip import Clip
from affetto.emotion import EmotionTrack
from affetto.errors import BadInput, MediaError
from affetto.gen.music.composition import FILE as COMPOSITION
from affetto.gen.music.composition import read_composition
from affetto.gen.music.loudness import LoudnessMeter
from affetto.gen.music.midi_reading import MidiPiece, read_midi
from affetto.recognizers.music.features import (
    Array,
    distinct_onsets,
    key_fits,
    note_rows,
    pitched_notes,
)
from affetto.recognizers.music.recognizer import recognize_music_sound
from affetto.recognizers.music.sound import RATE
from affetto.soundtrack import Soundtrack

NOTES, MIX, STEMS = "music.mid", "mix.wav", "stems"  # in a soundtrack's folder
NEAR_S = 0.04  # a cut this near to a beat is hit
TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
INSTANTS_PER_S = 8.0
MAJOR = [0, 2, 4, 5, 7, 9, 11]


@dataclass(frozen=True)
class MusicScore:
    """One measure of music: its name, its value with the unit, what to hold it against."""

    name: str
    value: str
    beside: str


def music_file(folder: Path) -> Path:
    """The notes in a soundtrack's folder.

    Raises:
        BadInput: there are none.
    """
    notes = folder / NOTES
    if not notes.is_file():
        raise BadInput(
            f"{folder} holds no {NOTES}: give the folder that affetto soundtrack wrote, or one file"
        )
    return notes


def stems_of(folder: Path) -> list[Path]:
    """The stems in a soundtrack's folder, [] where there are none."""
    return sorted((folder / STEMS).glob("*.wav"))


def hear_stems(folder: Path, nets: Nets) -> EmotionTrack | None:
    """The emotion of a soundtrack's music as it sounds; None without stems.

    The stems together are the music alone: in the mix lies the film's own sound as well, and what
    people say or a storm roars in it is not the music's feeling.

    Raises:
        MediaError: a stem cannot be read.
        BadInput: they last more than two hours.
    """
    stems = [Clip.open(path) for path in stems_of(folder)]
    if not stems:
        return None
    played = (clip.audio_blocks(sample_rate=RATE, channels=1) for clip in stems)
    blocks = (np.sum(np.stack(parts), axis=0) for parts in zip(*played, strict=False))
    length_s = min(clip.duration_s for clip in stems)
    return recognize_music_sound(blocks, recognizer=nets.music_sound, duration_s=length_s)


def score_music(
    media: Path, judged: EmotionTrack, heard: EmotionTrack | None = None
) -> tuple[MusicScore, ...]:
    """Measure a MIDI file, and what lies beside it.

    Args:
        media: a MIDI file with at least one pitched note.
        judged: the emotion of its notes over time.
        heard: that of its stems, by the net that hears.

    Raises:
        BadInput: the notes or the composition beside them cannot be read.
        MediaError: the mix beside them cannot be read.
    """
    piece = read_midi(media)
    rows = note_rows(pitched_notes(piece.parts))
    beside = media.parent / COMPOSITION
    composed = read_composition(beside).soundtrack if beside.is_file() else None
    found = [
        *_feeling(judged),
        *(_feeling(heard, " by ear") if heard else ()),
        _key(rows, composed),
        _tempo(piece, composed),
        *_texture(rows),
    ]
    if composed is not None:
        found += _hits(composed)
    if (media.parent / MIX).is_file():
        found += _loudness(media.parent / MIX)
    return tuple(found)


def _feeling(judged: EmotionTrack, of: str = "") -> list[MusicScore]:
    return [
        MusicScore(
            f"{name}{of}",
            f"{judged.vad[:, axis].mean():+.2f}",
            f"over time {judged.vad[:, axis].min():+.2f} to {judged.vad[:, axis].max():+.2f}",
        )
        for axis, name in enumerate(("valence", "arousal"))
    ]


def _key(rows: Array, composed: Soundtrack | None) -> MusicScore:
    fits = key_fits(_pitch_class_shares(rows))
    mode, tonic = np.unravel_index(fits.argmax(), fits.shape)
    heard = f"{TONICS[tonic]} {('major', 'minor')[mode]}"
    other = float(fits[1 - mode].max())
    beside = f"fits by {fits.max():.2f}, the best {('minor', 'major')[mode]} key by {other:.2f}"
    return MusicScore("key", heard, f"composed in {composed.key}; {beside}" if composed else beside)


def _pitch_class_shares(rows: Array) -> Array:
    held_s = rows[:, 1] - rows[:, 0]
    seconds = np.bincount(rows[:, 2].astype(int) % 12, weights=held_s, minlength=12)
    shares: Array = seconds / seconds.sum()
    return shares


def _tempo(piece: MidiPiece, composed: Soundtrack | None) -> MusicScore:
    if composed is not None:
        spans = [(bar.end_s - bar.start_s, bar.bpm) for bar in composed.bars]
    else:
        ends_s = [start_s for start_s, _ in piece.tempi[1:]] + [piece.duration_s]
        spans = [(end - start, bpm) for end, (start, bpm) in zip(ends_s, piece.tempi, strict=True)]
    seconds, bpm = np.array(spans).T
    mean = float(np.average(bpm, weights=np.maximum(seconds, 1e-9)))
    return MusicScore("tempo", f"{mean:.0f} bpm", f"{bpm.min():.0f} to {bpm.max():.0f}")


def _texture(rows: Array) -> list[MusicScore]:
    """Density, polyphony and pitch classes, each with the band of real songs."""
    length_s = max(rows[:, 1].max() - rows[0, 0], 1e-3)
    onsets_s = distinct_onsets(rows[:, 0])
    struck = np.stack([np.searchsorted(onsets_s, rows[:, 0], side="right"), rows[:, 2]])
    shares = _pitch_class_shares(rows)
    certain = shares[shares > 0]
    in_key = max(np.roll(shares, -tonic)[MAJOR].sum() for tonic in range(12))
    measured = [
        ("notes a second", np.unique(struck, axis=1).shape[1] / length_s, 3.91, 11.8),
        ("attacks a second", len(onsets_s) / length_s, 2.34, 5.73),
        ("different pitches at once", _polyphony(rows), 1.84, 4.5),
        ("pitch-class entropy, bits", -(certain * np.log2(certain)).sum(), 2.57, 3.38),
        ("share in one major scale", in_key, 0.719, 1.0),
    ]
    return [
        MusicScore(
            name,
            f"{value:.2f}",
            f"real songs {low:g} to {high:g}" + ("" if low <= value <= high else ": outside"),
        )
        for name, value, low, high in measured
    ]


def _polyphony(rows: Array) -> float:
    """Mean number of different pitches, over the instants at which any sounds."""
    step = 1 / INSTANTS_PER_S
    counts = []
    for begin in np.arange(rows[0, 0], rows[:, 1].max(), 1.0):  # a second at a time: little memory
        near = rows[(rows[:, 0] < begin + 1) & (rows[:, 1] > begin)]
        for time_s in begin + step * (np.arange(int(INSTANTS_PER_S)) + 0.5):
            on = near[(near[:, 0] <= time_s) & (near[:, 1] > time_s), 2]
            counts.append(len(np.unique(on)))
    heard = [count for count in counts if count]
    return float(np.mean(heard)) if heard else 0.0


def _hits(composed: Soundtrack) -> list[MusicScore]:
    """How far cuts are from beats and bar lines; chance is the share of time that near to one."""
    cuts_s = np.array([mark.time_s for mark in composed.markers if mark.text.startswith("cut")])
    if not len(cuts_s):
        return []
    downbeats_s = np.array([bar.start_s for bar in composed.bars] + [composed.duration_s])
    beats_s = np.concatenate(
        [
            *(
                np.linspace(bar.start_s, bar.end_s, bar.num_beats, endpoint=False)
                for bar in composed.bars
            ),
            [composed.duration_s],
        ]
    )
    found = []
    for name, lines_s in (("beat", beats_s), ("bar line", downbeats_s)):
        errors_s = np.abs(cuts_s[:, None] - lines_s).min(axis=1)
        chance = np.minimum(np.diff(lines_s), 2 * NEAR_S).sum() / composed.duration_s
        found.append(
            MusicScore(
                f"cuts within {1000 * NEAR_S:.0f} ms of a {name}",
                f"{(errors_s <= NEAR_S).mean():.0%} of {len(cuts_s)}",
                f"chance {chance:.0%}; median error {1000 * np.median(errors_s):.0f} ms",
            )
        )
    return found


def _loudness(mix: Path) -> list[MusicScore]:
    try:
        with soundfile.SoundFile(mix) as file:
            meter = LoudnessMeter(file.samplerate)
            for block in file.blocks(file.samplerate, dtype="float32", always_2d=True):
                meter.add(np.broadcast_to(block.T, (2, len(block))) if file.channels == 1
                          else block.T[:2])  # fmt: skip
    except (soundfile.SoundFileError, ValueError) as error:
        raise MediaError(f"cannot read {mix}: {error}") from error
    loud = meter.finish()
    return [
        MusicScore("loudness", f"{loud.integrated_lufs:.1f} LUFS", f"the whole of {mix.name}"),
        MusicScore("true peak", f"{loud.true_peak_dbtp:.1f} dBTP", "highest between samples"),
    ]
