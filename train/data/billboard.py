"""McGill Billboard: chord annotations of songs from the US charts, 1958-1991 (CC0).

Source: Burgoyne, Wild and Fujinaga 2011, "An expert ground truth set for audio chord recognition
and music analysis". Read from the full annotations (salami_chords.txt), whose labels are richer
than the majmin7 reduction. A line carries its time; the bars in it share the time to the next line
by their number of beats, the chords in a bar share the bar evenly ("." repeats the chord before).
Songs that charted twice are annotated twice: only the first is kept.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

from affetto.gen.music.chords import NO_CHORD, NUM_QUALITIES, QUALITIES, QUALITY_NAMES
from affetto.train.data.annotated import TimedChord, TimedKey, open_archive, song, split_of
from affetto.train.data.harte import pitch_class, simplify
from affetto.train.data.muvi_sync import Song, Split

ARCHIVE = "billboard_majmin7_lab_and_salami.zip"
FILE = "salami_chords.txt"
_METRE = re.compile(r"\((\d+)/(\d+)\)")


def read_billboard(root: Path, split: Split) -> list[Song]:
    """The songs of one split, ordered by number, each song once.

    Args:
        root: folder that holds the zip.
        split: fixed by the sha1 of "billboard/artist/title"; listed in benchmarks/protocols.

    Raises:
        BadInput: no zip there.
    """
    with open_archive(root, ARCHIVE) as archive:
        chosen = [file for file, name in song_names(archive).items() if split_of(name) == split]
        return [_read_song(f"billboard/{file[:4]}", archive.read(file).decode()) for file in chosen]


def song_names(archive: ZipFile) -> dict[str, str]:
    """File in the zip -> 'billboard/artist/title' of each song's first annotation."""
    names: dict[str, str] = {}
    for file in sorted(archive.namelist()):
        if file.endswith(FILE):
            text = archive.read(file).decode()
            name = f"billboard/{_plain(_header(text, 'artist'))}/{_plain(_header(text, 'title'))}"
            if name not in names.values():
                names[file] = name
    return names


def read_annotation(text: str) -> tuple[list[TimedChord], list[tuple[float, int]]]:
    """The timed chords of one salami_chords file, and (start_s, tonic pitch class) of its keys."""
    chords: list[TimedChord] = []
    tonics: list[tuple[float, int]] = []
    metre = (4, 4)
    lines = [line for line in text.splitlines() if line.strip()]
    times_s = [float(line.split()[0]) for line in lines if not line.startswith("#")]
    index = 0  # of the next timed line
    for line in lines:
        if line.startswith("# tonic:"):
            tonics.append((times_s[index], pitch_class(line.partition(":")[2].strip())))
        elif line.startswith("# metre:"):
            beats, unit = line.partition(":")[2].split("/")
            metre = (int(beats), int(unit))
        elif not line.startswith("#"):
            if index + 1 < len(times_s):
                chords += _line_chords(line, times_s[index], times_s[index + 1], metre, chords)
            index += 1
    return chords, tonics


def is_minor(chords: Sequence[TimedChord], tonic: int) -> bool:
    """The mode, which Billboard does not annotate: minor if tonic chords with a minor third last.

    Compares the seconds of chords on the tonic that hold a minor third and no major one with those
    that hold a major third; where the tonic chord never sounds the mode counts as major.
    """
    seconds = {True: 0.0, False: 0.0}
    for timed in chords:
        root, quality = divmod(timed.chord - 1, NUM_QUALITIES)
        if timed.chord == NO_CHORD or root != tonic:
            continue
        tones = QUALITIES[QUALITY_NAMES[quality]]
        if 3 in tones or 4 in tones:
            seconds[3 in tones] += timed.end_s - timed.start_s
    return seconds[True] > seconds[False]


def _read_song(name: str, text: str) -> Song:
    chords, tonics = read_annotation(text)
    keys = []
    for index, (start_s, tonic) in enumerate(tonics):
        end_s = tonics[index + 1][0] if index + 1 < len(tonics) else float("inf")
        within = [timed for timed in chords if start_s <= timed.start_s < end_s]
        keys.append(TimedKey(start_s, tonic, is_minor(within, tonic)))
    return song(name, chords, keys)


def _line_chords(
    line: str, start_s: float, end_s: float, metre: tuple[int, int], before: list[TimedChord]
) -> list[TimedChord]:
    """The chords of one line; silence and unpitched sections are N."""
    first, last = line.find("|"), line.rfind("|")
    if first == last:
        return [TimedChord(start_s, end_s, NO_CHORD)]
    repeats = re.search(r"\bx(\d+)", line[last:])
    bars = [bar.split() for bar in line[first + 1 : last].split("|")]
    bars *= int(repeats[1]) if repeats else 1
    chord = before[-1].chord if before else NO_CHORD
    shares: list[tuple[float, int]] = []  # (quarter notes, chord)
    for words in bars:
        quarters = 4 * metre[0] / metre[1]
        own = _METRE.fullmatch(words[0]) if words else None
        if own:
            quarters = 4 * int(own[1]) / int(own[2])
            words = words[1:]
        for word in words or ["."]:
            if word == "&pause":
                chord = NO_CHORD
            elif word not in (".", "*"):  # "*" marks a chord that has no name
                chord = simplify(word)
            shares.append((quarters / max(1, len(words)), chord))
    second_per_quarter = (end_s - start_s) / sum(quarters for quarters, _ in shares)
    timed = []
    for quarters, chord in shares:
        end = start_s + quarters * second_per_quarter
        timed.append(TimedChord(start_s, end, chord))
        start_s = end
    return timed


def _header(text: str, key: str) -> str:
    match = re.search(rf"^# {key}:(.*)$", text, flags=re.MULTILINE)
    return match[1].strip() if match else ""


def _plain(text: str) -> str:
    """Lower-case letters and digits only, so that spellings of one song fall together."""
    return re.sub(r"[^a-z0-9]", "", text.lower())
