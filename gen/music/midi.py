"""A Soundtrack as a Standard MIDI File for any music program.

Named tracks, programs, a tempo map that follows the bars, time and key signatures, markers at cuts
and sections, chord names as text, and the film's exact length. Written through mido, because
pretty_midi cannot write markers. The same soundtrack gives the same bytes.
"""

from collections.abc import Sequence
from pathlib import Path

import mido
import numpy as np
from numpy.typing import NDArray

from affetto.files import staged_file
from affetto.gen.music.chord_names import chord_name
from affetto.gen.music.keys import Key, parse_key
from affetto.soundtrack import Bar, Note, Part, Soundtrack

RESOLUTIONS = (480, 960, 1920)  # ticks per beat
MAX_TICK_S = 0.001
MAX_TICKS = 9_900_000  # pretty_midi refuses files beyond 10 million
TEMPO_DRIFT_S = 100e-6
DRUM_CHANNEL = 9
MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
_MAJOR_KEYS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR_KEYS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")

Event = tuple[int, int, mido.Message | mido.MetaMessage]  # tick, order within it, message


class _Clock:
    """Seconds to ticks: linear inside each bar."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars
        self.ticks_per_beat = _resolution(bars)
        beats = np.cumsum([0] + [bar.num_beats for bar in bars])
        self.bar_ticks: NDArray[np.int64] = beats * self.ticks_per_beat
        self._edges_s = np.array([bar.start_s for bar in bars] + [bars[-1].end_s])

    @property
    def end(self) -> int:
        """The tick at which the film ends."""
        return int(self.bar_ticks[-1])

    def tick(self, time_s: float) -> int:
        """The tick nearest to a time within the film."""
        return round(float(np.interp(time_s, self._edges_s, self.bar_ticks)))


def write_midi(soundtrack: Soundtrack, path: Path) -> None:
    """Write a type 1 MIDI file: first a track of tempo, metre, key, markers and chords.

    Times read back from the file are within 1 ms for films of up to two hours. A note that is
    struck again while it sounds ends there; notes are cut at the film's end.

    Args:
        soundtrack: at most 15 parts that are not drums.
        path: the file to write.

    Raises:
        ResourceError: no space, or not allowed to write there.
        ValueError: too many parts.
    """
    clock = _Clock(soundtrack.bars)
    file = mido.MidiFile(type=1, ticks_per_beat=clock.ticks_per_beat, charset="utf-8")
    file.tracks.append(_conductor(soundtrack, clock))
    melodic = iter(MELODIC_CHANNELS)
    for part in soundtrack.parts:
        channel = DRUM_CHANNEL if part.is_drum else next(melodic, None)
        if channel is None:
            raise ValueError(f"MIDI has channels for {len(MELODIC_CHANNELS)} parts besides drums")
        file.tracks.append(_part_track(part, channel, clock, soundtrack.duration_s))
    with staged_file(path) as staged:
        file.save(staged)


def key_signature(key: Key) -> str:
    """The key as MIDI spells it: 'Eb', 'F#m'."""
    return f"{_MINOR_KEYS[key.tonic]}m" if key.mode == "min" else _MAJOR_KEYS[key.tonic]


def _resolution(bars: Sequence[Bar]) -> int:
    """Ticks per beat: at most a millisecond each in the slowest bar, yet not too many in all."""
    slowest_s = max(60.0 / bar.bpm for bar in bars)
    num_beats = sum(bar.num_beats for bar in bars)
    fine = (ticks for ticks in RESOLUTIONS if slowest_s / ticks <= MAX_TICK_S)
    return max(1, min(next(fine, RESOLUTIONS[-1]), MAX_TICKS // num_beats))


def _conductor(soundtrack: Soundtrack, clock: _Clock) -> mido.MidiTrack:
    key = parse_key(soundtrack.key)
    events: list[Event] = [(0, 0, mido.MetaMessage("key_signature", key=key_signature(key)))]
    events += _tempo_map(clock)
    num_beats = 0
    for tick, bar in zip(clock.bar_ticks.tolist(), soundtrack.bars, strict=False):
        if bar.num_beats != num_beats:
            num_beats = bar.num_beats
            metre = mido.MetaMessage("time_signature", numerator=num_beats, denominator=4)
            events.append((tick, 1, metre))
    for marker in soundtrack.markers:
        text = mido.MetaMessage("marker", text=marker.text)
        events.append((clock.tick(marker.time_s), 3, text))
    before = ""
    for chord in soundtrack.chords:
        if chord.symbol != before:
            before = chord.symbol
            text = mido.MetaMessage("text", text=chord_name(chord.symbol, key))
            events.append((clock.tick(chord.start_s), 4, text))
    return _track("Tempo and chords", events, clock.end)


def _tempo_map(clock: _Clock) -> list[Event]:
    """Tempo changes at bar lines.

    A tempo is a whole number of microseconds per beat. Each new one is chosen from where rounding
    has really led, and a tempo stays as long as the bar lines it gives are off by at most 0.1 ms:
    nothing adds up, and a steady tempo is one event.
    """
    events: list[Event] = []
    reached_s, tempo = 0.0, 0
    for tick, bar in zip(clock.bar_ticks.tolist(), clock.bars, strict=False):
        if abs(reached_s + bar.num_beats * tempo / 1e6 - bar.end_s) > TEMPO_DRIFT_S:
            tempo = max(1, round((bar.end_s - reached_s) / bar.num_beats * 1e6))
            events.append((tick, 2, mido.MetaMessage("set_tempo", tempo=tempo)))
        reached_s += bar.num_beats * tempo / 1e6
    return events


def _part_track(part: Part, channel: int, clock: _Clock, duration_s: float) -> mido.MidiTrack:
    program = 0 if part.is_drum else part.program
    start = mido.Message("program_change", program=program, channel=channel)
    events: list[Event] = [(0, 0, start)]
    for note, on, off in _apart(part.notes, clock, duration_s):
        pitch, velocity = note.pitch, note.velocity
        events += [
            (on, 2, mido.Message("note_on", note=pitch, velocity=velocity, channel=channel)),
            (off, 1, mido.Message("note_off", note=pitch, velocity=0, channel=channel)),
        ]
    return _track(part.name, events, clock.end)


def _apart(notes: Sequence[Note], clock: _Clock, duration_s: float) -> list[tuple[Note, int, int]]:
    """Notes with their ticks, (note, on, off); those of one pitch never overlap."""
    timed: list[tuple[Note, int, int]] = []
    next_on: dict[int, int] = {}
    inside = (note for note in notes if note.start_s < duration_s)
    for note in sorted(inside, key=lambda n: (n.start_s, n.end_s, n.velocity), reverse=True):
        on = min(clock.tick(note.start_s), clock.end - 1)
        following = next_on.get(note.pitch, clock.end)
        if on == following:
            continue  # the same note twice at once: the longer one stays
        off = min(max(clock.tick(note.end_s), on + 1), following)
        timed.append((note, on, off))
        next_on[note.pitch] = on
    return timed[::-1]


def _track(name: str, events: list[Event], end: int) -> mido.MidiTrack:
    """Events at ticks -> a named track of time differences that ends with the film."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    before = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - before))
        before = tick
    track.append(mido.MetaMessage("end_of_track", time=end - before))
    return track
