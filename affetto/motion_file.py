"""Motion files: .csv for spreadsheets, .json for programs, .npz for short reading; never a pickle.

All three hold the channels by name, so that a person can edit one and hand it back. A file may
leave channels out (they stay at 0) and may hold them in any order. Written numbers have five
decimals: motion that is already rounded so (see `rounded`) comes back bit-equal from each kind.
"""

import csv
import difflib
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affetto.blendshapes import BLENDSHAPES
from affetto.errors import BadInput
from affetto.files import staged_file
from affetto.motion import CHANNELS, FPS, PLACE, Motion
from affetto.text_file import read_text

SUFFIXES = (".csv", ".json", ".npz")
MAX_BYTES = 128 * 1024 * 1024  # an hour of CSV at 25 fps has some 45 MB
MAX_JSON_BYTES = MAX_BYTES // 2  # of JSON, which unpacks to twenty times its size
MAX_FRAMES = 500_000  # more than an hour at 120 a second
DECIMALS = 5
TIME = "time_s"
# Frame times in a CSV are rounded to 4 decimals; a rate that explains all of them is taken whole.
TIME_SLACK_S = 1.5e-4
RATES = (*(float(rate) for rate in range(1, 121)), 24 / 1.001, 30 / 1.001, 60 / 1.001)
# What a renderer can be asked: angles in degrees, places in eye-corner distances.
RANGES = {
    **dict.fromkeys(BLENDSHAPES, (0.0, 1.0)),
    **dict.fromkeys(("headPitch", "headYaw", "headRoll", "gazeYaw", "gazePitch"), (-45.0, 45.0)),
    **dict.fromkeys(("headRight", "headUp", "headForward"), (-2.0, 2.0)),
    **dict.fromkeys(("lidLeft", "lidRight"), (-1.0, 1.0)),
}
_HOW = "`affetto talk ... --motion-out motion.csv` writes one that can be edited"


def rounded(motion: Motion) -> Motion:
    """The motion inside `RANGES` and as files hold it, to five decimals."""
    low, high = np.array([RANGES[name] for name in CHANNELS]).T
    values = np.round(np.clip(motion.values.astype(np.float64), low, high), DECIMALS) + 0.0
    return Motion(values.astype(np.float32), motion.fps)


def write_motion(path: Path, motion: Motion) -> None:
    """Write .csv (time_s and a column a channel), .json or .npz, whole or not at all.

    Raises:
        BadInput: another suffix.
        ResourceError: no room or no permission.
    """
    suffix = _suffix(path)
    with staged_file(path) as staged:
        if suffix == ".npz":
            with staged.open("wb") as file:
                np.savez_compressed(
                    file, values=motion.values, fps=motion.fps, channels=np.array(CHANNELS)
                )
        elif suffix == ".json":
            values = [[round(float(v), DECIMALS) for v in row] for row in motion.values]
            record = {"fps": motion.fps, "channels": CHANNELS, "values": values}
            staged.write_text(json.dumps(record) + "\n", encoding="utf-8")
        else:
            with staged.open("w", newline="", encoding="utf-8") as text:
                writer = csv.writer(text)
                writer.writerow((TIME, *CHANNELS))
                for number, row in enumerate(motion.values):
                    cells = (f"{float(value):.{DECIMALS}f}" for value in row)
                    writer.writerow((f"{number / motion.fps:.4f}", *cells))


def read_motion(path: Path) -> Motion:
    """Read what `write_motion` wrote, also after a person has edited it.

    Raises:
        BadInput: missing, too large, no motion, an unknown or repeated channel, frames that are not
            evenly spaced from 0 s, or a value outside `RANGES`; says which and where.
    """
    suffix = _suffix(path)
    try:
        if suffix == ".npz":
            channels, values, fps = _from_npz(path)
        else:
            text = read_text(path, max_bytes=MAX_JSON_BYTES if suffix == ".json" else MAX_BYTES)
            channels, values, fps = (_from_json if suffix == ".json" else _from_csv)(text)
        return _motion(channels, values, fps)
    except KeyError as error:
        raise BadInput(f"{path} is no motion file: it lacks {error}; {_HOW}") from error
    except (ValueError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        raise BadInput(f"{path} is no motion file: {error}; {_HOW}") from error


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path}: motion files end in one of {', '.join(SUFFIXES)}")
    return suffix


