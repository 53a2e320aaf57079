"""Times as people write them: 3.2, 1:30, 1:02:03.5."""

import re

MAX_TIME_S = 24 * 3600.0

_TIME = re.compile(
    r"(?:(?:(\d+):)?(\d+):)?((?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)", re.ASCII | re.IGNORECASE
)


def seconds_of(word: str) -> float:
    """Seconds of a time: seconds, m:ss or h:mm:ss, each with decimals if wanted.

    Raises:
        ValueError: it is none; says why, to be put after the word.

    Example:
        >>> seconds_of("1:02.5")
        62.5
    """
    match = _TIME.fullmatch(word)
    if not match:
        raise ValueError("is negative" if word.startswith("-") else "is not a time")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    if (match[2] and seconds >= 60) or (match[1] and minutes >= 60):
        raise ValueError("has 60 or more after a ':'")
    time_s = 3600 * hours + 60 * minutes + seconds
    if not time_s <= MAX_TIME_S:
        raise ValueError("is later than 24 hours")
    return time_s
