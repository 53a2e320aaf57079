"""MIDI files from outside, which may be hostile: measured first, then read.

`_survey` walks over the bytes and refuses what no music needs before mido sees any of it: mido
itself never ends on a number of a million digits, and 37 bytes can ask pretty_midi's synthesizer
for hours of sound.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import mido
import numpy as np
from mido.midifiles.meta import KeySignatureError

from affetto.errors import BadInput
from affetto.soundtrack import Marker, Note, Part

MAX_BYTES = 5_000_000
MAX_NOTES = 200_000
MAX_EVENTS = 500_000
MAX_TRACKS = 256
MAX_LENGTH_S = 7200.0
TEMPO_BPM = (5.0, 1000.0)
DRUM_CHANNEL = 9
# Data bytes after each status nibble 0x8..0xE.
_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}


@dataclass(frozen=True)
class MidiPiece:
    """What a MIDI file holds, times in seconds.

    Attributes:
        duration_s: where the longest track ends.
        parts: one per track, channel and program that has notes.
        markers: of all tracks, in order.
        tempi: (seconds, quarter notes a minute from there on), the first at 0.
    """

    duration_s: float
    parts: tuple[Part, ...]
    markers: tuple[Marker, ...]
    tempi: tuple[tuple[float, float], ...]


def read_midi(path: Path) -> MidiPiece:
    """Read a MIDI file of type 0 or 1.

    Raises:
        BadInput: missing, broken, larger than 5 MB, more than 200 000 notes or 500 000 events,
            longer than two hours, or a tempo outside 5..1000 bpm; nothing else is ever raised.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES // 1_000_000} MB")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"cannot read MIDI file {path}: {error}") from error
    return parse_midi(data, name=str(path))


