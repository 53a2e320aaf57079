"""The chord sheet: chords.txt, readable by a musician and accepted back after edits.

    key: Am
    tempo: 96.0 (93.1 to 99.8)
    bars: 12
    length: 0:30.00

    [0:00.00] | Am . | F C | (3/4) G | Am N.C. |  # cut at 0:06.12

One line is four bars. A bar of 4/4 or 5/4 has two chords, a 2/4 or 3/4 bar one. `.` repeats the
chord before, `%` alone in a bar repeats the bar before, one chord alone fills its bar. Times in
brackets and everything behind a `#` that stands alone are for the reader's eyes only.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.gen.music.chord_names import chord_name, key_name, read_chord_name
from affetto.gen.music.keys import Key, parse_key
from affetto.gen.music.sync import BEATS_PER_BAR, chord_steps
from affetto.soundtrack import Bar, Soundtrack

BARS_PER_LINE = 4
MAX_BYTES = 1_000_000
MAX_STEPS = 50_000
_HEAD = ("key", "tempo", "bars", "length")
_TIME = re.compile(r"\[\d+:\d\d(\.\d+)?\]")
_METRE = re.compile(r"\(([1-5])/4\)")
_TOKEN = re.compile(r"\||[^\s|]+")


@dataclass(frozen=True)
class ChordSheet:
    """What a chord sheet asks for.

    Attributes:
        key: 'C' or 'A:min', as `Soundtrack.key`.
        steps: one symbol of the vocabulary per chord step (see `sync.chord_steps`).
    """

    key: str
    steps: tuple[str, ...]


def write_chord_sheet(soundtrack: Soundtrack, path: Path) -> None:
    """Write the chords of a piece as text (UTF-8).

    Raises:
        ResourceError: no space, or not allowed to write there.
    """
    key = parse_key(soundtrack.key)
    lines = [
        "# Chord sheet. Edit the chords and give this file back with --chords.",
        "# . is the chord before, N.C. is no chord; 4/4 where no metre is given.",
        f"key: {key_name(key)}",
        f"tempo: {_tempo(soundtrack.bars)}",
        f"bars: {len(soundtrack.bars)}",
        f"length: {clock(soundtrack.duration_s)}",
        "",
        *_body(soundtrack, key),
    ]
    with staged_file(path) as staged:
        staged.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_chord_sheet(path: Path) -> ChordSheet:
    """Read a chord sheet, ours or edited.

    Raises:
        BadInput: not such a file, or a mistake in it; names line and column and what is allowed.
    """
    key: str | None = None
    steps: list[str] = []
    bar_before: list[str] = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        where = f"{path} line {number}"
        text = _without_comment(line)
        name, colon, value = text.partition(":")
        if colon and name.strip().lower() in _HEAD:
            if name.strip().lower() == "key":
                key = _key(value, where)
            continue
        for bar in _bars(text, where):
            bar_before = _bar_steps(bar, steps[-1:], bar_before, where)
            steps += bar_before
        if len(steps) > MAX_STEPS:
            raise BadInput(f"{where}: more than {MAX_STEPS} chords")
    if key is None:
        raise BadInput(f"{path} has no line 'key: Am': not a chord sheet of ours")
    if not steps:
        raise BadInput(f"{path} holds no bars: write lines such as '| Am F | C G |'")
    return ChordSheet(key, tuple(steps))


def step_symbols(soundtrack: Soundtrack) -> list[str]:
    """The chord sounding in the middle of every chord step; 'N' where none does."""
    chords = soundtrack.chords
    starts_s = np.array([chord.start_s for chord in chords])
    symbols = []
    for start_s, end_s in chord_steps(soundtrack.bars):
        middle_s = (start_s + end_s) / 2
        index = int(np.searchsorted(starts_s, middle_s, side="right")) - 1
        sounds = index >= 0 and middle_s < chords[index].end_s
        symbols.append(chords[index].symbol if sounds else "N")
    return symbols


def clock(time_s: float) -> str:
    """Seconds as minutes and seconds: 66.12 -> '1:06.12'."""
    minutes, hundredths = divmod(round(time_s * 100), 6000)
    return f"{minutes}:{hundredths / 100:05.2f}"


def _tempo(bars: Sequence[Bar]) -> str:
    tempi = [bar.bpm for bar in bars]
    return f"{np.median(tempi):.1f} ({min(tempi):.1f} to {max(tempi):.1f})"


def _body(soundtrack: Soundtrack, key: Key) -> Iterator[str]:
    symbols = iter(step_symbols(soundtrack))
    markers = sorted(soundtrack.markers, key=lambda marker: marker.time_s)
    for first in range(0, len(soundtrack.bars), BARS_PER_LINE):
        bars = soundtrack.bars[first : first + BARS_PER_LINE]
        words = [f"[{clock(bars[0].start_s)}]", "|"]
        for bar in bars:
            words += [f"({bar.num_beats}/4)"] if bar.num_beats != BEATS_PER_BAR else []
            before = ""
            for _ in chord_steps([bar]):
                symbol = next(symbols)
                words.append("." if symbol == before else chord_name(symbol, key))
                before = symbol
            words.append("|")
        inside = [m for m in markers if bars[0].start_s <= m.time_s < bars[-1].end_s]
        notes = ", ".join(f"{' '.join(m.text.split())} at {clock(m.time_s)}" for m in inside)
        yield " ".join(words) + (f"  # {notes}" if notes else "")


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path} is larger than {MAX_BYTES // 1000} kB: not a chord sheet")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"cannot read chord sheet {path}: {error}") from error


def _without_comment(line: str) -> str:
    """The line up to a '#' that begins a word (the one in F#m does not)."""
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0]


