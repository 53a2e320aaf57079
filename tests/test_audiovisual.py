"""Face and voice judged at once: states, the recognizer, its course over a film."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
import torch

from affetto.clip import Clip
from affetto.errors import BadInput
from affetto.media_write import write_clip
from affetto.recognizers.audiovisual.recognizer import (
    AudioVisualRecognizer,
    config_of,
    config_record,
)
from affetto.recognizers.audiovisual.states import SHIPPED, WINDOW, WINDOW_S, filled
from affetto.recognizers.audiovisual.timeline import HOP_S, box_at, recognize_talking
from affetto.recognizers.face.recognizer import load_face
from affetto.recognizers.face.timeline import recognize_faces
from affetto.recognizers.speech.recognizer import load_speech

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SPEECH = Path(__file__).parent.parent / "samples" / "mona_lisa_speaks.flac"
LITTLE = replace(SHIPPED, width=64, depth=1, fusion_depth=1, skip_layers=(0,))


@pytest.fixture(scope="module")
def recognizer():
    """Untrained layers behind the shipped nets."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = AudioVisualRecognizer(LITTLE, face=load_face(), speech=load_speech())
    return found.requires_grad_(False).eval()


@pytest.fixture(scope="module")
def speech():
    return soundfile.read(SPEECH, dtype="float32")[0]


@pytest.fixture(scope="module")
def faces():
    grey = cv2.imread(str(ASTRONAUT), cv2.IMREAD_GRAYSCALE)
    face = torch.from_numpy(cv2.resize(grey, (48, 48))) / 255.0
    shifts = [torch.roll(face, k, dims=1) for k in range(16)]
    return torch.stack([torch.stack(shifts), torch.stack(shifts).flip(2)])


def test_a_reading_and_a_batch_as_its_items(recognizer, faces, speech):
    wav = torch.from_numpy(np.stack([speech[:WINDOW], speech[WINDOW : 2 * WINDOW]]))
    both = recognizer.read(faces, wav=wav)
    assert both.native.shape == (2, 8)
    torch.testing.assert_close(both.probs.sum(dim=1), torch.ones(2))
    assert ((both.confidence >= 0) & (both.confidence <= 1)).all()
    for row in range(2):
        alone = recognizer.read(faces[row : row + 1], wav=wav[row : row + 1])
        torch.testing.assert_close(alone.logits[0], both.logits[row], atol=1e-4, rtol=1e-3)


def test_a_missing_modality_changes_nothing(recognizer, faces, speech):
    wav = torch.from_numpy(speech[None, :WINDOW]).expand(2, -1)
    seen_only = torch.tensor([[True, False]] * 2)
    with torch.inference_mode():
        silent = recognizer.read(faces, seen_only, wav=torch.zeros(2, 100)).logits
        torch.testing.assert_close(recognizer.read(faces, seen_only, wav=wav).logits, silent)
        heard = recognizer.read(faces, ~seen_only, wav=wav).logits
        black = recognizer.read(torch.zeros_like(faces), ~seen_only, wav=wav).logits
        torch.testing.assert_close(heard, black)
        assert not torch.allclose(heard, silent)


def test_level_of_the_voice_says_nothing(recognizer, faces, speech):
    wav = torch.from_numpy(speech[None, :WINDOW])
    with torch.inference_mode():
        plain, loud, soft = (
            recognizer.read(faces[:1], wav=wav * 10 ** (db / 20)).native for db in (0, 12, -12)
        )
    torch.testing.assert_close(loud, plain, atol=1e-3, rtol=0)
    torch.testing.assert_close(soft, plain, atol=1e-3, rtol=0)


def test_gradients_reach_pixels_and_samples(recognizer, faces, speech):
    crops = faces[:1].clone().requires_grad_()
    wav = torch.from_numpy(speech[None, :WINDOW].copy()).requires_grad_()
    recognizer.read(crops, wav=wav).probs[0, 1].backward()
    assert crops.grad.abs().sum() > 0
    assert wav.grad.abs().sum() > 0


def test_what_cannot_be_read_is_told(recognizer, faces):
    with pytest.raises(BadInput, match="16 grey faces"):
        recognizer.read(faces[:, :15], wav=torch.zeros(2, 100))
    with pytest.raises(BadInput, match="1 to 40960"):
        recognizer.read(faces, wav=torch.zeros(2, WINDOW + 1))
    with pytest.raises(BadInput, match="a face or a voice"):
        recognizer.read(faces, torch.zeros(2, 2, dtype=torch.bool), wav=torch.zeros(2, 100))


def test_short_sound_is_heard_again():
    wav = torch.arange(3.0)[None]
    assert torch.equal(filled(wav)[0, :7], torch.tensor([0.0, 1, 2, 0, 1, 2, 0]))
    assert filled(torch.zeros(2, WINDOW + 5)).shape == (2, WINDOW)


def test_the_config_survives_json():
    assert config_of({**config_record(SHIPPED), "skip_layers": [1, 2, 3]}) == SHIPPED


# A film


@pytest.fixture(scope="module")
def film(tmp_path_factory, speech):
    """Nobody, then a face that is heard, then nobody, five seconds each; only its time is heard."""
    picture = cv2.cvtColor(cv2.imread(str(ASTRONAUT)), cv2.COLOR_BGR2RGB)
    face = cv2.resize(picture, (160, 160))
    shown = np.full((240, 320, 3), 90, np.uint8)
    shown[40:200, 80:240] = face
    nobody = np.full_like(shown, 90)
    pictures = [nobody] * 50 + [shown] * 50 + [nobody] * 50
    sound = np.zeros(15 * 16_000, np.float32)
    sound[5 * 16_000 : 10 * 16_000] = np.resize(speech, 5 * 16_000)
    path = tmp_path_factory.mktemp("film") / "face.mp4"
    write_clip(iter(pictures), Fraction(10), path, wav=sound[None], sample_rate=16_000)
    return Clip.open(path)


@pytest.fixture(scope="module")
def found(film):
    return recognize_faces(film, recognizer=load_face(), rate_hz=3.0)


def test_only_where_face_and_voice_are_is_judged(film, found, recognizer):
    told = []
    track = recognize_talking(film, found, recognizer=recognizer, progress=told.append)
    assert told == sorted(told)
    assert track.kind == "expressed"
    np.testing.assert_allclose(track.times[:3], WINDOW_S / 2 + HOP_S * np.arange(3), atol=1e-3)
    speaks = track.times[track.confidence > 0]
    assert speaks.min() > 4.0
    assert speaks.max() < 11.0
    assert len(speaks) >= 3
    np.testing.assert_allclose(track.probs.sum(axis=1), 1, atol=1e-5)
    again = recognize_talking(film, found, recognizer=recognizer)
    assert np.array_equal(again.probs, track.probs)


def test_nobody_is_no_track(film, found, recognizer):
    assert recognize_talking(film, replace(found, faces=()), recognizer=recognizer) is None


def test_a_face_is_followed_between_two_sights(found):
    face = found.main_face()
    first, second = face.times[:2]
    middle = box_at(face, float(first + second) / 2)
    np.testing.assert_allclose(middle.box, (face.boxes[0] + face.boxes[1]) / 2, atol=1e-3)
    assert box_at(face, float(face.times[-1]) + 1.0) is None
    assert box_at(face, float(first) - 1.0) is None