def parse_midi(data: bytes, *, name: str) -> MidiPiece:
    """The same from the bytes of a file, called `name` in what is said of it.

    Raises:
        BadInput: as `read_midi`.
    """
    try:
        _survey(data)
        file = mido.MidiFile(file=BytesIO(data))
        clock = _TempoMap(file)
    except BadInput as error:
        raise BadInput(f"{name}: {error}") from error
    except (OSError, EOFError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise BadInput(f"{name} is not a sound MIDI file: {error!r}") from error
    except KeySignatureError as error:
        raise BadInput(f"{name} has a key signature that does not exist: {error}") from error
    parts = tuple(part for track in file.tracks for part in _parts(track, clock))
    markers = sorted(_markers(file, clock), key=lambda marker: marker.time_s)
    return MidiPiece(clock.duration_s, parts, tuple(markers), clock.tempi)


def _survey(data: bytes) -> None:
    """Walk over chunks and events without keeping any; refuse what is beyond the limits."""
    if data[:4] != b"MThd" or len(data) < 14:
        raise BadInput("not a MIDI file: it does not begin with a MIDI header")
    kind, num_tracks, resolution = (int.from_bytes(data[i : i + 2]) for i in (8, 10, 12))
    if kind > 1:
        raise BadInput(f"MIDI type {kind}: only types 0 and 1 hold one piece")
    if not 0 < num_tracks <= MAX_TRACKS:
        raise BadInput(f"{num_tracks} tracks: 1 to {MAX_TRACKS} are allowed")
    if not 0 < resolution < 0x8000:
        raise BadInput("time in SMPTE frames or of no resolution: ticks per beat are needed")
    position = 8 + int.from_bytes(data[4:8])
    num_events = num_notes = 0
    for _ in range(num_tracks):
        size = int.from_bytes(data[position + 4 : position + 8])
        if data[position : position + 4] != b"MTrk" or position + 8 + size > len(data):
            raise BadInput("a track is missing or cut off")
        position, end, status = position + 8, position + 8 + size, 0
        while position < end:
            position, status, is_note = _skip_event(data, position, status)
            num_events += 1
            num_notes += is_note
            if num_notes > MAX_NOTES or num_events > MAX_EVENTS:
                raise BadInput(f"more than {MAX_NOTES} notes or {MAX_EVENTS} events")
        if position != end:
            raise BadInput("an event runs over the end of its track")


def _skip_event(data: bytes, position: int, status: int) -> tuple[int, int, bool]:
    """(position after the event, its status as running status, whether it begins a note)."""
    _, position = _number(data, position)
    if data[position] >= 0x80:
        kind = data[position]
        position += 1
    else:
        kind = status
        if kind >= 0xF0:
            raise BadInput("an event without its kind")
    if kind in (0xF0, 0xF7, 0xFF):
        size, position = _number(data, position + (kind == 0xFF))
        return position + size, status if kind == 0xFF else kind, False
    if kind >> 4 not in _DATA_BYTES:
        raise BadInput(f"an event of unknown kind 0x{kind:02x}")
    size = _DATA_BYTES[kind >> 4]
    is_note = kind >> 4 == 0x9 and data[position + 1] > 0
    return position + size, kind, is_note


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A variable-length number of at most four bytes, and the position after it."""
    value = 0
    for byte in data[position : position + 4]:
        value, position = value << 7 | byte & 0x7F, position + 1
        if byte < 0x80:
            return value, position
    raise BadInput("a number is longer than MIDI allows")


class _TempoMap:
    """Ticks to seconds over all tracks of a file."""

    def __init__(self, file: mido.MidiFile) -> None:
        tempi = {0: mido.midifiles.midifiles.DEFAULT_TEMPO}
        end = 0
        for track in file.tracks:
            tick = 0
            for message in track:
                tick += message.time
                if message.type == "set_tempo":
                    tempi[tick] = message.tempo
            end = max(end, tick)
        slowest, fastest = 60e6 / TEMPO_BPM[0], 60e6 / TEMPO_BPM[1]
        if not all(fastest <= tempo <= slowest for tempo in tempi.values()):
            raise BadInput(f"a tempo outside {TEMPO_BPM[0]:.0f} to {TEMPO_BPM[1]:.0f} bpm")
        self._ticks = np.array(sorted(tempi), dtype=np.float64)
        tempi_us = np.array([tempi[tick] for tick in sorted(tempi)])
        self._tick_s = tempi_us / 1e6 / file.ticks_per_beat
        spans_s = np.diff(self._ticks) * self._tick_s[:-1]
        self._starts_s = np.concatenate([[0.0], np.cumsum(spans_s)])
        bpm = 60e6 / tempi_us
        self.tempi = tuple(zip(self._starts_s.tolist(), bpm.tolist(), strict=True))
        self.duration_s = self.seconds(end)
        if self.duration_s > MAX_LENGTH_S:
            raise BadInput(f"{self.duration_s:.0f} s long: at most {MAX_LENGTH_S:.0f} s are read")

    def seconds(self, tick: int) -> float:
        """The time of a tick."""
        index = int(np.searchsorted(self._ticks, tick, side="right")) - 1
        return float(self._starts_s[index] + (tick - self._ticks[index]) * self._tick_s[index])


def _parts(track: mido.MidiTrack, clock: _TempoMap) -> Iterator[Part]:
    """The notes of a track by channel and program; one never ended lasts as long as its track."""
    notes: dict[tuple[int, int], list[Note]] = defaultdict(list)
    sounding: dict[tuple[int, int], list[tuple[int, int, int]]] = defaultdict(list)
    programs: dict[int, int] = {}
    tick, name = 0, ""

    def end(channel: int, pitch: int) -> None:
        for start, velocity, program in sounding.pop((channel, pitch), []):
            if tick > start:
                times_s = clock.seconds(start), clock.seconds(tick)
                notes[channel, program].append(Note(*times_s, pitch, velocity))

    for message in track:
        tick += message.time
        if message.type == "track_name":
            name = name or _text(message.name)
        elif message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity > 0:
            program = programs.get(message.channel, 0)
            begun = (tick, message.velocity, program)
            sounding[message.channel, message.note].append(begun)
        elif message.type in ("note_on", "note_off"):
            end(message.channel, message.note)
    for channel, pitch in list(sounding):
        end(channel, pitch)
    for (channel, program), found in sorted(notes.items()):
        ordered = tuple(sorted(found, key=lambda note: (note.start_s, note.pitch)))
        yield Part(name, program, channel == DRUM_CHANNEL, ordered)


def _markers(file: mido.MidiFile, clock: _TempoMap) -> Iterator[Marker]:
    for track in file.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "marker":
                yield Marker(clock.seconds(tick), _text(message.text))


def _text(text: str) -> str:
    """MIDI names no encoding: UTF-8 where it is valid, as ours, else Latin-1 as mido read it."""
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeDecodeError:
        return text
