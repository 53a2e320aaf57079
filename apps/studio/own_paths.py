"""The studio's folders stay its own: what is told or handed out names files, not where they lie."""

import re
from pathlib import Path
from typing import Any

TEXTS = (".json", ".html", ".md", ".txt", ".csv")


def without_folders(value: Any, *folders: Path) -> Any:  # noqa: ANN401 - JSON
    """JSON or text in which `/a/b/talk.mp4` has become `talk.mp4`, for these folders' files."""
    if isinstance(value, str):
        return _pattern(folders).sub("", value)
    if isinstance(value, dict):
        return {name: without_folders(one, *folders) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_folders(one, *folders) for one in value]
    return value


def clear_folders(result: Path, *folders: Path) -> None:
    """Do the same within the text files of a result."""
    pattern = _pattern(folders)
    for path in result.rglob("*"):
        if path.suffix in TEXTS and path.is_file():
            text = path.read_text(encoding="utf-8")
            if (cleared := pattern.sub("", text)) != text:
                path.write_text(cleared, encoding="utf-8")


def _pattern(folders: tuple[Path, ...]) -> re.Pattern[str]:
    places = "|".join(re.escape(str(folder)) for folder in folders)
    return re.compile(rf"(?:{places})/(?:[\w.-]+/)*")
