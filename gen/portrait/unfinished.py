"""Work that a killed job leaves behind, in whole pieces, so that the next run goes on from there.

A folder beside the result holds the motion windows and the encoded segments that are done, and the
fingerprint of the job they belong to. Every piece appears whole or not at all. A run of another job
throws them away; a run that succeeds removes the folder.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from affetto.errors import BadInput, ResourceError
from affetto.files import move_into, resource_errors, staged_file
from affetto.motion import Motion

RECORD, LOCK, RESULT = "job.json", "lock", "result"


@dataclass(frozen=True)
class Unfinished:
    """The folder of a job under way.

    Attributes:
        folder: where the pieces are.
        found: segments that an earlier run had finished.
    """

    folder: Path
    found: int

    def segment(self, number: int) -> Path:
        """Where segment `number` of the film is, or is to be."""
        return self.folder / f"segment_{number:05d}.mp4"

    def motion(self, number: int) -> Motion | None:
        """Motion window `number`, None where it is not yet made."""
        path = self._window(number)
        return Motion.load(path) if path.exists() else None

    def keep_motion(self, number: int, motion: Motion) -> None:
        """Write motion window `number`."""
        motion.save(self._window(number))

    @property
    def result(self) -> Path:
        """A folder for the job's results, moved to their place at the end."""
        path = self.folder / RESULT
        path.mkdir(exist_ok=True)
        return path

    def deliver(self, out: Path) -> None:
        """Move the results into `out`."""
        with resource_errors(out):
            if out.exists():
                move_into(self.result, out)
            else:
                self.result.replace(out)

    def _window(self, number: int) -> Path:
        return self.folder / f"motion_{number:05d}.npz"


@contextmanager
def unfinished_work(folder: Path, fingerprint: str) -> Iterator[Unfinished]:
    """The job's folder: as an earlier run of the same job left it, else empty.

    On success the folder is removed. After a failure, Ctrl-C included, it stays where at least one
    segment is done, and is removed where none is.

    Args:
        folder: the place, free or an earlier run's.
        fingerprint: of all that has a say in the pieces.

    Raises:
        BadInput: the folder holds something else, or another run is at work in it.
        ResourceError: no room or no permission.
    """
    with resource_errors(folder):
        _claim(folder)
        with (folder / LOCK).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BadInput(
                    f"another run is at work on the same result (see {folder}): wait for it, or "
                    "give another --out"
                ) from error
            work = _opened(folder, fingerprint)
            try:
                yield work
            except BaseException:
                if not work.segment(0).exists():
                    shutil.rmtree(folder, ignore_errors=True)
                raise
            shutil.rmtree(folder, ignore_errors=True)


def _claim(folder: Path) -> None:
    """Make the folder; one with other things in it is not ours to empty."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ResourceError(f"{folder} is in the way: move it, or give another --out") from error
    except FileNotFoundError as error:  # a place that takes no folders, such as /proc
        raise ResourceError(
            f"no such place as {folder.parent}: choose another with --out"
        ) from error
    if any(folder.iterdir()) and not (folder / LOCK).exists():
        raise BadInput(f"{folder} holds something else: move it, or give another --out")


def _opened(folder: Path, fingerprint: str) -> Unfinished:
    record = folder / RECORD
    same = False
    if record.exists():
        try:
            same = json.loads(record.read_text(encoding="utf-8")) == {"fingerprint": fingerprint}
        except (OSError, ValueError):
            same = False
    for path in folder.iterdir():
        half_written = path.name.startswith(".") or path.name == RESULT
        if path.name == LOCK or (same and not half_written):
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not same:
        with staged_file(record) as staged:
            staged.write_text(json.dumps({"fingerprint": fingerprint}), encoding="utf-8")
    return Unfinished(folder, len(list(folder.glob("segment_*.mp4"))))
