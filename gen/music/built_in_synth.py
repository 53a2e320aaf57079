"""A small synthesizer in numpy for when no sound font can be played: FM voices and made drums.

Two-operator frequency modulation (Chowning 1973, "The Synthesis of Complex Audio Spectra by Means
of Frequency Modulation") with one setting for each family of eight General MIDI programs; the
index falls with time and rises with velocity, so that struck sounds are bright at first. Each block
is computed from the notes that sound in it and from absolute time, so memory stays constant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.gen.music.built_in_drums import drum_hit
from affetto.gen.music.note_events import note_events
from affetto.media_sound import Sound
from affetto.soundtrack import Part

Wave = NDArray[np.floating[Any]]

SILENCE = 1e-4  # a released or decayed note below this (-80 dB) is over
LEVEL = 0.16


@dataclass(frozen=True)
class Voice:
    """How a family sounds; times in seconds.

    Attributes:
        ratio: modulator frequency over carrier frequency.
        index: modulation index at full velocity, at the onset.
        index_decay_s: time constant of the index's fall towards a third of it.
        attack_s: linear rise.
        decay_s: time constant of the fall towards `sustain`.
        sustain: level held until the note ends, 0 for struck and plucked sounds.
        release_s: time constant after the note's end.
        detune: relative pitch distance of a second, opposite carrier left and right; 0 for none.
    """

    ratio: float
    index: float
    index_decay_s: float
    attack_s: float
    decay_s: float
    sustain: float
    release_s: float
    detune: float = 0.0


VOICES = (
    Voice(1.0, 1.4, 0.5, 0.003, 1.1, 0.0, 0.12),  # piano
    Voice(3.5, 1.6, 0.2, 0.002, 0.8, 0.0, 0.30),  # chromatic percussion
    Voice(1.0, 0.9, 9.0, 0.020, 1.0, 0.9, 0.06, 0.001),  # organ
    Voice(1.0, 1.7, 0.3, 0.003, 0.9, 0.0, 0.10),  # guitar
    Voice(1.0, 1.8, 0.3, 0.006, 1.5, 0.3, 0.06),  # bass
    Voice(1.0, 1.1, 2.0, 0.090, 1.0, 0.8, 0.18, 0.003),  # strings
    Voice(1.0, 0.8, 2.0, 0.120, 1.0, 0.8, 0.25, 0.004),  # ensemble
    Voice(1.0, 2.6, 0.6, 0.040, 0.6, 0.7, 0.10),  # brass
    Voice(2.0, 1.2, 0.8, 0.030, 0.6, 0.7, 0.10),  # reed
    Voice(1.0, 0.35, 1.0, 0.050, 0.6, 0.8, 0.10),  # pipe
    Voice(1.0, 2.2, 1.0, 0.010, 0.8, 0.7, 0.10, 0.002),  # synth lead
    Voice(1.0, 0.9, 4.0, 0.250, 2.0, 0.8, 0.50, 0.004),  # synth pad
    Voice(2.0, 1.3, 3.0, 0.150, 2.0, 0.6, 0.50, 0.003),  # synth effects
    Voice(3.0, 1.6, 0.2, 0.003, 0.7, 0.0, 0.15),  # ethnic
    Voice(1.41, 2.0, 0.1, 0.002, 0.4, 0.0, 0.20),  # percussive
    Voice(1.41, 3.0, 0.4, 0.010, 0.8, 0.2, 0.20),  # sound effects
)


@dataclass(frozen=True)
class _Sounding:
    """A note on samples; `end` is when the key is let go."""

    start: int
    end: int
    pitch: int
    velocity: int


class BuiltInSynth:
    """Needs nothing but numpy; recognisable families rather than real instruments."""

    name = "built-in synthesizer (no sound font)"

    def render(self, part: Part, *, duration_s: float, sample_rate: int) -> Iterator[Sound]:
        """See `Synth.render`."""
        total = round(duration_s * sample_rate)
        upcoming = _sounding(part, duration_s, sample_rate)[::-1]
        voice = VOICES[min(127, max(0, part.program)) // 8]
        hits: dict[int, Sound] = {}
        active: list[_Sounding] = []
        for start in range(0, total, sample_rate):
            stop = min(start + sample_rate, total)
            block = np.zeros((2, stop - start), np.float32)
            while upcoming and upcoming[-1].start < stop:
                active.append(upcoming.pop())
            kept = []
            for note in active:
                if part.is_drum:
                    if note.pitch not in hits:
                        hits[note.pitch] = drum_hit(note.pitch, sample_rate)
                    going_on = _add_hit(block, hits[note.pitch], note, start)
                else:
                    going_on = _add_note(block, voice, note, start, sample_rate)
                if going_on:
                    kept.append(note)
            active = kept
            yield block


def _sounding(part: Part, duration_s: float, sample_rate: int) -> list[_Sounding]:
    total = round(duration_s * sample_rate)
    notes, open_notes = [], {}
    for event in note_events(part, duration_s=duration_s, sample_rate=sample_rate):
        if event.is_on:
            open_notes[event.pitch] = event
        else:
            on = open_notes.pop(event.pitch)
            notes.append(_Sounding(on.sample, event.sample, on.pitch, on.velocity))
    notes += [_Sounding(on.sample, total, on.pitch, on.velocity) for on in open_notes.values()]
    return sorted(notes, key=lambda note: (note.start, note.pitch))


def _add_hit(block: Sound, hit: Sound, note: _Sounding, start: int) -> bool:
    """Add what of a drum falls into the block beginning at sample `start`; whether more is left."""
    first = max(start, note.start)
    last = min(start + block.shape[1], note.start + hit.shape[1])
    if first < last:
        level = np.float32(LEVEL * 2.5 * (note.velocity / 127) ** 1.5)
        block[:, first - start : last - start] += (
            level * hit[:, first - note.start : last - note.start]
        )
    return bool(note.start + hit.shape[1] > start + block.shape[1])


def _add_note(block: Sound, voice: Voice, note: _Sounding, start: int, sample_rate: int) -> bool:
    """Add what of a note falls into the block beginning at sample `start`; whether more is left."""
    first, last = max(start, note.start), _last_sample(voice, note, sample_rate)
    stop = min(start + block.shape[1], last)
    if first < stop:
        exact_s = np.arange(first - note.start, stop - note.start) / sample_rate
        time_s = exact_s.astype(np.float32)
        strength = note.velocity / 127
        hz = min(440.0 * 2 ** ((note.pitch - 69) / 12), 0.4 * sample_rate)
        # Sidebands beyond the Nyquist frequency would fold back: fewer of them for high notes.
        room = max(0.0, 0.45 * sample_rate / hz - 1) / voice.ratio - 1
        index = min(voice.index * (0.4 + 0.6 * strength), max(0.0, room))
        fall = (1 + 2 * np.exp(-time_s / voice.index_decay_s)) / 3
        level = np.float32(LEVEL * strength**1.5) * _envelope(voice, note, time_s, sample_rate)
        turns = hz * exact_s
        shift = index * fall * np.sin(_angle(voice.ratio * turns))
        for side, sign in ((0, -1), (1, 1)) if voice.detune else ((slice(None), 0),):
            angle = _angle((1 + sign * voice.detune) * turns)
            block[side, first - start : stop - start] += level * np.sin(angle + shift)
    return bool(last > start + block.shape[1])


def _angle(turns: Wave) -> Wave:
    """Radians in float32, wrapped first so that long notes stay exact."""
    wrapped = (turns - np.floor(turns)).astype(np.float32)
    return np.float32(2 * np.pi) * wrapped


def _held_level(voice: Voice, seconds: Wave) -> Wave:
    rise = np.minimum(seconds / voice.attack_s, 1.0)
    after = np.maximum(seconds - voice.attack_s, 0.0)
    level: Wave = rise * (voice.sustain + (1 - voice.sustain) * np.exp(-after / voice.decay_s))
    return level


def _envelope(voice: Voice, note: _Sounding, time_s: Wave, rate: int) -> Wave:
    end_s = (note.end - note.start) / rate
    held = _held_level(voice, np.minimum(time_s, end_s))
    released = np.exp(-np.maximum(time_s - end_s, 0.0) / voice.release_s)
    level: Wave = held * released
    return level


def _last_sample(voice: Voice, note: _Sounding, sample_rate: int) -> int:
    """Where the note has faded below `SILENCE`."""
    fade_s = voice.release_s * -np.log(SILENCE)
    gone = note.end + int(fade_s * sample_rate)
    if voice.sustain == 0:
        decay_s = voice.attack_s - voice.decay_s * np.log(SILENCE)
        gone = min(gone, note.start + int(decay_s * sample_rate))
    return gone
