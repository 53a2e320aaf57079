import os
import socket
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
import soundfile

from affetto.clip import Clip
from affetto.errors import EXIT_BAD_INPUT, MediaError, ResourceError
from affetto.media import MediaLimits
from affetto.media_write import write_clip, write_film

FPS = Fraction(25)


def film(path, *, num=50, width=64, height=48):
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (num, height, width, 3), dtype=np.uint8)
    sound = (0.1 * rng.standard_normal((2, int(num / 25 * 16_000)))).astype(np.float32)
    write_clip(noise, FPS, path, wav=sound, sample_rate=16_000)
    return path


def huge(path, *, width, height):
    """A small file of one black frame."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def play(path):
    clip = Clip.open(path)
    for _ in clip.frames(size=(16, 16)):
        pass
    if clip.has_audio:
        for _ in clip.audio_blocks(sample_rate=8000):
            pass


def test_what_is_not_a_file(tmp_path):
    with pytest.raises(MediaError, match="no such file") as raised:
        Clip.open(tmp_path / "none.mp4")
    assert raised.value.exit_code == EXIT_BAD_INPUT
    with pytest.raises(MediaError, match="is a folder"):
        Clip.open(tmp_path)
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="not a regular file"):
        Clip.open(tmp_path / "pipe.mp4")
    with pytest.raises(MediaError, match="not a regular file"):
        Clip.open("/dev/zero")
    with pytest.raises(MediaError, match="cannot open"):
        Clip.open("a\0b.mp4")
    with pytest.raises(MediaError):
        Clip.open("http://127.0.0.1:9/a.mp4")


@pytest.mark.parametrize(
    "content",
    [b"", b"just some words\n" * 50, bytes(4096), b"\xff" * 4096, b"\x00\x00\x00\x18ftypmp42"],
)
def test_what_is_not_media(tmp_path, content):
    path = tmp_path / "fake.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"is empty|cannot be read as media"):
        Clip.open(path)


def test_cut_short_without_index(tmp_path):
    with av.open(str(tmp_path / "late.mp4"), "w") as out:  # without faststart the index is last
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(0, 200, 10):
            image = np.full((48, 64, 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode(None))
    data = (tmp_path / "late.mp4").read_bytes()
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * share)])
        with pytest.raises(MediaError, match=r"cut\s+short|breaks off"):
            Clip.open(tmp_path / "cut.mp4")


def test_cut_short_with_index_names_the_second(tmp_path):
    data = film(tmp_path / "a.mp4", num=100).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match=r"breaks off at second [12]\.\d"):
        Clip.open(tmp_path / "cut.mp4")


def test_damage_inside_is_an_error_not_a_short_film(tmp_path):
    data = bytearray(film(tmp_path / "a.mp4", num=100).read_bytes())
    begin = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[begin : begin + 60_000] = bytes(60_000)
    (tmp_path / "hole.mp4").write_bytes(data)
    with pytest.raises(MediaError, match=r"cannot be read as media|breaks off"):
        play(tmp_path / "hole.mp4")


def test_sound_alone(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((8000, 1)), 8000)
    clip = Clip.open(tmp_path / "a.wav")
    assert (clip.has_video, clip.has_audio, clip.duration_s) == (False, True, 1.0)
    assert sum(b.shape[1] for b in clip.audio_blocks(sample_rate=16_000)) == 16_000
    with pytest.raises(MediaError, match="no video stream"):
        clip.frames()
    with pytest.raises(MediaError, match="no video stream"):
        write_film(clip, tmp_path / "a.wav", tmp_path / "o.mp4", metadata={})


def test_picture_alone(tmp_path):
    write_clip([np.zeros((48, 64, 3), np.uint8)] * 3, FPS, tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="no sound"):
        Clip.open(tmp_path / "a.mp4").audio_blocks(sample_rate=8000)


def test_one_frame(tmp_path):
    write_clip([np.full((48, 64, 3), 90, np.uint8)], FPS, tmp_path / "a.mp4")
    clip = Clip.open(tmp_path / "a.mp4")
    assert clip.duration_s == pytest.approx(0.04)
    (frame,) = clip.frames()
    assert frame[0] == 0.0
    np.testing.assert_allclose(frame[1], 90, atol=3)


def test_no_frame(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.start_encoding()
    with pytest.raises(MediaError, match=r"not one frame|cannot be read as media"):
        Clip.open(tmp_path / "a.mkv")


def test_one_pixel(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 1, 1, "bgr0"
        for level in (0, 100, 200):
            image = np.full((1, 1, 3), level, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(stream.encode(None))
    clip = Clip.open(tmp_path / "a.mkv")
    assert [image[0, 0, 0] for _, image in clip.frames()] == [0, 100, 200]
    assert next(clip.frames(size=(32, 18)))[1].shape == (18, 32, 3)
    soundfile.write(tmp_path / "m.wav", np.zeros(1600), 16_000)
    write_film(clip, tmp_path / "m.wav", tmp_path / "o.mp4", metadata={})
    assert Clip.open(tmp_path / "o.mp4").width == 2


def test_8k_is_scaled_and_more_is_refused_before_decoding(tmp_path):
    big = huge(tmp_path / "8k.mp4", width=7680, height=4320)
    clip = Clip.open(big)
    assert (clip.width, clip.height) == (7680, 4320)
    ((_, image),) = clip.frames(size=(64, 36))
    assert image.shape == (36, 64, 3)
    assert image.max() < 3
    bomb = huge(tmp_path / "bomb.mp4", width=8192, height=8192)
    assert bomb.stat().st_size < 500_000
    code = (
        "import resource, sys, affetto.clip as c\n"
        "from affetto.errors import MediaError\n"
        "rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = rss()\n"
        "try: c.Clip.open(sys.argv[1])\n"
        "except MediaError as e: print(rss() - before, e)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(bomb)], capture_output=True, text=True, check=True
    ).stdout
    grown_kb, _, message = said.partition(" ")
    assert "8192 x 8192" in message
    assert int(grown_kb) < 40_000  # one such frame alone would be 100 MB


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (MediaLimits(max_side=50), "frames of 64 x 48"),
        (MediaLimits(max_pixels=3000), "frames of 64 x 48|cannot be read"),
        (MediaLimits(max_duration_s=1.5), "lasts 2 s"),
        (MediaLimits(max_fps=20), "25 frames a second"),
        (MediaLimits(max_streams=1), "2 streams"),
        (MediaLimits(max_sample_rate=8000), "16000 Hz"),
        (MediaLimits(max_channels=1), "2 channels"),
    ],
)
def test_limits(tmp_path, limits, said):
    with pytest.raises(MediaError, match=said):
        Clip.open(film(tmp_path / "a.mp4"), limits=limits)


def test_playlists_open_nothing(tmp_path):
    film(tmp_path / "good.mp4", num=5)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        lists = {
            "list.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
            "renamed.mp4": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n",
            "concat.txt": f"ffconcat version 1.0\nfile {url}\n",
            "local.mp4": f"ffconcat version 1.0\nfile {tmp_path}/good.mp4\n",
            "dash.mpd": f'<?xml version="1.0"?><MPD><BaseURL>{url}</BaseURL></MPD>',
            "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
        }
        for name, text in lists.items():
            (tmp_path / name).write_text(text)
            with pytest.raises(MediaError):
                Clip.open(tmp_path / name)
        for trick in (
            url,
            f"concat:{tmp_path}/good.mp4",
            f"subfile:,,start,0,end,0,,:{tmp_path}/good.mp4",
        ):
            with pytest.raises(MediaError, match="no such file"):
                Clip.open(trick)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_mutated_files_raise_only_our_error(tmp_path):
    data = film(tmp_path / "a.mp4", num=8).read_bytes()
    rng = np.random.default_rng(7)
    outcomes = {"played": 0, "refused": 0}
    for _ in range(150):
        broken = np.frombuffer(data, np.uint8).copy()
        # Half of the hits go into the index, where they hurt most.
        reach = rng.choice([3000, len(data)])
        places = rng.integers(0, reach, rng.integers(1, 12))
        broken[places] = rng.integers(0, 256, len(places))
        (tmp_path / "m.mp4").write_bytes(broken.tobytes())
        try:
            play(tmp_path / "m.mp4")
            outcomes["played"] += 1
        except MediaError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 10


def test_full_disk_leaves_nothing(tmp_path):
    film(tmp_path / "a.mp4")
    soundfile.write(tmp_path / "m.wav", np.zeros(32_000), 16_000)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from affetto.clip import Clip\n"
        "from affetto.errors import ResourceError\n"
        "from affetto.media_write import write_film\n"
        "folder = Path(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "clip, wav = Clip.open(folder / 'a.mp4'), folder / 'm.wav'\n"
        "try: write_film(clip, wav, folder / 'o.mp4', metadata={})\n"
        "except ResourceError as e: print(e)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert "no space left" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "m.wav"]


def test_unwritable_place(tmp_path):
    film(tmp_path / "a.mp4", num=3)
    soundfile.write(tmp_path / "m.wav", np.zeros(3200), 16_000)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    if os.access(closed, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(ResourceError, match="not allowed"):
        write_film(Clip.open(tmp_path / "a.mp4"), tmp_path / "m.wav", closed / "o.mp4", metadata={})
