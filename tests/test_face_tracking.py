"""Faces over time: tracks, gaps, cuts, timelines of films; one real face (NASA, public domain)."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from affetto.clip import Clip
from affetto.errors import MediaError
from affetto.media_write import write_clip
from affetto.recognizers.face.blaze import FaceBox
from affetto.recognizers.face.cuts import CutFinder
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.timeline import recognize_faces, smoothed
from affetto.recognizers.face.tracking import MAX_GAP_S, FaceTracker
from affetto.recognizers.reading import Recognizer

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SIDE = 128


class Brightness(Recognizer):
    """Stands in for the face net: the brighter, the happier."""

    modality = "face"
    taxonomy = "ferplus8"

    def read(self, inputs, mask=None):
        logits = torch.zeros(len(inputs), 8)
        logits[:, 1] = 16 * inputs.mean(dim=(1, 2, 3)) - 6
        return self.reading(logits)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait():
    image = Image.open(ASTRONAUT).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image)


def box(x, y, side=40.0, score=0.9):
    half = side / 2
    corners = np.asarray([x - half, y - half, x + half, y + half], np.float32)
    return FaceBox(corners, np.zeros((6, 2), np.float32), score)


def scene(portrait, *places, level=90, light=1.0):
    """A picture with the face at each (left, top)."""
    canvas = np.full((240, 320, 3), level, np.uint8)
    for left, top in places:
        canvas[top : top + SIDE, left : left + SIDE] = np.clip(portrait * light, 0, 255)
    return canvas


def test_two_faces_that_pass_keep_their_numbers():
    tracker = FaceTracker()
    numbers = [
        tracker.follow(0.2 * i, [box(40 + 14 * i, 60), box(320 - 14 * i, 130)]) for i in range(20)
    ]
    assert numbers == [[0, 1]] * 20


def test_order_and_size_do_not_matter_and_newcomers_count_up():
    tracker = FaceTracker()
    assert tracker.follow(0.0, [box(50, 50), box(200, 50)]) == [0, 1]
    assert tracker.follow(0.2, [box(204, 50), box(52, 50), box(120, 150)]) == [1, 0, 2]
    assert tracker.follow(0.4, [box(122, 150, side=48)]) == [2]
    assert tracker.follow(0.6, []) == []
    assert tracker.follow(0.8, [box(56, 50)]) == [0]
    assert tracker.follow(1.0, [box(56, 50, side=110)]) == [3]  # another size: another face


def test_gaps_are_bridged_up_to_a_second():
    tracker = FaceTracker()
    assert tracker.follow(0.0, [box(50, 50)]) == [0]
    assert tracker.follow(MAX_GAP_S, [box(55, 52)]) == [0]
    assert tracker.follow(2 * MAX_GAP_S + 0.1, [box(55, 52)]) == [1]


def test_a_cut_ends_all_tracks():
    tracker = FaceTracker()
    assert tracker.follow(0.0, [box(50, 50)]) == [0]
    assert tracker.follow(0.2, [box(50, 50)], cut=True) == [1]
    assert tracker.follow(0.4, [box(50, 50)]) == [1]


def test_sixty_faces_that_jitter_are_sixty_tracks():
    rng = np.random.default_rng(0)
    places = [(60 * x + 30, 60 * y + 30) for x in range(10) for y in range(6)]
    tracker = FaceTracker()
    for step in range(15):
        order = rng.permutation(len(places))
        seen = rng.random(len(places)) > 0.1
        faces = [box(*(places[i] + rng.normal(0, 3, 2))) for i in order if seen[i]]
        tracker.follow(0.2 * step, faces)
    assert tracker.count == 60


def test_cuts_are_told_from_movement_and_flashes(portrait):
    cuts = CutFinder()
    still = scene(portrait, (40, 60))
    assert not cuts.is_cut(still)
    assert not cuts.is_cut(scene(portrait, (70, 60)))
    assert not cuts.is_cut(np.clip(scene(portrait, (70, 60)).astype(int) + 20, 0, 255).astype("u1"))
    rng = np.random.default_rng(0)
    street = cv2.resize(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8), (320, 240))
    assert cuts.is_cut(street)
    assert cuts.is_cut(scene(portrait, (40, 60)))


def film(path, pictures, fps=10):
    write_clip(iter(pictures), Fraction(fps), path)
    return Clip.open(path)


def test_two_faces_of_a_film_each_with_its_emotion(tmp_path, portrait, detector):
    pictures = []
    for i in range(20):
        picture = scene(portrait, (10 + i, 20))
        picture[100:228, 180:308] = np.clip(portrait * 0.5, 0, 255)
        pictures.append(picture)
    clip = film(tmp_path / "two.mp4", pictures)
    told = []
    found = recognize_faces(clip, recognizer=Brightness(), detector=detector, progress=told.append)
    assert len(found.faces) == 2
    assert told[-1] == 1.0
    assert (found.width, found.height) == (320, 240)
    bright, dark = sorted(found.faces, key=lambda face: -face.track.vad[:, 0].mean())
    assert bright.track.vad[:, 0].mean() > dark.track.vad[:, 0].mean() + 0.2
    np.testing.assert_allclose(bright.times, np.arange(10) / 5, atol=1e-3)
    middles = (bright.boxes[:, 0] + bright.boxes[:, 2]) / 2
    assert middles[-1] - middles[0] == pytest.approx(18, abs=4)
    track = found.as_track()
    assert len(track.times) == 11
    main = found.main_face()
    np.testing.assert_allclose(track.probs[:10], main.track.probs, atol=1e-6)


def test_where_nobody_is_nothing_is_claimed(tmp_path, portrait, detector):
    nobody = np.full((240, 320, 3), 90, np.uint8)
    pictures = [nobody] * 20 + [scene(portrait, (60, 60))] * 20 + [nobody] * 20
    found = recognize_faces(
        film(tmp_path / "gap.mp4", pictures), recognizer=Brightness(), detector=detector
    )
    (face,) = found.faces
    track = found.as_track()
    seen = (track.times >= 2.0) & (track.times < 4.0 - 1e-3)
    assert (track.confidence[seen] > 0).all()
    assert (track.confidence[~seen] == 0).all()
    assert (track.vad[~seen] == 0).all()
    assert len(face.times) == seen.sum()
    empty = recognize_faces(
        film(tmp_path / "empty.mp4", [nobody] * 12), recognizer=Brightness(), detector=detector
    )
    assert empty.faces == ()
    assert (empty.as_track().confidence == 0).all()


def test_a_cut_parts_one_face_from_the_next(tmp_path, portrait, detector):
    one = scene(portrait, (60, 60), level=40)
    other = scene(portrait[:, ::-1], (64, 60), level=200, light=1.4)
    found = recognize_faces(
        film(tmp_path / "cut.mp4", [one] * 15 + [other] * 15),
        recognizer=Brightness(),
        detector=detector,
    )
    assert len(found.faces) == 2
    ends = sorted((float(f.times[0]), float(f.times[-1])) for f in found.faces)
    assert ends[0][1] < 1.5 <= ends[1][0] + 1e-3


def test_variable_frame_rate_and_single_frames(tmp_path, portrait, detector):
    path = tmp_path / "v.mkv"
    ticks = [0, 40, 80, 120, 900, 940, 1900, 1950, 3000]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(scene(portrait, (60 + i, 60)), "rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    found = recognize_faces(Clip.open(path), recognizer=Brightness(), detector=detector)
    seen = np.sort(np.concatenate([face.times for face in found.faces]))
    np.testing.assert_allclose(seen, [0.0, 0.9, 1.9, 3.0], atol=2e-3)
    track = found.as_track()
    assert track.confidence[round(0.9 * 5)] > 0 or track.confidence[round(0.9 * 5) + 1] > 0
    assert track.confidence[7] == 0  # 1.4 s: the last picture is half a second old
    one = recognize_faces(
        film(tmp_path / "one.mp4", [scene(portrait, (60, 60))]),
        recognizer=Brightness(),
        detector=detector,
    )
    assert len(one.faces) == 1
    assert one.as_track().confidence[0] > 0


def test_the_same_film_gives_the_same_numbers(tmp_path, portrait, detector):
    clip = film(tmp_path / "s.mp4", [scene(portrait, (20 + 2 * i, 40)) for i in range(12)])
    one, other = (
        recognize_faces(clip, recognizer=Brightness(), detector=detector) for _ in range(2)
    )
    assert np.array_equal(one.faces[0].boxes, other.faces[0].boxes)
    assert np.array_equal(one.as_track().probs, other.as_track().probs)


def test_sound_alone_and_bad_rates_are_refused(tmp_path, portrait, detector):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    with pytest.raises(MediaError, match="no video"):
        recognize_faces(Clip.open(tmp_path / "a.wav"), recognizer=Brightness(), detector=detector)
    clip = film(tmp_path / "r.mp4", [scene(portrait, (20, 40))] * 3)
    with pytest.raises(ValueError, match="rate_hz"):
        recognize_faces(clip, recognizer=Brightness(), detector=detector, rate_hz=0)


def test_smoothing_keeps_distributions_and_trusts_what_was_well_seen():
    rng = np.random.default_rng(0)
    native = rng.dirichlet(np.ones(8), 30).astype(np.float32)
    times = np.arange(30) / 5
    even = smoothed(times, native, np.ones(30))
    np.testing.assert_allclose(even.sum(axis=1), 1, atol=1e-5)
    assert even.std(axis=0).mean() < native.std(axis=0).mean()
    weight = np.ones(30)
    weight[10] = 0.0
    spoilt = native.copy()
    spoilt[10] = np.eye(8)[3]
    unmoved = smoothed(times, spoilt, weight)
    np.testing.assert_allclose(unmoved[8], even[8], atol=0.08)
    assert unmoved[10, 3] < 0.5
    apart = smoothed(np.asarray([0.0, 10.0]), native[:2], np.ones(2))
    np.testing.assert_allclose(apart, native[:2], atol=1e-6)
    alone = smoothed(np.zeros(1), native[:1], np.zeros(1))
    np.testing.assert_allclose(alone, native[:1], atol=1e-6)
