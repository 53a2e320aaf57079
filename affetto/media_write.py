"""Writing films: a film with its new sound, and films made of generated frames."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from av.video.stream import VideoStream

from affetto.clip import DECODE_THREADS, Clip, Picture
from affetto.errors import MediaError
from affetto.files import staged_file
from affetto.media import MediaLimits, open_media, video_stream
from affetto.media_sound import Sound, read_sound

AnyPacket: TypeAlias = "Packet[Any]"

# Codecs that may live in mp4, from containers whose packets all carry their times.
COPIED_CODECS = ("h264", "hevc", "av1", "mpeg4", "vp9")
COPIED_FROM = ("mov,mp4", "matroska")
TAGS = ("title", "artist", "album", "comment", "copyright", "date", "description", "genre")
AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000)
AAC_FRAME = 1024
AAC_BITS_PER_S = 192_000
# Deterministic bytes: with its macroblock tree, PyAV 18's x264 writes others on each run.
H264_OPTIONS = {"crf": "18", "preset": "veryfast", "mbtree": "0"}
CLOCK_HZ = 90_000  # ticks of encoded pictures whose times are not even


def write_film(clip: Clip, wav_path: Path, out_path: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the film's picture with the sound of a wav file as mp4.

    The picture's packets are copied where mp4 may hold them, else encoded anew as H.264. The sound
    becomes AAC, cut or padded with silence to the picture's length.

    Args:
        clip: the film.
        wav_path: any sound file that `Clip` reads.
        out_path: ends in .mp4; appears only when it is whole.
        metadata: tags from `TAGS`.

    Raises:
        MediaError: no picture, the film is damaged, or the wav cannot be read.
        ResourceError: no room or no permission.
    """
    if not clip.has_video:
        raise MediaError(f"{clip.path} has no video stream, only sound: give a film")
    music = Clip.open(wav_path)
    rate = music.sample_rate if music.sample_rate in AAC_RATES else 48_000
    sound = read_sound(
        open_media(wav_path, limits=music.limits),
        start_s=0.0,
        total=round(clip.duration_s * rate),
        sample_rate=rate,
        channels=min(2, music.channels),
        block=AAC_FRAME,
    )
    with staged_file(out_path) as staged, _create(staged, metadata) as out:
        if clip.video_codec in COPIED_CODECS and clip.container.startswith(COPIED_FROM):
            picture = _copied(clip, out)
        else:
            stream = _h264_stream(out, clip.fps, clip.width, clip.height, Fraction(1, CLOCK_HZ))
            picture = _encoded(stream, clip.frames(), step_s=float(1 / clip.fps))
        _mux(out, picture, _aac(out, sound, rate, min(2, music.channels)))


def write_clip(
    frames: Iterable[Picture],
    fps: Fraction,
    out_path: Path,
    *,
    wav: Sound | None = None,
    sample_rate: int | None = None,
) -> None:
    """Write generated frames as an H.264 mp4; odd sizes are scaled up to even ones.

    Args:
        frames: (H, W, 3) uint8 RGB, all of one size, at least one.
        fps: frames per second.
        out_path: ends in .mp4; appears only when it is whole.
        wav: (C, S) float32 in [-1, 1] with 1 or 2 channels, or None for a silent film.
        sample_rate: of `wav` in Hz, one of `AAC_RATES`.

    Raises:
        ValueError: no frame, or sound without a usable rate or shape.
        ResourceError: no room or no permission.
    """
    if wav is not None and (sample_rate not in AAC_RATES or wav.ndim != 2 or len(wav) > 2):
        raise ValueError(
            f"wav must be (1 or 2, S) at one of {AAC_RATES} Hz, got {wav.shape} at {sample_rate}"
        )
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError("write_clip needs at least one frame")
    height, width, _ = first.shape
    timed = ((float(i / fps), frame) for i, frame in enumerate(_chain(first, iterator)))
    with staged_file(out_path) as staged, _create(staged, {}) as out:
        stream = _h264_stream(out, fps, width, height, Fraction(1, CLOCK_HZ))
        picture = _encoded(stream, timed, step_s=float(1 / fps))
        if wav is None or sample_rate is None:
            _mux(out, picture)
        else:
            blocks = (wav[:, i : i + AAC_FRAME] for i in range(0, wav.shape[1], AAC_FRAME))
            _mux(out, picture, _aac(out, blocks, sample_rate, len(wav)))


def write_joined(
    parts: Sequence[Path],
    sound: Iterable[Sound],
    out_path: Path,
    *,
    sample_rate: int,
    channels: int,
    metadata: Mapping[str, str],
) -> None:
    """Join films of `write_clip` end to end, pictures copied as they are, under one sound.

    Args:
        parts: at least one, all written at one size and rate.
        sound: blocks (channels, S) float32 in [-1, 1].
        out_path: ends in .mp4; appears only when it is whole.
        sample_rate: of the sound in Hz, one of `AAC_RATES`.
        channels: 1 or 2.
        metadata: tags from `TAGS`.

    Raises:
        MediaError: a part cannot be read.
        ResourceError: no room or no permission.
    """
    with staged_file(out_path) as staged, _create(staged, metadata) as out:
        with open_media(parts[0], limits=MediaLimits()) as media:
            source = video_stream(media)
            assert source is not None
            target = out.add_stream_from_template(source, opaque=True)
        _mux(out, _joined(parts, target), _aac(out, sound, sample_rate, channels))


