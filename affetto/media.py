"""Opening media safely: one place where a file becomes a PyAV container.

Files are opened by handle (given a string, FFmpeg would also open http:, concat: and the like),
only regular files, only container formats that cannot point elsewhere. Whatever PyAV raises on
broken media (eight exception types were counted on mutated files) comes out as `MediaError`.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from affetto.errors import EngineError, MediaError

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,wav,flac,mp3,ogg,mpegts"
BUFFER_BYTES = 1 << 18
TAIL_S = 5.0  # how far before the claimed end the search for the real end begins


@dataclass(frozen=True)
class MediaLimits:
    """What is accepted, checked on the header before anything is decoded."""

    max_duration_s: float = 3 * 3600.0
    max_side: int = 8192
    max_pixels: int = 8192 * 4320
    max_fps: int = 240
    max_streams: int = 64
    max_sample_rate: int = 192_000
    max_channels: int = 16


@contextmanager
def media_errors(path: Path) -> Iterator[None]:
    """Let nothing but our own errors out of a stretch of PyAV calls on `path`."""
    try:
        yield
    except EngineError:
        raise
    except (
        av.FFmpegError,
        OSError,
        ValueError,
        LookupError,
        ArithmeticError,
        AttributeError,
        TypeError,
        EOFError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise MediaError(
            f"{path} cannot be read as media ({type(error).__name__}: {error}): it is damaged, cut "
            f"short or of a kind that is not accepted; accepted are {FORMATS.replace(',', ', ')}"
        ) from error


@contextmanager
def open_media(path: Path, *, limits: MediaLimits) -> Iterator[InputContainer]:
    """An open container of a regular file; the decoders refuse pictures beyond `limits`.

    Raises:
        MediaError: see the module's text; also for anything PyAV raises inside the `with` block.
    """
    # max_pixels also holds inside FFmpeg, for the probing and for sizes that change on the way.
    options = {"max_pixels": str(limits.max_pixels)}
    only = {"format_whitelist": FORMATS, "protocol_whitelist": "none"}
    with (
        media_errors(path),
        os.fdopen(regular_file(path), "rb") as handle,
        av.open(
            handle, "r", options=options, container_options=only, buffer_size=BUFFER_BYTES
        ) as media,
    ):
        for stream in media.streams.video:
            if stream.codec_context is not None:
                stream.codec_context.options = options
        yield media


def video_stream(media: InputContainer) -> VideoStream | None:
    """The first stream of moving pictures; cover art does not count."""
    for stream in media.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def audio_stream(media: InputContainer) -> AudioStream | None:
    """The first stream of sound."""
    return media.streams.audio[0] if media.streams.audio else None


def check_header(media: InputContainer, path: Path, limits: MediaLimits) -> None:
    """Refuse what is beyond the limits or has no decoder, before anything is decoded."""
    if len(media.streams) > limits.max_streams:
        raise MediaError(f"{path} has {len(media.streams)} streams, allowed {limits.max_streams}")
    video, audio = video_stream(media), audio_stream(media)
    if video is None and audio is None:
        raise MediaError(f"{path} holds neither moving pictures nor sound")
    if video is not None:
        if video.codec_context is None:
            raise MediaError(
                f"{path}: no decoder for its video: it is cut short or of an unknown kind; get the "
                f"whole file, or convert it to H.264 mp4"
            )
        width, height = video.codec_context.width, video.codec_context.height
        if max(width, height) > limits.max_side or width * height > limits.max_pixels:
            raise MediaError(
                f"{path} has frames of {width} x {height}; allowed are sides up to "
                f"{limits.max_side} and {limits.max_pixels / 1e6:.1f} million pixels: scale it down"
            )
    if audio is not None and audio.codec_context is not None:
        rate, channels = audio.codec_context.sample_rate, audio.codec_context.channels
        if rate > limits.max_sample_rate or channels > limits.max_channels:
            raise MediaError(
                f"{path} has sound of {rate} Hz and {channels} channels; allowed are "
                f"{limits.max_sample_rate} Hz and {limits.max_channels} channels"
            )


def check_whole(media: InputContainer, path: Path) -> None:
    """Refuse an mp4 or mov whose index points behind the end of the file.

    Raises:
        MediaError: naming the second at which the data breaks off.
    """
    if "mp4" not in media.format.name:
        return
    size = path.stat().st_size
    for stream in (video_stream(media), audio_stream(media)):
        if stream is None or stream.time_base is None:
            continue
        missing = [e.timestamp for e in stream.index_entries if e.pos + e.size > size]
        if missing:
            raise MediaError(
                f"{path} breaks off at second {float(min(missing) * stream.time_base):.1f}: "
                f"the file is cut short; get the whole file"
            )


def last_packet(
    path: Path, *, limits: MediaLimits, claimed_s: float, step_s: float
) -> tuple[float, float]:
    """Where the main stream really ends, from its packets; the header's claim is only a hint.

    Args:
        path: the file.
        limits: as for `open_media`.
        claimed_s: the container time at which the header says the stream ends, 0 if unknown.
        step_s: the duration of a packet that states none.

    Returns:
        (start of the last packet, end of the last packet), container time in seconds.
    """
    if claimed_s > TAIL_S:
        try:
            found = _scan(path, limits, seek_s=claimed_s - TAIL_S, step_s=step_s)
        except MediaError:  # not seekable: read it all
            found = None
        if found:
            return found
    return _scan(path, limits, seek_s=None, step_s=step_s) or (0.0, 0.0)


def _scan(
    path: Path, limits: MediaLimits, *, seek_s: float | None, step_s: float
) -> tuple[float, float] | None:
    last: tuple[float, float] | None = None
    with open_media(path, limits=limits) as media:
        stream = video_stream(media) or audio_stream(media)
        assert stream is not None
        assert stream.time_base is not None
        if seek_s is not None:
            media.seek(int(seek_s / stream.time_base), stream=stream, backward=True)
        for packet in media.demux(stream):
            ticks = packet.dts if packet.pts is None else packet.pts
            if ticks is None or packet.is_discard:
                continue
            begin = float(ticks * stream.time_base)
            length = float((packet.duration or 0) * stream.time_base) or step_s
            if last is None or begin > last[0]:
                last = begin, begin + length
    return last


def regular_file(path: Path) -> int:
    """A descriptor, open for reading, of a file that is neither folder, pipe nor empty.

    Raises:
        MediaError: it is, or cannot be opened.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise MediaError(f"no such file: {path}") from error
    except (OSError, ValueError) as error:
        raise MediaError(f"cannot open {path}: {error}") from error
    state = os.fstat(descriptor)
    problem = None
    if stat.S_ISDIR(state.st_mode):
        problem = f"{path} is a folder: give a media file"
    elif not stat.S_ISREG(state.st_mode):
        problem = f"{path} is not a regular file: copy the media to a file first"
    elif state.st_size == 0:
        problem = f"{path} is empty"
    if problem:
        os.close(descriptor)
        raise MediaError(problem)
    return descriptor
