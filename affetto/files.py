"""Writing that is all or nothing: a result is made aside and moved into place when it is whole."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from affetto.errors import ResourceError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NO_PLACE = (errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG, errno.EISDIR, errno.ELOOP)


@contextmanager
def resource_errors(path: Path) -> Iterator[None]:
    """Turn the system's 'no space' and 'not allowed' into a ResourceError that names the place."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            free = shutil.disk_usage(nearest_existing(path)).free
            raise ResourceError(
                f"no space left to write {path} ({free / 1e6:.0f} MB free): free some or use --out"
            ) from error
        if error.errno in _DENIED:
            raise ResourceError(
                f"not allowed to write {path}: choose another place with --out"
            ) from error
        raise


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno in _NO_PLACE or isinstance(error, FileExistsError):
            raise ResourceError(
                f"no such place as {path.parent}: choose another with --out"
            ) from error
        raise


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path`, else it is gone."""
    with resource_errors(path):
        _make_parent(path)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        staged = Path(name)
        try:
            yield staged
            staged.chmod(0o644)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)


@contextmanager
def staged_folder(folder: Path) -> Iterator[Path]:
    """Give an empty folder beside `folder`; on success its files move into `folder`.

    On any failure, Ctrl-C included, `folder` is as it was and the temporary folder is gone.
    """
    with resource_errors(folder):
        new = not folder.exists()
        _make_parent(folder)
        staged = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        staged.chmod(0o755)
        try:
            yield staged
            if new:
                staged.replace(folder)
            else:
                move_into(staged, folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def move_into(staged: Path, folder: Path) -> None:
    """Move every file of `staged` to the same place in `folder`, over what is there."""
    for source in sorted(staged.rglob("*")):
        target = folder / source.relative_to(staged)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            source.replace(target)


def nearest_existing(path: Path) -> Path:
    """The path itself or its first parent that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