def _joined(parts: Sequence[Path], target: VideoStream) -> Iterator[AnyPacket]:
    """The packets of all parts, each part's times after those of the one before."""
    end, decode = 0, None
    for part in parts:
        begin = end
        with open_media(part, limits=MediaLimits()) as media:
            source = video_stream(media)
            assert source is not None
            for packet in media.demux(source):
                if packet.dts is None or packet.pts is None:  # the end mark
                    continue
                step = packet.duration or 0
                # Evenly on from the first part: one of few frames has less delay in its own times.
                decode = packet.dts if decode is None else decode + step
                packet.pts, packet.dts = packet.pts + begin, decode
                end = max(end, packet.pts + step)
                packet.stream = target
                yield packet


def _chain(first: Picture, rest: Iterator[Picture]) -> Iterator[Picture]:
    yield first
    yield from rest


@contextmanager
def _create(path: Path, metadata: Mapping[str, str]) -> Iterator[OutputContainer]:
    unknown = sorted(set(metadata) - set(TAGS))
    if unknown:
        raise ValueError(f"mp4 keeps only the tags {', '.join(TAGS)}; got {', '.join(unknown)}")
    # An absolute path: a relative one such as 'http:x' would be taken for an address.
    with av.open(
        str(path.absolute()), "w", format="mp4", container_options={"movflags": "+faststart"}
    ) as out:
        out.metadata.update(metadata)
        yield out


def _mux(out: OutputContainer, *sources: Iterator[AnyPacket]) -> None:
    """Write the packets of all streams in the order of their decoding times."""
    for packet in merge(*sources, key=_decode_time):
        out.mux(packet)


def _decode_time(packet: AnyPacket) -> float:
    return float((packet.dts or 0) * packet.time_base)


def _copied(clip: Clip, out: OutputContainer) -> Iterator[AnyPacket]:
    """Make the stream now; give the packets, moved so that the first frame stands at 0."""
    with open_media(clip.path, limits=clip.limits) as media:
        source = video_stream(media)
        assert source is not None
        target = out.add_stream_from_template(source, opaque=True)
        target.set_display_rotation(90 * clip.rotation)
    return _copied_packets(clip, target)


def _copied_packets(clip: Clip, target: VideoStream) -> Iterator[AnyPacket]:
    with open_media(clip.path, limits=clip.limits) as media:
        source = video_stream(media)
        assert source is not None
        assert source.time_base is not None
        shift = round(clip.start_s / source.time_base)
        step = max(1, round(1 / clip.fps / source.time_base))
        for packet in _with_decode_times(media.demux(source), step):
            assert packet.dts is not None
            packet.pts = (packet.dts if packet.pts is None else packet.pts) - shift
            packet.dts -= shift
            packet.stream = target
            yield packet


def _with_decode_times(packets: Iterable[AnyPacket], step: int) -> Iterator[AnyPacket]:
    """Fill in the decoding times that Matroska leaves out at the start of a film with B-frames."""
    waiting: list[AnyPacket] = []
    for packet in packets:
        if packet.size == 0:  # the end mark
            continue
        if packet.dts is None:
            waiting.append(packet)
            continue
        yield from _counted_back(waiting, packet.dts, step)
        waiting = []
        yield packet
    shown = [packet.pts for packet in waiting if packet.pts is not None]
    yield from _counted_back(waiting, min(shown, default=0) + step, step)


def _counted_back(packets: list[AnyPacket], until: int, step: int) -> Iterator[AnyPacket]:
    for i, packet in enumerate(packets):
        packet.dts = until - step * (len(packets) - i)
        yield packet


def _h264_stream(
    out: OutputContainer, fps: Fraction, width: int, height: int, time_base: Fraction
) -> VideoStream:
    stream = out.add_stream("libx264", rate=fps, options=dict(H264_OPTIONS))
    stream.width, stream.height = width + width % 2, height + height % 2
    stream.pix_fmt = "yuv420p"
    stream.codec_context.time_base = time_base
    stream.codec_context.thread_count = DECODE_THREADS
    stream.codec_context.colorspace = Colorspace.ITU709
    return stream


def _encoded(
    stream: VideoStream, frames: Iterable[tuple[float, Picture]], *, step_s: float
) -> Iterator[AnyPacket]:
    scale = VideoReformatter()
    for time_s, picture in frames:
        frame = scale.reformat(
            VideoFrame.from_ndarray(picture, "rgb24"),
            stream.width,
            stream.height,
            "yuv420p",
            dst_colorspace=Colorspace.ITU709,
        )
        frame.pts, frame.time_base = round(time_s * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        frame.duration = round(step_s * CLOCK_HZ)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _aac(
    out: OutputContainer, blocks: Iterable[Sound], sample_rate: int, channels: int
) -> Iterator[AnyPacket]:
    layout = "mono" if channels == 1 else "stereo"
    stream = out.add_stream("aac", rate=sample_rate, layout=layout, bit_rate=AAC_BITS_PER_S)
    return _aac_packets(stream, blocks, layout)


def _aac_packets(stream: AudioStream, blocks: Iterable[Sound], layout: str) -> Iterator[AnyPacket]:
    position = 0
    for block in blocks:
        samples = np.ascontiguousarray(np.clip(block, -1.0, 1.0), dtype=np.float32)
        frame = AudioFrame.from_ndarray(samples, "fltp", layout)
        frame.sample_rate, frame.pts = stream.codec_context.sample_rate, position
        frame.time_base = Fraction(1, stream.codec_context.sample_rate)
        position += samples.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)
