"""The sound of a media file as even blocks of samples, laid against the film's time."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from numpy.typing import NDArray

from affetto.media import audio_stream

Sound = NDArray[np.float32]

SLIP_S = 0.04  # time stamps that leave the sample count by more than this are believed instead


def read_sound(
    opened: AbstractContextManager[InputContainer],
    *,
    start_s: float,
    total: int,
    sample_rate: int,
    channels: int,
    block: int,
) -> Iterator[Sound]:
    """Cut the sound into blocks of `block` samples, exactly `total` in all.

    Args:
        opened: the container, entered here; its errors are turned by it.
        start_s: container time that becomes sample 0.
        total: samples to give; missing ones are silence, further ones are dropped.
        sample_rate: in Hz.
        channels: 1 or 2.
        block: samples of a block.

    Yields:
        (channels, S) float32 with S = block, less in the last one.
    """
    held: list[Sound] = []
    num_held, given = 0, 0
    with opened as media:
        for piece in _aligned(media, start_s, total, sample_rate, channels):
            held.append(piece)
            num_held += piece.shape[1]
            while num_held >= block and given + block <= total:
                joined = np.concatenate(held, axis=1)
                yield np.ascontiguousarray(joined[:, :block])
                held, num_held, given = [joined[:, block:]], num_held - block, given + block
            if given + num_held >= total:
                break
    rest = np.concatenate([np.zeros((channels, 0), np.float32), *held], axis=1)[:, : total - given]
    while given < total:
        size = min(block, total - given)
        out = np.zeros((channels, size), np.float32)
        out[:, : rest.shape[1]] = rest[:, :size]
        yield out
        rest, given = rest[:, size:], given + size


def _aligned(
    media: InputContainer, start_s: float, total: int, sample_rate: int, channels: int
) -> Iterator[Sound]:
    """Pieces whose samples stand where their time stamps say; gaps are silence, overlaps cut."""
    written, skip = 0, 0
    for position_s, piece in _resampled(media, sample_rate, channels):
        if position_s is not None:  # a new stretch begins
            wanted = round((position_s - start_s) * sample_rate)
            skip = max(0, written - wanted)
            while written < min(wanted, total):
                size = min(sample_rate, wanted - written, total - written)
                yield np.zeros((channels, size), np.float32)
                written += size
            if wanted >= total:
                return
        kept = piece[:, skip:]
        skip -= piece.shape[1] - kept.shape[1]
        written += kept.shape[1]
        if kept.shape[1]:
            yield kept


def _resampled(
    media: InputContainer, sample_rate: int, channels: int
) -> Iterator[tuple[float | None, Sound]]:
    """(container time where a stretch of steady sound begins, else None; its samples)."""
    stream = audio_stream(media)
    assert stream is not None
    resampler: AudioResampler | None = None
    kind: tuple[str, str, int] | None = None
    next_s, fresh_s = 0.0, None
    for frame in media.decode(stream):
        time_s = next_s if frame.time is None else float(frame.time)
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or now != kind or abs(time_s - next_s) > SLIP_S:
            if resampler is not None:
                for out in resampler.resample(None):
                    yield fresh_s, _samples(out, channels)
                    fresh_s = None
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler = AudioResampler(format="fltp", layout=layout, rate=sample_rate)
            kind, next_s, fresh_s = now, time_s, time_s
        next_s += frame.samples / frame.sample_rate
        for out in resampler.resample(frame):
            yield fresh_s, _samples(out, channels)
            fresh_s = None
    if resampler is not None:
        for out in resampler.resample(None):
            yield fresh_s, _samples(out, channels)
            fresh_s = None


def _samples(frame: AudioFrame, channels: int) -> Sound:
    sound: Sound = frame.to_ndarray().astype(np.float32)
    np.nan_to_num(sound, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)  # broken float sound
    if len(sound) == channels:
        return sound
    if channels == 1:
        mono: Sound = sound.mean(axis=0, keepdims=True, dtype=np.float32)
        return mono
    return np.repeat(sound, 2, axis=0)
