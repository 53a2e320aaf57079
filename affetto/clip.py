"""Clip: a media file that is read lazily, in constant memory, with every limit checked first."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from affetto.errors import MediaError
from affetto.media import (
    MediaLimits,
    audio_stream,
    check_header,
    check_whole,
    last_packet,
    open_media,
    video_stream,
)
from affetto.media_sound import Sound, read_sound

DECODE_THREADS = 2
UNKNOWN_FPS = Fraction(25)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """A media file on disk; nothing of its content is held in memory.

    Attributes:
        path: the file.
        width: displayed width in pixels, after rotation and pixel aspect; 0 without video.
        height: displayed height in pixels; 0 without video.
        fps: mean frames per second; 25 where nothing says (a single frame, sound alone).
        duration_s: of the video stream, from its first frame to the end of its last one, taken from
            the packets and not from the header's word; of the sound where there is no video.
        has_video: whether there are moving pictures (cover art does not count).
        has_audio: whether there is sound.
        sample_rate: of the sound in Hz, 0 without.
        channels: of the sound, 0 without.
        video_codec: FFmpeg's name, such as 'h264'; '' without video.
        container: FFmpeg's name of the container format.
        rotation: quarter turns counter-clockwise (0..3) that make the stored frames upright.
        start_s: container time of the first frame; all times given out count from it.
        last_frame_s: when the last frame appears.
        limits: what was checked.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    duration_s: float
    has_video: bool
    has_audio: bool
    sample_rate: int
    channels: int
    video_codec: str
    container: str
    rotation: int
    start_s: float
    last_frame_s: float
    limits: MediaLimits = field(default_factory=MediaLimits)

    @classmethod
    def open(cls, path: str | Path, *, limits: MediaLimits | None = None) -> "Clip":
        """Check the header, decode one frame and find the true end.

        Raises:
            MediaError: missing, empty, not media, damaged, cut short, or beyond the limits.
        """
        path, limits = Path(path), limits or MediaLimits()
        with open_media(path, limits=limits) as media:
            check_header(media, path, limits)
            check_whole(media, path)
            video, audio = video_stream(media), audio_stream(media)
            sound = audio.codec_context if audio is not None else None
            fps = _frame_rate(video, path, limits) if video else UNKNOWN_FPS
            claimed_s = _claimed_end(media)
            first = _first_frame(media, video, path) if video else None
            codec = video.codec_context.codec.canonical_name if video else ""
            start_s = float(first.time or 0.0) if first else _first_sound(media)
            shown = _shown_size(first, video) if first and video else (0, 0, 0)
            container = media.format.name
            sample_rate, channels = (sound.sample_rate, sound.channels) if sound else (0, 0)
        last_s, end_s = last_packet(path, limits=limits, claimed_s=claimed_s, step_s=float(1 / fps))
        duration_s = end_s - start_s
        if duration_s <= 0:
            raise MediaError(f"{path} has no duration: nothing in it can be played")
        if duration_s > limits.max_duration_s:
            raise MediaError(
                f"{path} lasts {duration_s:.0f} s, allowed are {limits.max_duration_s:.0f} s: "
                f"cut it into pieces"
            )
        return cls(
            path=path,
            width=shown[0],
            height=shown[1],
            fps=fps,
            duration_s=duration_s,
            has_video=first is not None,
            has_audio=audio is not None,
            sample_rate=sample_rate,
            channels=channels,
            video_codec=codec,
            container=container,
            rotation=shown[2],
            start_s=start_s,
            last_frame_s=max(0.0, last_s - start_s),
            limits=limits,
        )

    def frames(
        self,
        *,
        size: tuple[int, int] | None = None,
        wanted: Callable[[float], bool] | None = None,
    ) -> Iterator[tuple[float, Picture]]:
        """Decode frame by frame.

        Args:
            size: (width, height) to scale to while converting; the displayed size if None.
            wanted: asked with each frame's time; a frame it refuses is not converted, which saves
                most of the time of large films, and not given out. All frames if None.

        Returns:
            An iterator of (seconds since the first frame, strictly rising; (H, W, 3) uint8 RGB).

        Raises:
            MediaError: no video stream, or (while iterating) the file breaks off or is damaged.
        """
        if not self.has_video:
            raise MediaError(f"{self.path} has no video stream, only sound: give a film")
        width, height = size or (self.width, self.height)
        if width < 1 or height < 1:
            raise ValueError(f"size must be (width, height) of at least 1, got {size}")
        stored = (height, width) if self.rotation % 2 else (width, height)
        return self._decode(*stored, wanted)

    def _decode(
        self, width: int, height: int, wanted: Callable[[float], bool] | None
    ) -> Iterator[tuple[float, Picture]]:
        scale = VideoReformatter()
        step_s, last_s = float(1 / self.fps), float("-inf")
        with open_media(self.path, limits=self.limits) as media:
            stream = video_stream(media)
            assert stream is not None
            stream.codec_context.thread_count = DECODE_THREADS
            stream.thread_type = "AUTO"
            for frame in media.decode(stream):
                time_s = last_s if frame.time is None else float(frame.time) - self.start_s
                if time_s <= last_s:  # broken time stamps are spaced evenly, as players do
                    time_s = last_s + step_s
                time_s = max(0.0, time_s)
                if time_s > self.limits.max_duration_s:
                    raise MediaError(f"{self.path} has a frame at {time_s:.0f} s: damaged times")
                last_s = time_s
                if wanted is not None and not wanted(time_s):
                    continue
                small = scale.reformat(
                    frame, width, height, "rgb24", interpolation=Interpolation.BILINEAR
                )
                yield time_s, np.ascontiguousarray(np.rot90(small.to_ndarray(), self.rotation))
        if last_s + 2 * step_s + 0.5 < self.last_frame_s:
            raise MediaError(
                f"{self.path} breaks off at second {last_s:.1f} of {self.duration_s:.1f}: "
                f"get the whole file, or cut it there"
            )

    def audio_blocks(
        self, *, sample_rate: int, channels: int = 2, block_s: float = 1.0
    ) -> Iterator[Sound]:
        """Decode the sound in blocks, whatever its rate, format and layout.

        Sound is laid against the first video frame: what comes before is cut, what is missing is
        silence, and all blocks together are exactly round(duration_s * sample_rate) samples.
        More than two channels go through FFmpeg's downmix to stereo; mono fills both sides.

        Args:
            sample_rate: of the result in Hz.
            channels: 1 or 2.
            block_s: length of a block in seconds; the last one may be shorter.

        Returns:
            An iterator of (channels, S) float32, nominally in [-1, 1].

        Raises:
            MediaError: there is no sound, or (while iterating) it cannot be decoded.
        """
        if not self.has_audio:
            raise MediaError(f"{self.path} has no sound")
        if not self.sample_rate:
            raise MediaError(f"{self.path}: no decoder for its sound; convert it to AAC")
        if channels not in (1, 2) or sample_rate < 1 or block_s <= 0:
            raise ValueError(
                f"channels must be 1 or 2, sample_rate and block_s positive; "
                f"got {channels}, {sample_rate}, {block_s}"
            )
        return read_sound(
            open_media(self.path, limits=self.limits),
            start_s=self.start_s,
            total=round(self.duration_s * sample_rate),
            sample_rate=sample_rate,
            channels=channels,
            block=max(1, round(block_s * sample_rate)),
        )


