"""All or nothing."""

import errno
import os

import pytest

from affetto.errors import ResourceError
from affetto.files import staged_file, staged_folder


def test_a_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    with staged_file(path) as staged:
        staged.write_text("whole")
        assert staged.suffix == ".txt"
        assert not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(KeyboardInterrupt), staged_file(path) as staged:
        staged.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["a.txt"]  # noqa: PTH208


def test_a_folder_appears_only_when_it_is_whole(tmp_path):
    folder = tmp_path / "result"
    with pytest.raises(ValueError, match="stop"), staged_folder(folder) as staged:
        (staged / "half").write_text("half")
        raise ValueError("stop")
    assert not list(tmp_path.iterdir())
    with staged_folder(folder) as staged:
        (staged / "stems").mkdir()
        (staged / "stems" / "bass").write_text("1")
    (folder / "mine.txt").write_text("kept")
    with staged_folder(folder) as staged:
        (staged / "stems").mkdir()
        (staged / "stems" / "bass").write_text("2")
    assert (folder / "stems" / "bass").read_text() == "2"
    assert (folder / "mine.txt").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EFBIG])
def test_the_systems_refusals_name_the_place(tmp_path, code):
    with pytest.raises(ResourceError, match="result"), staged_folder(tmp_path / "result"):
        raise OSError(code, os.strerror(code))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    impossible = tmp_path / "file" / "x"
    with pytest.raises(ResourceError, match="no such place"), staged_folder(impossible):
        pass
