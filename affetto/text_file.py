"""Reading a small text file from outside: regular files only, with a limit."""

import codecs
from pathlib import Path

from affetto.errors import BadInput


def read_text(path: Path, *, max_bytes: int, refusal: type[BadInput] = BadInput) -> str:
    """The file's text.

    Args:
        path: a regular file; pipes and devices are refused, as reading them may never end.
        max_bytes: more than this is refused before it is read.
        refusal: the error to raise.

    Raises:
        BadInput: (as `refusal`) missing, unreadable, too large, or neither UTF-8 nor UTF-16 that
            says so in its first two bytes.
    """
    try:
        if not path.is_file():
            raise refusal(f"{path}: no such file")
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise refusal(f"{path} is larger than the {max_bytes} bytes allowed for this kind")
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, ValueError) as error:
        raise refusal(f"cannot read {path}: {error}") from error