def _motion(channels: Sequence[str], values: NDArray[np.float64], fps: float) -> Motion:
    """The channels in our order, those left out at 0, everything checked."""
    for name in channels:
        if name not in PLACE:
            near = difflib.get_close_matches(str(name)[:60], CHANNELS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"channels are {', '.join(CHANNELS)}"
            raise ValueError(f"unknown channel {str(name)[:60]!r}: {hint}")
    if len(set(channels)) != len(channels) or not channels:
        raise ValueError("every channel stands there once, and at least one of them")
    if values.ndim != 2 or values.shape[1] != len(channels) or not len(values):
        raise ValueError(
            f"{len(channels)} channels need values (frames, {len(channels)}), got {values.shape}"
        )
    if len(values) > MAX_FRAMES:
        raise ValueError(f"{len(values)} frames, allowed are {MAX_FRAMES}")
    if not 1 <= fps <= 120:
        raise ValueError(f"frames a second are 1 to 120, got {fps:g}")
    low, high = np.array([RANGES[name] for name in channels]).T
    wrong = np.argwhere(~((values >= low - 1e-6) & (values <= high + 1e-6)))  # NaN too
    if len(wrong):
        frame, column = wrong[0]
        raise ValueError(
            f"{channels[column]} at {frame / fps:.2f} s (frame {frame}) is "
            f"{values[frame, column]:g}, allowed are {low[column]:g} to {high[column]:g}"
        )
    whole = np.zeros((len(values), len(CHANNELS)), np.float32)
    whole[:, [PLACE[name] for name in channels]] = np.clip(values, low, high)
    return Motion(whole, float(fps))


def _from_csv(text: str) -> tuple[list[str], NDArray[np.float64], float]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = [name.strip() for name in next(reader, [])]
    if TIME not in header:
        raise ValueError(f"the first line must name {TIME} and channels such as jawOpen")
    rows: list[NDArray[np.float64]] = []
    for cells in reader:
        if not cells:
            continue
        if len(rows) == MAX_FRAMES:
            raise ValueError(f"more than the {MAX_FRAMES} frames allowed")
        if len(cells) != len(header):
            raise ValueError(
                f"line {reader.line_num} has {len(cells)} cells, the first line {len(header)}"
            )
        try:
            rows.append(np.array(cells, dtype=np.float64))
        except ValueError as error:
            raise ValueError(f"line {reader.line_num}: {error}") from error
    if not rows:
        raise ValueError("it holds no frame")
    table = np.stack(rows)
    clock = header.index(TIME)
    channels = header[:clock] + header[clock + 1 :]
    return channels, np.delete(table, clock, axis=1), _rate(table[:, clock])


def _rate(times_s: NDArray[np.float64]) -> float:
    """Frames per second from the frames' times, which must be even and begin at 0."""
    if not np.isfinite(times_s).all() or (np.diff(times_s) <= 0).any():
        raise ValueError(f"{TIME} must rise from line to line")
    frames = np.arange(len(times_s))
    mean = FPS if len(times_s) == 1 else (len(times_s) - 1) / (times_s[-1] - times_s[0])
    for rate in (*RATES, mean):
        off = np.abs(times_s - frames / rate)
        if off.max() <= TIME_SLACK_S and (len(times_s) > 1 or rate == FPS):
            return float(rate)
    raise ValueError(
        f"frames must be evenly spaced and begin at 0 s; got {times_s[0]:g} to {times_s[-1]:g} s "
        f"in {len(times_s)} frames, up to {off.max():.3f} s off an even {mean:.3f} a second"
    )


def _from_json(text: str) -> tuple[list[str], NDArray[np.float64], float]:
    record = json.loads(text)
    if not isinstance(record, dict):
        raise ValueError('expected an object with "fps", "channels" and "values"')
    return _parts(record["channels"], record["values"], record["fps"])


def _from_npz(path: Path) -> tuple[list[str], NDArray[np.float64], float]:
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as parts:
            size = sum(part.file_size for part in parts.infolist())
        if size > MAX_BYTES:
            raise ValueError(
                f"it unpacks to {size / 1e6:.0f} MB, allowed are {MAX_BYTES / 1e6:.0f}"
            )
        with np.load(path, allow_pickle=False) as arrays:
            return _parts(arrays["channels"], arrays["values"], arrays["fps"])
    except (
        OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError,
        MemoryError,
    ) as error:  # fmt: skip
        raise ValueError(f"it is damaged ({error})") from error


def _parts(channels: Any, values: Any, fps: Any) -> tuple[list[str], NDArray[np.float64], float]:  # noqa: ANN401
    names = list(channels)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("channels are names such as jawOpen")
    if isinstance(fps, bool | str) or np.ndim(fps):
        raise ValueError(f"fps is one number, got {str(fps)[:40]!r}")
    numbers = np.asarray(values, dtype=np.float64)
    return [str(name) for name in names], numbers, float(fps)
