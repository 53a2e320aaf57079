import resource
import tracemalloc
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import soundfile

from affetto.clip import Clip
from affetto.media_write import write_clip, write_film

FPS = Fraction(25)


def picture(level, *, width=64, height=48):
    """Red above, blue below, and a green stripe at the left whose level tells frames apart."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, :, 0] = 200
    image[height // 2 :, :, 2] = 200
    image[:, : width // 4, 1] = level
    return image


def encode(
    path,
    ticks,
    *,
    time_base=Fraction(1, 1000),
    codec="libx264",
    size=(64, 48),
    rotation=0,
    sar=None,
):
    """A film whose frame i is shown at ticks[i] * time_base."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = time_base
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        if rotation:
            stream.set_display_rotation(rotation)
        for i, tick in enumerate(ticks):
            image = picture(i * 10 % 250, width=size[0], height=size[1])
            frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def film(path, *, num=50, fps=FPS, wav=None, sample_rate=None, **size):
    frames = (picture(i * 5 % 250, **size) for i in range(num))
    write_clip(frames, fps, path, wav=wav, sample_rate=sample_rate)
    return path


def tone(duration_s, *, sample_rate=44_100, channels=2, hz=440.0):
    t = np.arange(round(duration_s * sample_rate)) / sample_rate
    return np.repeat(0.5 * np.sin(2 * np.pi * hz * t)[None], channels, axis=0).astype(np.float32)


def add_sound(path, target, *, layout="stereo", rate=44_100, offset_s=0.0, codec="pcm_s16le"):
    """`path`'s picture with one second of silence-free sound that begins at `offset_s`."""
    with av.open(str(path)) as source, av.open(str(target), "w") as out:
        picture_in = source.streams.video[0]
        video = out.add_stream_from_template(picture_in, opaque=True)
        audio = out.add_stream(codec, rate=rate, layout=layout)
        for packet in source.demux(picture_in):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        channels = audio.codec_context.channels
        sound = (tone(1.0, sample_rate=rate, channels=channels) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T.reshape(1, -1)), "s16", layout
        )
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = round(offset_s * rate)
        out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    return target


def whole(clip, **options):
    return np.concatenate(list(clip.audio_blocks(**options)), axis=1)


def test_reads_what_was_written(tmp_path):
    wav = tone(2.0)
    clip = Clip.open(film(tmp_path / "a.mp4", wav=wav, sample_rate=44_100))
    assert (clip.width, clip.height, clip.fps) == (64, 48, FPS)
    assert (clip.has_video, clip.has_audio) == (True, True)
    assert (clip.sample_rate, clip.channels, clip.video_codec) == (44_100, 2, "h264")
    assert clip.duration_s == pytest.approx(2.0, abs=1e-6)
    frames = list(clip.frames())
    np.testing.assert_allclose([time for time, _ in frames], np.arange(50) / 25, atol=1e-6)
    for i in (0, 20, 49):
        image = frames[i][1]
        assert image.shape == (48, 64, 3)
        assert image.dtype == np.uint8
        np.testing.assert_allclose(image[8, 40], [200, 0, 0], atol=6)
        np.testing.assert_allclose(image[40, 40], [0, 0, 200], atol=6)
        np.testing.assert_allclose(image[8, 4, 1], i * 5 % 250, atol=8)
    sound = whole(clip, sample_rate=44_100)
    assert sound.shape == (2, 88_200)
    assert np.corrcoef(sound[0, 2000:-4000], wav[0, 2000:-4000])[0, 1] > 0.999


def test_frames_scale_and_repeat(tmp_path):
    clip = Clip.open(film(tmp_path / "a.mp4", num=5))
    small = [image for _, image in clip.frames(size=(16, 12))]
    assert {image.shape for image in small} == {(12, 16, 3)}
    np.testing.assert_allclose(small[0][1, 12], [200, 0, 0], atol=8)
    again = [image for _, image in clip.frames(size=(16, 12))]
    np.testing.assert_array_equal(small, again)
    with pytest.raises(ValueError, match="size"):
        clip.frames(size=(0, 12))


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_its_times(tmp_path, suffix):
    ticks = [0, 40, 80, 500, 520, 1400, 2000]
    clip = Clip.open(encode(tmp_path / f"v.{suffix}", ticks))
    times = [time for time, _ in clip.frames()]
    np.testing.assert_allclose(times, np.asarray(ticks) / 1000, atol=1e-3)
    assert 2.0 < clip.duration_s < 2.7


def test_times_count_from_the_first_frame(tmp_path):
    clip = Clip.open(encode(tmp_path / "late.mkv", [3000, 3040, 3080]))
    assert [round(time, 3) for time, _ in clip.frames()] == [0.0, 0.04, 0.08]
    assert clip.duration_s == pytest.approx(0.12, abs=2e-3)