def _frame_rate(video: VideoStream, path: Path, limits: MediaLimits) -> Fraction:
    rates = (video.average_rate, video.guessed_rate, video.base_rate)
    stated = [Fraction(rate) for rate in rates if rate]
    if video.frames == 1 or not stated:
        return UNKNOWN_FPS
    if min(stated) > limits.max_fps:
        raise MediaError(
            f"{path} has {float(min(stated)):.0f} frames a second, allowed are {limits.max_fps}"
        )
    return next(rate for rate in stated if rate <= limits.max_fps)


def _claimed_end(media: InputContainer) -> float:
    """Container time in seconds at which the header says the main stream ends; 0 if it does not."""
    stream = video_stream(media) or audio_stream(media)
    assert stream is not None
    if stream.duration and stream.time_base:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base)
    return ((media.duration or 0) + max(0, media.start_time or 0)) / 1e6


def _first_frame(media: InputContainer, video: VideoStream, path: Path) -> VideoFrame:
    for frame in media.decode(video):
        return frame
    raise MediaError(f"{path} has a video stream but not one frame in it")


def _first_sound(media: InputContainer) -> float:
    sound = audio_stream(media)
    assert sound is not None
    for frame in media.decode(sound):
        return float(frame.time or 0.0)
    return 0.0


def _shown_size(frame: VideoFrame, video: VideoStream) -> tuple[int, int, int]:
    """(width, height, quarter turns) for the screen."""
    aspect = video.sample_aspect_ratio or Fraction(1)
    width = frame.width
    if Fraction(1, 5) < aspect < 5:  # beyond that it is a mistake, not a lens
        width = max(1, round(frame.width * aspect))
    turns = round(frame.rotation / 90) % 4
    return (frame.height, width, turns) if turns % 2 else (width, frame.height, turns)