def _key(value: str, where: str) -> str:
    try:
        return str(parse_key(value))
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def _bars(text: str, where: str) -> Iterator[list[re.Match[str]]]:
    """The words of each bar, with their columns."""
    words = list(_TOKEN.finditer(text))
    if words and _TIME.fullmatch(words[0].group()):
        words = words[1:]
    if words and words[0].group() != "|":
        column = words[0].start() + 1
        raise BadInput(
            f"{where} column {column}: expected '|' before the first bar, or one of the lines "
            f"{', '.join(name + ':' for name in _HEAD)}; got {words[0].group()!r}"
        )
    for is_line, bar in groupby(words, key=lambda word: word.group() == "|"):
        if not is_line:
            yield list(bar)


def _bar_steps(
    words: list[re.Match[str]], chord_before: Iterable[str], bar_before: list[str], where: str
) -> list[str]:
    """The chords of one bar."""
    metre = _METRE.fullmatch(words[0].group())
    num_steps = max(1, int(metre.group(1)) // 2) if metre else BEATS_PER_BAR // 2
    words = words[1:] if metre else words
    if len(words) == 1 and words[0].group() == "%" and len(bar_before) == num_steps:
        return list(bar_before)
    chords = list(chord_before)
    given = len(chords)
    for word in words:
        try:
            chords.append(_symbol(word.group(), chords))
        except BadInput as error:
            raise BadInput(f"{where} column {word.start() + 1}: {error}") from error
    steps = chords[given:]
    if len(steps) == 1:
        steps *= num_steps
    if len(steps) != num_steps:
        beats = metre.group(1) if metre else BEATS_PER_BAR
        column = words[0].start() + 1 if words else 1
        raise BadInput(
            f"{where} column {column}: a bar of {beats}/4 has {num_steps} chords, got {len(steps)}"
        )
    return steps


def _symbol(word: str, before: list[str]) -> str:
    if word == ".":
        if not before:
            raise BadInput("'.' repeats the chord before, and there is none")
        return before[-1]
    if word == "%":
        raise BadInput("'%' stands alone in a bar and repeats a bar before it of the same length")
    return read_chord_name(word)
