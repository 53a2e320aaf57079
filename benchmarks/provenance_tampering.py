"""Signed files that were changed, for provenance.py: what `affetto verify` says of each."""

import contextlib
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from provenance_films import FPS, Frames, copied, decoded, encoded, told

from affetto.apps.verify import verify
from affetto.credentials import load_credentials
from affetto.errors import BadInput
from affetto.media_write import write_clip
from affetto.signature import Statement, sign

STATEMENT = Statement("talk", 0, "00" * 32, "trainedAlgorithmicMedia")
TAGS = {"comment": "A portrait animated by Affetto (AI-generated)"}


def tamper_table(frames: Frames, folder: Path) -> tuple[str, bool]:
    film, plain, wav = folder / "a.mp4", folder / "plain.mp4", folder / "a.wav"
    untagged = folder / "untagged.mp4"
    sound = np.random.default_rng(0).normal(0, 0.1, (1, 44_100 * 2)).astype(np.float32)
    for path, mark in ((untagged, True), (plain, False)):
        write_clip(told(frames, mark=mark), Fraction(FPS), path, wav=sound, sample_rate=44_100)
    copied(untagged, film, TAGS)
    soundfile.write(wav, sound[0], 44_100, subtype="PCM_24")
    for path in (film, wav):
        sign(path, STATEMENT, credentials=load_credentials())
    rows, good = [], True
    for name, suffix, allowed, files in tampered(film, wav, plain, folder):
        states = []
        for data in files:
            path = folder / f"x{suffix}"
            path.write_bytes(data)
            state = "unreadable"
            with contextlib.suppress(BadInput):
                state = verify(path).state
            states.append(state)
        right = set(states) <= allowed
        good &= right
        told_states = ", ".join(f"{state} {states.count(state)}" for state in sorted(set(states)))
        verdict = "as it must" if right else "WRONG"
        rows.append(f"| {name} | {len(files)} | {told_states} | {verdict} |")
    head = "| done to the file | files | verify says | |\n| --- | --- | --- | --- |\n"
    return head + "\n".join(rows), good


def tampered(
    film: Path, wav: Path, plain: Path, folder: Path
) -> Iterator[tuple[str, str, set[str], list[bytes]]]:
    """(what was done, suffix, allowed verdicts, the files)."""
    data, sound, other = film.read_bytes(), wav.read_bytes(), plain.read_bytes()
    at = boxes(data)
    found, gone = {"changed"}, {"marked"}
    yield "film: untouched", ".mp4", {"intact"}, [data]
    yield (
        "film: a bit of the pictures or sound flipped, 20 places",
        ".mp4",
        found,
        list(flipped(data, np.arange(at["mdat"][0] + 8, at["mdat"][1]))),
    )
    yield (
        "film: a bit of the index flipped, 20 places",
        ".mp4",
        found | {"unreadable"},
        list(flipped(data, np.arange(at["moov"][0] + 8, at["moov"][1]))),
    )
    begin, end = at["uuid"]
    places = said(data, begin, end)
    silent = np.setdiff1d(np.arange(begin + 60, end), places)
    yield (
        "film: a bit of what the manifest says flipped, 20 places",
        ".mp4",
        found,
        list(flipped(data, places)),
    )
    yield (
        "film: a bit of the manifest's padding and box names flipped, 20 places (they say nothing)",
        ".mp4",
        found | {"intact"},
        list(flipped(data, silent)),
    )
    yield (
        "film: the title in its tags changed",
        ".mp4",
        found,
        [data.replace(b"Affetto (AI-generated)", b"a camera of my own!!!!")],
    )
    yield "film: cut short by 1 kB", ".mp4", found, [data[:-1000]]
    yield "film: 1 kB put behind", ".mp4", found, [data + bytes(1000)]
    free = data[: begin + 4] + b"free" + data[begin + 8 :]
    yield "film: manifest made void (box renamed)", ".mp4", gone | found, [free]
    head = boxes(other)["ftyp"][1]
    yield (
        "film: manifest moved to another film",
        ".mp4",
        found,
        [other[:head] + data[begin:end] + other[head:]],
    )
    target = folder / "copy.mp4"
    yield "film: copied without tags (remux)", ".mp4", gone, [copied(film, target, {})]
    yield "film: copied with tags (remux)", ".mp4", gone, [copied(film, target, TAGS)]
    yield (
        "film: encoded anew, CRF 23",
        ".mp4",
        gone,
        [encoded(decoded(film), target, crf=23).read_bytes()],
    )
    yield "unmarked film", ".mp4", {"nothing"}, [other]
    begin = sound.index(b"data") + 8
    end = begin + int.from_bytes(sound[begin - 4 : begin], "little")
    yield "wav: untouched", ".wav", {"intact"}, [sound]
    yield (
        "wav: a bit of the samples flipped, 20 places",
        ".wav",
        found,
        list(flipped(sound, np.arange(begin, end))),
    )
    samples, rate = soundfile.read(wav)
    soundfile.write(folder / "new.wav", samples, rate, subtype="PCM_24")
    yield "wav: written anew", ".wav", {"nothing"}, [(folder / "new.wav").read_bytes()]


def flipped(data: bytes, places: np.ndarray) -> Iterator[bytes]:
    """One bit changed, at 20 of the places."""
    for place in places[np.linspace(0, len(places) - 1, 20).astype(int)]:
        yield data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :]


def said(data: bytes, begin: int, end: int) -> np.ndarray:
    """The places of a manifest that say something: its assertions, claim, certificates, signature."""
    places = []
    for found in re.finditer(rb"(?<!jumd)cbor", data[begin:end]):
        at = begin + found.start()
        stop = at - 4 + int.from_bytes(data[at - 4 : at])
        padding = data.find(b"cpad", at, stop)
        places.append(np.arange(at + 4, padding if padding > 0 else stop))
    return np.concatenate(places)


def boxes(data: bytes) -> dict[str, tuple[int, int]]:
    """Kind -> where it begins and ends, of an mp4's outermost boxes."""
    found, at = {}, 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        found[data[at + 4 : at + 8].decode()] = (at, at + size)
        at += size
    return found