@pytest.mark.parametrize(
    ("rotation", "shown", "red_at"),
    [
        (0, (64, 48), (8, 40)),
        (90, (48, 64), (40, 8)),
        (180, (64, 48), (40, 20)),
        (-90, (48, 64), (40, 40)),
    ],
)
def test_rotation(tmp_path, rotation, shown, red_at):
    path = encode(tmp_path / "r.mp4", range(0, 200, 40), rotation=rotation)
    clip = Clip.open(path)
    assert (clip.width, clip.height) == shown
    image = next(clip.frames())[1]
    assert image.shape == (shown[1], shown[0], 3)
    assert image[red_at][0] > 150
    assert image[red_at][2] < 60
    # Copying keeps it.
    soundfile.write(tmp_path / "m.wav", tone(0.2).T, 44_100)
    write_film(clip, tmp_path / "m.wav", tmp_path / "out.mp4", metadata={})
    copied = Clip.open(tmp_path / "out.mp4")
    assert copied.rotation == clip.rotation
    np.testing.assert_array_equal(next(copied.frames())[1], image)


def test_pixel_aspect_widens(tmp_path):
    clip = Clip.open(encode(tmp_path / "s.mp4", [0, 40], sar=Fraction(2, 1)))
    assert (clip.width, clip.height) == (128, 48)
    assert next(clip.frames())[1].shape == (48, 128, 3)


def test_headers_without_a_duration_or_with_a_wrong_one(tmp_path):
    stream = tmp_path / "live.mkv"  # written without seeking back: no duration in the header
    with stream.open("wb") as raw:

        class Pipe:
            def write(self, data):
                return raw.write(data)

        with av.open(Pipe(), "w", format="matroska") as out:
            video = out.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            for i in range(60):
                out.mux(video.encode(av.VideoFrame.from_ndarray(picture(i), "rgb24")))
            out.mux(video.encode(None))
    assert Clip.open(stream).duration_s == pytest.approx(2.4, abs=2e-3)
    told = film(tmp_path / "a.mp4", num=60).read_bytes()
    media_header = told.index(b"mdhd")
    lying = bytearray(told)
    lying[media_header + 20 : media_header + 24] = (10**6).to_bytes(4, "big")
    (tmp_path / "lie.mp4").write_bytes(lying)
    assert Clip.open(tmp_path / "lie.mp4").duration_s == pytest.approx(2.4, abs=1e-3)


@pytest.mark.parametrize(
    ("layout", "rate"),
    [("mono", 8000), ("stereo", 48_000), ("5.1", 48_000), ("mono", 44_100), ("7.1", 96_000)],
)
def test_any_sound(tmp_path, layout, rate):
    silent = film(tmp_path / "a.mp4", num=25)
    clip = Clip.open(add_sound(silent, tmp_path / "s.mkv", layout=layout, rate=rate))
    assert clip.sample_rate == rate
    for channels in (1, 2):
        sound = whole(clip, sample_rate=22_050, channels=channels, block_s=0.3)
        assert sound.shape == (channels, 22_050)
        assert sound.dtype == np.float32
        middle = sound[:, 2000:-2000]
        wanted = tone(1.0, sample_rate=22_050, channels=channels)[:, 2000:-2000]
        assert np.corrcoef(middle[0], wanted[0])[0, 1] > 0.999
        if layout in ("mono", "stereo"):
            np.testing.assert_allclose(middle, wanted, atol=5e-3)


@pytest.mark.parametrize("offset_s", [0.25, -0.25])
def test_sound_is_laid_against_the_picture(tmp_path, offset_s):
    silent = encode(tmp_path / "a.mkv", range(1000, 2000, 40))
    clip = Clip.open(add_sound(silent, tmp_path / "s.mkv", offset_s=1 + offset_s))
    sound = whole(clip, sample_rate=44_100)
    assert sound.shape[1] == round(clip.duration_s * 44_100)
    loud = np.flatnonzero(np.abs(sound[0]) > 0.05)
    begin, end = loud[0] / 44_100, loud[-1] / 44_100
    if offset_s > 0:
        assert begin == pytest.approx(0.25, abs=0.003)
        assert end == pytest.approx(1.0, abs=0.003)
    else:
        assert begin == pytest.approx(0.0, abs=0.003)
        assert end == pytest.approx(0.75, abs=0.003)


def test_sound_longer_and_shorter_than_the_picture(tmp_path):
    long = film(tmp_path / "l.mp4", num=10, wav=tone(2.0), sample_rate=44_100)
    assert whole(Clip.open(long), sample_rate=44_100).shape == (2, 17_640)
    short = film(tmp_path / "s.mp4", num=50, wav=tone(0.5), sample_rate=44_100)
    blocks = list(Clip.open(short).audio_blocks(sample_rate=44_100, block_s=0.75))
    assert [block.shape[1] for block in blocks] == [33_075, 33_075, 22_050]
    assert np.abs(blocks[2]).max() < 1e-4
    with pytest.raises(ValueError, match="channels must be 1 or 2"):
        Clip.open(short).audio_blocks(sample_rate=44_100, channels=3)


