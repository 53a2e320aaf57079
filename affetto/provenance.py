"""recipe.json beside every output: how it was made and how to make it again.

The record names files by their last name and sha256 only: no folders, user, host or environment.
`content_hash` is one hash over what was composed and heard and seen, so that two runs can be
compared although timings, container bytes and versions differ.
"""

import hashlib
import json
import math
import platform
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto import __version__
from affetto.files import staged_file
from affetto.soundtrack import Soundtrack

# The packages whose version can change a result.
KEY_PACKAGES = (
    "torch", "numpy", "scipy", "av", "opencv-python-headless", "scenedetect-headless", "soxr",
    "soundfile", "pyloudnorm", "pretty_midi", "mido", "tinysoundfont", "xformers", "transformers",
    "numba", "ai-edge-litert", "hama", "pocketsphinx", "swift-f0",
)  # fmt: skip
_TIME_DIGITS = 6  # note and chord times enter the hash in whole microseconds


@dataclass(frozen=True)
class FileRecord:
    """A file by its last name and sha256."""

    name: str
    sha256: str


@dataclass(frozen=True)
class WeightsRecord:
    """One set of weights; `source` is the package, a folder's last name, or a hub id."""

    name: str
    sha256: str
    licence: str
    source: str


@dataclass(frozen=True)
class Recipe:
    """How one output was made.

    Attributes:
        job: the command, for example "soundtrack".
        request: the emotion asked for, `str(EmotionRequest)`.
        seed: of all random choices.
        config: every option that had a say, as plain values; paths are cut to their last name.
        inputs: the files read.
        weights: the networks used.
        content_sha256: see `content_hash`.
        command: the command line that repeats it; paths are cut to their last name.
        timings_s: name -> seconds.
        scores: name -> what was measured; paths are cut too.
        versions: see `versions`.
    """

    job: str
    request: str
    seed: int
    config: Mapping[str, Any]
    inputs: tuple[FileRecord, ...]
    weights: tuple[WeightsRecord, ...]
    content_sha256: str
    command: str
    timings_s: Mapping[str, float]
    scores: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=lambda: versions())


def versions() -> dict[str, str]:
    """Versions of Affetto, Python, the processor kind and `KEY_PACKAGES`; imports none of them."""
    found = {
        "affetto": __version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    for package in KEY_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an optional package that is not installed had no say
    return found


def file_record(path: Path) -> FileRecord:
    """The record of an input; reads the whole file in blocks."""
    with path.open("rb") as file:
        return FileRecord(path.name, hashlib.file_digest(file, "sha256").hexdigest())


def write_recipe(path: Path, recipe: Recipe) -> None:
    """Write the recipe as JSON with sorted keys: equal recipes give equal bytes.

    Numbers that JSON does not know (NaN, infinities) are written as the words "nan", "inf", "-inf".

    Args:
        path: usually recipe.json beside the output.
        recipe: what to write.

    Raises:
        TypeError: a value in config or scores that is not plain data.
    """
    record = _plain(asdict(recipe))
    record["request"] = _without_folders(recipe.request)
    for part in ("config", "scores"):
        record[part] = _named(record[part])
    record["command"] = shlex.join(map(_without_folders, shlex.split(recipe.command)))
    for weights in record["weights"]:
        weights["name"] = _without_folders(weights["name"])
        weights["source"] = _without_folders(weights["source"])
    for item in record["inputs"]:
        item["name"] = PurePath(item["name"]).name
    text = json.dumps(record, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with staged_file(path) as staged:
        staged.write_text(text + "\n", encoding="utf-8")


def content_hash(
    *,
    soundtrack: Soundtrack | None = None,
    audio: Mapping[str, Iterable[NDArray[np.integer[Any]]]] | None = None,
    frames: Iterable[NDArray[np.uint8]] = (),
) -> str:
    """One sha256 over decoded content; files' containers, names and dates stay outside.

    Args:
        soundtrack: its bars, chords, notes and markers, times in whole microseconds.
        audio: name -> blocks (S,) or (S, C) of integer samples as they stand in the file; how a
            stream is cut into blocks does not matter. See `wav_blocks`.
        frames: (H, W, 3) uint8 pictures in order.

    Returns:
        64 hex digits.
    """
    whole = hashlib.sha256()
    if soundtrack is not None:
        whole.update(f"soundtrack {_soundtrack_digest(soundtrack)}\n".encode())
    for name, blocks in sorted((audio or {}).items()):
        whole.update(f"audio {name} {_audio_digest(blocks)}\n".encode())
    for frame in frames:
        if frame.dtype != np.uint8:
            raise ValueError(f"frames must be uint8, got {frame.dtype}")
        digest = hashlib.sha256(np.ascontiguousarray(frame).data).hexdigest()
        whole.update(f"frame {frame.shape} {digest}\n".encode())
    return whole.hexdigest()


def wav_blocks(path: Path) -> Iterator[NDArray[np.integer[Any]]]:
    """The samples of a sound file as 32-bit integers, (S, C), a second or so at a time."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        while len(block := file.read(65_536, dtype="int32", always_2d=True)):
            yield block


def _soundtrack_digest(music: Soundtrack) -> str:
    def time(seconds: float) -> float:
        return round(float(seconds), _TIME_DIGITS) + 0.0

    content = {
        "duration_s": time(music.duration_s),
        "key": music.key,
        "bars": [(time(bar.start_s), time(bar.end_s), bar.num_beats) for bar in music.bars],
        "chords": [(time(span.start_s), time(span.end_s), span.symbol) for span in music.chords],
        "parts": [
            (
                part.name,
                int(part.program),
                bool(part.is_drum),
                [
                    (time(note.start_s), time(note.end_s), int(note.pitch), int(note.velocity))
                    for note in part.notes
                ],
            )
            for part in music.parts
        ],
        "markers": [(time(marker.time_s), marker.text) for marker in music.markers],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _audio_digest(blocks: Iterable[NDArray[np.integer[Any]]]) -> str:
    digest = hashlib.sha256()
    kind, count = "", 0
    for block in blocks:
        if not np.issubdtype(block.dtype, np.integer):
            raise ValueError(f"audio must be the integer samples as written, got {block.dtype}")
        kind = f"{block.dtype.name} {block.shape[1:]}"
        count += len(block)
        digest.update(np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<")).data)
    return f"{kind} {count} {digest.hexdigest()}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any configuration value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, PurePath):
        return value.name
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    raise TypeError(f"a recipe holds plain values, got {type(value).__name__}: {value!r}")


def _named(value: Any) -> Any:  # noqa: ANN401 - any configuration value
    if isinstance(value, str):
        return _without_folders(value)
    if isinstance(value, dict):
        return {key: _named(inner) for key, inner in value.items()}
    return [_named(inner) for inner in value] if isinstance(value, list) else value


def _without_folders(word: str) -> str:
    """A path, also behind `--flag=` or `like:`, cut to its last name; other words as they are."""
    match = re.fullmatch(r"(--[\w-]+=|like:|[\w.]+=)?(.*)", word, re.DOTALL)
    lead, rest = (match[1] or "", match[2]) if match else ("", word)
    if rest.startswith("hub:") or "://" in rest or "/" not in rest:
        return word
    is_path = (
        rest.startswith(("/", "./", "../", "~"))
        or not re.search(r"\s", rest)
        or re.search(r"\.\w{1,5}$", rest)  # 'my films/a.mp4', but not 'hope and/or fear'
    )
    if is_path:
        return lead + PurePath(rest).name
    return re.sub(r"""(?<![^\s'"=:])(~|\.{1,2})?/[^\s'"]*/""", "", word)  # rooted paths in a text
