"""SMPTE timecode: hours, minutes, seconds and frames, dropping numbers or not.

Source: SMPTE ST 12-1. At 29.97 frames a second drop-frame timecode leaves out the numbers 0 and 1
in every minute but each tenth (at 59.94 four of them), so that it keeps to the clock.
"""

import re
from fractions import Fraction

_TIMECODE = re.compile(r"(\d{1,2})[:;](\d{2})[:;](\d{2})([:;])(\d{2,3})", re.ASCII)
_NTSC = {24: Fraction(24000, 1001), 30: Fraction(30000, 1001), 60: Fraction(60000, 1001)}
_LEAST, _MOST = 1, 240


def is_timecode(word: str) -> bool:
    """Whether a word has the form of timecode: 01:00:05:12, or 01:00:05;12 where numbers drop."""
    return _TIMECODE.fullmatch(word) is not None


def seconds_at(word: str, rate: Fraction, *, drop: bool = False) -> float:
    """Seconds of a timecode.

    Args:
        word: the timecode; a `;` in it means drop frame.
        rate: frames a second, exact (`frame_rate`).
        drop: drop frame though no `;` says so; then the rate counts as 29.97 or 59.94.

    Raises:
        ValueError: it is none, or has a frame that does not exist at this rate.

    Example:
        >>> seconds_at("00:01:00;02", Fraction(30000, 1001))
        60.06
    """
    match = _TIMECODE.fullmatch(word)
    if not match:
        raise ValueError("is not timecode")
    hours, minutes, seconds, frames = (int(match[place]) for place in (1, 2, 3, 5))
    drop = drop or ";" in word
    rate = _NTSC[60 if round(rate) == 60 else 30] if drop else rate
    count = round(rate)  # numbers in a second
    if minutes >= 60 or seconds >= 60:
        raise ValueError("has 60 or more minutes or seconds")
    if frames >= count:
        raise ValueError(f"has frame {frames}, at {float(rate):g} frames a second they end with "
                         f"{count - 1}")  # fmt: skip
    number = ((hours * 60 + minutes) * 60 + seconds) * count + frames
    if drop:
        whole = hours * 60 + minutes
        number -= count // 15 * (whole - whole // 10)
    return float(number / rate)


def frame_rate(number: float) -> Fraction:
    """The exact rate that a rounded one means: 23.976 is 24000/1001.

    Raises:
        ValueError: it is not from 1 to 240.
    """
    if not _LEAST <= number <= _MOST:
        raise ValueError(f"a frame rate is {_LEAST} to {_MOST}, got {number:g}")
    for count in (24, 30, 48, 60, 120):
        if abs(number - count / 1.001) < 0.01:
            return Fraction(count * 1000, 1001)
    return Fraction(number).limit_denominator(1001)