@pytest.mark.parametrize(
    ("codec", "suffix", "kept"),
    [
        ("libx264", "mp4", "h264"),
        ("libx264", "mkv", "h264"),
        ("libx265", "mp4", "hevc"),
        ("libvpx-vp9", "webm", "vp9"),
        ("libsvtav1", "mkv", "av1"),
        ("mpeg4", "mp4", "mpeg4"),
        ("mpeg4", "avi", "h264"),
        ("libx264", "ts", "h264"),
        ("ffv1", "mkv", "h264"),
    ],
)
def test_write_film(tmp_path, codec, suffix, kept):
    size = (128, 96) if codec == "libsvtav1" else (64, 48)
    source = Clip.open(encode(tmp_path / f"f.{suffix}", range(0, 1000, 40), codec=codec, size=size))
    soundfile.write(tmp_path / "m.wav", tone(1.3).T, 44_100)
    tags = {"title": "A film", "comment": "seed 3"}
    write_film(source, tmp_path / "m.wav", tmp_path / "out.mp4", metadata=tags)
    made = Clip.open(tmp_path / "out.mp4")
    assert (made.video_codec, made.channels, made.sample_rate) == (kept, 2, 44_100)
    assert made.duration_s == pytest.approx(1.0, abs=0.002)
    wanted, got = list(source.frames()), list(made.frames())
    np.testing.assert_allclose([t for t, _ in got], [t for t, _ in wanted], atol=1e-3)
    difference = np.mean(
        [np.abs(a.astype(int) - b).mean() for (_, a), (_, b) in zip(wanted, got, strict=True)]
    )
    copied = suffix in ("mp4", "mkv", "webm") and codec != "ffv1"
    assert difference == 0 if copied else difference < 3
    with av.open(str(tmp_path / "out.mp4")) as media:
        audio = media.streams.audio[0]
        assert float(audio.duration * audio.time_base) == pytest.approx(made.duration_s, abs=0.01)
        assert tags.items() <= media.metadata.items()
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    sound = whole(made, sample_rate=44_100)
    assert np.corrcoef(sound[0, 2000:42_000], tone(1.3)[0, 2000:42_000])[0, 1] > 0.999


def test_write_film_odd_size_and_variable_rate(tmp_path):
    # ffv1 holds odd sizes; H.264 in yuv420p does not.
    ticks = [0, 40, 400, 440, 1000]
    source = Clip.open(encode(tmp_path / "f.mkv", ticks, codec="ffv1", size=(33, 27)))
    assert (source.width, source.height) == (33, 27)
    soundfile.write(tmp_path / "m.wav", tone(0.5, channels=1).T, 44_100)
    write_film(source, tmp_path / "m.wav", tmp_path / "out.mp4", metadata={})
    made = Clip.open(tmp_path / "out.mp4")
    assert (made.width, made.height, made.channels) == (34, 28, 1)
    np.testing.assert_allclose([t for t, _ in made.frames()], np.asarray(ticks) / 1000, atol=1e-3)
    with pytest.raises(ValueError, match=r"keeps only the tags.*got mood"):
        write_film(source, tmp_path / "m.wav", tmp_path / "o.mp4", metadata={"mood": "x"})
    assert not (tmp_path / "o.mp4").exists()


def test_same_input_same_bytes(tmp_path):
    """Smooth pictures that drift: x264's default settings fail this within a few runs."""
    coarse = np.random.default_rng(0).integers(0, 255, (6, 10, 3), dtype=np.uint8)
    wide = cv2.resize(coarse, (360, 180), interpolation=cv2.INTER_CUBIC)
    written = set()
    for i in range(6):
        frames = (wide[:, i : i + 320] for i in range(40))
        write_clip(frames, FPS, tmp_path / f"{i}.mp4", wav=tone(1.6), sample_rate=44_100)
        written.add((tmp_path / f"{i}.mp4").read_bytes())
    assert len(written) == 1


def test_write_clip_refuses(tmp_path):
    with pytest.raises(ValueError, match="at least one frame"):
        write_clip([], FPS, tmp_path / "x.mp4")
    with pytest.raises(ValueError, match=r"wav must be.*\(3, 10\) at 44100"):
        write_clip(
            iter([picture(0)]),
            FPS,
            tmp_path / "x.mp4",
            wav=np.zeros((3, 10), np.float32),
            sample_rate=44_100,
        )
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_length(tmp_path):
    """A made minute of 480p: what Python and FFmpeg hold after 10 s they hold after 60 s."""
    path = tmp_path / "long.mp4"
    write_clip(
        (picture(i % 250, width=640, height=480) for i in range(600)), Fraction(10), path,
        wav=tone(60.0, sample_rate=16_000, channels=1), sample_rate=16_000,
    )  # fmt: skip
    clip = Clip.open(path)
    tracemalloc.start()
    resident = {}
    for i, _ in enumerate(clip.frames(size=(160, 120))):
        if i in (100, 599):
            resident[i] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for _ in clip.audio_blocks(sample_rate=44_100):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert i == 599
    assert peak < 8e6
    assert resident[599] - resident[100] < 10
