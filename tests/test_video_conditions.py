from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import torch

from affetto.clip import Clip
from affetto.conditioning.light import read_light
from affetto.conditioning.motion import FlowMeter, frame_difference
from affetto.conditioning.semantic import Lite0Encoder
from affetto.conditioning.shots import ShotFinder
from affetto.conditioning.video import read_video_conditions
from affetto.errors import MediaError, WeightsError
from affetto.media_write import write_clip

FPS = Fraction(25)
torch.set_num_threads(1)


def texture(seed, *, width=320, height=180):
    """Soft coloured blobs, as unlike from seed to seed as two shots."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def shots_film(path, lengths, *, fps=FPS, seed=0):
    """Shots of `lengths` frames that drift slowly."""

    def frames():
        for shot, length in enumerate(lengths):
            wide = texture(seed + shot, width=320 + length)
            for i in range(length):
                yield wide[:, i : i + 320]

    write_clip(frames(), fps, path)
    return Clip.open(path)


def find(pictures, times=None, *, fps=FPS):
    finder = ShotFinder(fps)
    times = np.arange(len(pictures)) / float(fps) if times is None else times
    for time_s, picture in zip(times, pictures, strict=True):
        finder.feed(float(time_s), picture)
    finder.finish(float(times[-1] + 1 / fps))
    assert len(finder.thumbnails) == len(finder.cuts) + 1
    return [round(cut.time_s, 3) for cut in finder.cuts], finder


def still(seed, count):
    return [texture(seed)] * count


def pan(seed, count, *, step):
    wide = texture(seed, width=320 + count * step)
    return [np.ascontiguousarray(wide[:, i * step : i * step + 320]) for i in range(count)]


class TestShots:
    def test_hard_cuts_are_found_at_their_times(self):
        cuts, finder = find([*still(0, 30), *pan(1, 40, step=2), *still(2, 25)])
        assert cuts == [1.2, 2.8]
        assert all(0.2 < cut.strength < 1 for cut in finder.cuts)
        for i, thumbnail in enumerate(finder.thumbnails):
            assert thumbnail.shape == (90, 160, 3)
            if i != 1:
                wanted = cv2.resize(texture(i), (160, 90), interpolation=cv2.INTER_AREA)
                assert np.abs(thumbnail.astype(int) - wanted).mean() < 4

    def test_a_stronger_change_is_a_stronger_cut(self):
        base = texture(0)
        mild = cv2.addWeighted(base, 0.5, texture(1), 0.5, 0)
        _, finder = find([base] * 30 + [mild] * 30 + [255 - mild] * 30)
        assert len(finder.cuts) == 2
        assert finder.cuts[0].strength < finder.cuts[1].strength

    def test_a_fast_pan_is_no_cut(self):
        moving = pan(0, 60, step=25)
        assert find([*[moving[0]] * 20, *moving, *[moving[-1]] * 20])[0] == []

    @pytest.mark.parametrize("length", [1, 2, 4])
    def test_a_flash_is_no_cut(self, length):
        white = [np.full((180, 320, 3), 255, np.uint8)] * length
        assert find([*still(0, 30), *white, *still(0, 30)])[0] == []

    def test_a_flash_at_a_cut_leaves_the_cut(self):
        white = [np.full((180, 320, 3), 255, np.uint8)]
        cuts, _ = find([*still(0, 30), *white, *still(1, 30)])
        assert len(cuts) == 1
        assert cuts[0] == pytest.approx(1.2, abs=0.05)

    def test_a_fade_of_light_is_no_cut(self):
        levels = np.linspace(0, 1, 50)
        assert find([(texture(0) * level).astype(np.uint8) for level in levels])[0] == []

    def test_slide_show_with_its_own_times(self):
        cuts, finder = find([texture(i) for i in range(4)], np.asarray([0.0, 4.0, 5.5, 11.0]))
        assert cuts == [4.0, 5.5, 11.0] or cuts == [4.0, 5.5]  # the last one stays 1/25 s
        wanted = cv2.resize(texture(2), (160, 90), interpolation=cv2.INTER_AREA)
        assert np.abs(finder.thumbnails[2].astype(int) - wanted).mean() < 4

    def test_black_noise_and_one_frame(self):
        assert find([np.zeros((9, 16, 3), np.uint8)] * 50)[0] == []
        rng = np.random.default_rng(0)
        noise = [rng.integers(0, 255, (90, 160, 3), dtype=np.uint8) for _ in range(50)]
        assert find(noise)[0] == []
        assert find([texture(0)])[0] == []

    def test_times_that_hardly_move_hold_few_frames(self):
        finder = ShotFinder(FPS)
        for i in range(1000):
            finder.feed(i * 1e-6, np.zeros((9, 16, 3), np.uint8))
        assert len(finder._recent) <= 512


class TestLight:
    def test_flat_colours_in_closed_form(self):
        picture = np.empty((10, 10, 3), np.uint8)
        picture[:] = (255, 51, 0)
        brightness, contrast, saturation, colourfulness = read_light(picture)
        assert brightness == pytest.approx(0.2126 + 0.7152 * 0.2, abs=1e-5)
        assert contrast == pytest.approx(0, abs=1e-4)
        assert saturation == pytest.approx(1.0)
        mean = np.hypot(255 - 51, 0.5 * (255 + 51))
        assert colourfulness == pytest.approx(0.3 * mean / 109, rel=1e-4)

    def test_halves(self):
        picture = np.zeros((10, 10, 3), np.uint8)
        picture[:5] = 255
        np.testing.assert_allclose(read_light(picture), [0.5, 1.0, 0.0, 0.0], atol=1e-5)
        picture[:5] = (0, 0, 255)
        picture[5:] = (255, 255, 0)
        # R - G is 0; yellow - blue is -255 in one half and 255 in the other.
        assert read_light(picture)[3] == pytest.approx(255 / 109, rel=1e-5)

    def test_greys_have_no_colour(self):
        grey = np.random.default_rng(0).integers(0, 255, (20, 20, 1), dtype=np.uint8)
        assert read_light(np.repeat(grey, 3, axis=2))[2:] == pytest.approx([0, 0], abs=1e-6)


class TestMotion:
    def test_difference_in_closed_form(self):
        before = np.zeros((4, 4, 3), np.uint8)
        after = before.copy()
        after[0, :, 0] = 120
        assert frame_difference(before, after) == pytest.approx(120 * 4 / 48)
        assert frame_difference(after, before) == frame_difference(before, after)

    @pytest.mark.parametrize("shift", [0, 4, 10])
    def test_flow_is_the_speed_of_a_pan(self, shift):
        wide = texture(3, width=340)
        before, after = wide[:, :320], wide[:, shift : shift + 320]
        speed = FlowMeter().speed(before, after, gap_s=0.04)
        assert speed == pytest.approx(shift / 320 / 0.04, rel=0.12, abs=1e-3)

    def test_flow_of_tiny_pictures(self):
        dot = np.zeros((1, 1, 3), np.uint8)
        assert FlowMeter().speed(dot, dot, gap_s=1.0) == 0.0


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "f.mp4"
    return read_video_conditions(shots_film(path, [40, 60, 30]), semantic="none")


class TestFilm:
    def test_shapes_and_names(self, seen):
        assert (seen.duration_s, seen.rate_hz) == (pytest.approx(5.2), 1.0)
        widths = {"scene_offset": 1, "motion": 1, "flow": 1, "light": 4}
        assert {name: track.values.shape for name, track in seen.conditions.items()} == {
            name: (1, 6, width) for name, width in widths.items()
        }
        for track in seen.conditions.values():
            assert track.mask.all()
            assert track.values.dtype == torch.float32
            assert torch.isfinite(track.values).all()

    def test_cuts_and_scene_offset(self, seen):
        assert [round(cut.time_s, 3) for cut in seen.cuts] == [1.6, 4.0]
        assert seen.shot_starts_s == (0.0, *(cut.time_s for cut in seen.cuts))
        assert seen.thumbnails.shape == (3, 90, 160, 3)
        offset = seen.conditions["scene_offset"].values[0, :, 0]
        np.testing.assert_allclose(offset, [0, 1, 0.4, 1.4, 0, 1], atol=1e-5)

    def test_motion_at_the_step_and_flow_without_cuts(self, seen):
        motion = seen.conditions["motion"].values[0, :, 0]
        assert motion[0] == 0  # as published: nothing came before
        assert 0 < motion[1] < 5 < motion[4]  # step 4 is a cut
        flow = seen.conditions["flow"].values[0, :, 0]
        np.testing.assert_allclose(flow, 25 / 320, rtol=0.25)

    def test_rates_agree(self, seen, tmp_path):
        clip = shots_film(tmp_path / "f.mp4", [40, 60, 30])
        told = []
        fine = read_video_conditions(clip, rate_hz=4.0, semantic="none", progress=told.append)
        assert fine.conditions["light"].values.shape[1] == 21
        for name in ("light", "motion", "scene_offset"):
            coarse = seen.conditions[name].values[0]
            torch.testing.assert_close(fine.conditions[name].values[0, ::4], coarse)
        assert told == sorted(told)
        assert told[-1] == 1.0
        with pytest.raises(ValueError, match="rate_hz"):
            read_video_conditions(clip, rate_hz=0)

    def test_time_shift(self, seen, tmp_path):
        """Two seconds of a still picture before the film move everything by two steps."""

        def frames():
            yield from still(99, 50)
            for _, picture in shots_film(tmp_path / "f.mp4", [40, 60, 30]).frames():
                yield picture

        write_clip(frames(), FPS, tmp_path / "s.mp4")
        shifted = read_video_conditions(Clip.open(tmp_path / "s.mp4"), semantic="none")
        assert [round(cut.time_s - 2, 3) for cut in shifted.cuts] == [0.0, 1.6, 4.0]
        light = shifted.conditions["light"].values[0, 2:]
        torch.testing.assert_close(light, seen.conditions["light"].values[0], atol=0.02, rtol=0)
        offset = shifted.conditions["scene_offset"].values[0, 2:]
        torch.testing.assert_close(offset, seen.conditions["scene_offset"].values[0])

    def test_same_film_same_numbers(self, tmp_path):
        clip = shots_film(tmp_path / "f.mp4", [20, 20])
        one, two = (read_video_conditions(clip) for _ in range(2))
        for name, track in one.conditions.items():
            assert torch.equal(track.values, two.conditions[name].values)
        assert one.cuts == two.cuts


def test_variable_frame_rate(tmp_path):
    """Half a second at 50 fps, then a picture that stays for two seconds, then 10 fps."""
    ticks = [*range(0, 500, 20), *range(500, 501), *range(2500, 4000, 100)]
    with av.open(str(tmp_path / "v.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for tick in ticks:
            seed = 0 if tick < 500 else 1 if tick < 2500 else 2
            frame = av.VideoFrame.from_ndarray(texture(seed), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    seen = read_video_conditions(Clip.open(tmp_path / "v.mkv"), rate_hz=2.0, semantic="none")
    assert [round(cut.time_s, 2) for cut in seen.cuts] == [0.5, 2.5]
    offset = seen.conditions["scene_offset"].values[0, :, 0]
    np.testing.assert_allclose(offset[:8], [0, 0, 0.5, 1, 1.5, 0, 0.5, 1], atol=1e-3)
    light = seen.conditions["light"].values[0, :, 0]
    wanted = [read_light(texture(seed))[0] for seed in (0, 1, 1, 1, 1, 2, 2, 2)]
    np.testing.assert_allclose(light[:8], wanted, atol=0.02)
    motion = seen.conditions["motion"].values[0, :, 0]
    np.testing.assert_allclose(motion[[2, 3, 4]], 0, atol=1e-6)  # nothing moves while it stays


def test_black_film(tmp_path):
    write_clip([np.zeros((90, 160, 3), np.uint8)] * 60, FPS, tmp_path / "b.mp4")
    seen = read_video_conditions(Clip.open(tmp_path / "b.mp4"), semantic="none")
    assert seen.cuts == ()
    for name in ("motion", "flow"):
        assert (seen.conditions[name].values == 0).all()
    np.testing.assert_allclose(seen.conditions["light"].values, 0, atol=0.01)


def test_one_frame(tmp_path):
    write_clip([texture(0)], FPS, tmp_path / "one.mp4")
    seen = read_video_conditions(Clip.open(tmp_path / "one.mp4"))
    assert {track.values.shape[1] for track in seen.conditions.values()} == {1}
    assert seen.conditions["picture"].values.shape == (1, 1, 1280)
    assert seen.thumbnails.shape == (1, 90, 160, 3)
    assert seen.cuts == ()


def test_narrow_and_tiny_films(tmp_path):
    for name, (height, width) in {"tall": (400, 20), "wide": (20, 400), "tiny": (2, 2)}.items():
        picture = np.full((height, width, 3), 100, np.uint8)
        write_clip([picture] * 5, FPS, tmp_path / f"{name}.mp4")
        seen = read_video_conditions(Clip.open(tmp_path / f"{name}.mp4"), semantic="none")
        np.testing.assert_allclose(seen.conditions["light"].values[0, 0, 0], 100 / 255, atol=0.02)


def test_sound_alone_is_refused(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 8000)
    with pytest.raises(MediaError, match="no video stream"):
        read_video_conditions(Clip.open(tmp_path / "a.wav"), semantic="none")


class TestSemantic:
    def test_knows_an_officer(self):
        """Matplotlib's sample photograph of Admiral Hopper: ImageNet's 'military uniform'."""
        from matplotlib.cbook import get_sample_data
        from PIL import Image

        with get_sample_data("grace_hopper.jpg") as file:
            photo = np.asarray(Image.open(file).convert("RGB"))
        encoder = Lite0Encoder()
        features = encoder.encode([photo])
        assert features.shape == (1, 1280)
        with torch.inference_mode():
            scores = encoder._network._fc(torch.from_numpy(features))
        assert int(scores.argmax()) == 652

    def test_batch_is_singles_and_steps_see_their_frame(self, tmp_path):
        encoder = Lite0Encoder()
        pictures = [texture(i) for i in range(3)]
        together = encoder.encode(pictures)
        apart = np.concatenate([encoder.encode([picture]) for picture in pictures])
        np.testing.assert_allclose(together, apart, atol=1e-4)
        write_clip([p for picture in pictures for p in [picture] * 25], FPS, tmp_path / "f.mp4")
        seen = read_video_conditions(Clip.open(tmp_path / "f.mp4"))
        got = seen.conditions["picture"].values[0].numpy()
        for i in range(3):
            likeness = [float(np.corrcoef(got[i], row)[0, 1]) for row in together]
            assert int(np.argmax(likeness)) == i
            assert likeness[i] > 0.8

    def test_exchanged_weights_are_refused(self, tmp_path, monkeypatch):
        from affetto.conditioning import semantic

        monkeypatch.setattr(semantic, "LITE0_SHA256", "0" * 64)
        with pytest.raises(WeightsError, match="sha256"):
            Lite0Encoder()

    def test_clip_with_a_tiny_model(self, tmp_path):
        import transformers

        config = transformers.CLIPVisionConfig(
            hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
            image_size=336, patch_size=112, projection_dim=8,
        )  # fmt: skip
        torch.manual_seed(0)
        transformers.CLIPVisionModelWithProjection(config).save_pretrained(tmp_path / "clip")
        transformers.CLIPImageProcessor(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ).save_pretrained(tmp_path / "clip")
        clip = shots_film(tmp_path / "f.mp4", [30])
        seen = read_video_conditions(clip, semantic="clip", clip_model=str(tmp_path / "clip"))
        assert seen.conditions["clip"].values.shape == (1, 2, 8)
        with pytest.raises(WeightsError, match="cannot load CLIP"):
            read_video_conditions(clip, semantic="clip", clip_model=str(tmp_path / "none"))
