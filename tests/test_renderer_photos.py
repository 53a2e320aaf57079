"""Photos that are not the usual one: grey and sepia, eyes closed; no folder to keep loops in."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from affetto.errors import BadInput
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.doctor import closed_eyes, lid_apertures
from affetto.gen.portrait.render.monochrome import in_tone, tone_of
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import CHANNELS, PLACE
from affetto.recognizers.face.detector import FaceDetector
from affetto.recognizers.face.mesh import FaceMesh
from affetto.recognizers.face.picture import read_picture

ASTRONAUT = Path(__file__).parent / "data" / "astronaut.jpg"
SIDE = 256
LAUGH = {"mouthSmile": 0.9, "jawOpen": 0.35, "cheekSquint": 0.6, "mouthLowerDown": 0.3}


def row(**values: float) -> np.ndarray:
    """One row of motion; a name without Left or Right moves both."""
    made = np.zeros(len(CHANNELS), dtype=np.float32)
    for name, value in values.items():
        for channel in (name, f"{name}Left", f"{name}Right"):
            if channel in PLACE:
                made[PLACE[channel]] = value
    return made


@pytest.fixture(scope="module")
def photo():
    return read_picture(ASTRONAUT)


@pytest.fixture(scope="module")
def renderer(photo):
    return Renderer(analyse(photo), size=512)


def grey_of(photo: np.ndarray) -> np.ndarray:
    grey = photo @ np.asarray([0.299, 0.587, 0.114])
    return np.repeat(np.round(grey)[..., None], 3, axis=2).astype(np.uint8)


def test_a_grey_photo_stays_grey(photo):
    frame = Renderer(analyse(grey_of(photo), work_size=SIDE), size=SIDE).frame(row(**LAUGH))
    assert (frame == frame[..., :1]).all()


def test_sepia_is_one_tone_and_colours_are_not(photo):
    sepia = np.clip(grey_of(photo) * [0.95, 0.85, 0.65] + [12, 8, 0], 0, 255).astype(np.uint8)
    tone = tone_of(sepia)
    assert tone is not None
    assert np.abs(in_tone(sepia, tone).astype(int) - sepia).max() <= 3
    assert tone_of(photo) is None


def test_a_blink_is_read_as_shut(renderer):
    """The mesh net reads 0.39 and 0.43 of the open eyes, and 0.06 to 0.08 of people's shut ones."""
    found = []
    for blink in (0.0, 0.5, 1.0):
        frame = renderer.frame(row(eyeBlink=blink))
        found.append(lid_apertures(FaceMesh().read(frame, FaceDetector().detect(frame)[0]).points))
    whole, half, shut = np.asarray(found)
    assert (half < 0.9 * whole).all()
    assert (half > 0.5 * whole).all()
    assert (shut < 0.6 * whole).all()
    assert shut.min() < 0.18


def test_closed_eyes_stay_closed(renderer):
    shut = Renderer(renderer.portrait, size=512).frame(row(eyeBlink=1))
    asleep = analyse(shut)
    assert "eyes_closed" in {notice.name for notice in asleep.notices}
    assert closed_eyes(asleep.mesh.points).all()
    drawn = Renderer(asleep, size=SIDE)
    resting = drawn.frame(row())
    for look in (row(eyeWide=1.0), row(gazeYaw=20.0), row(eyeBlink=1.0)):
        # Lids and what is under them stay; light on the skin round them may change.
        assert np.abs(drawn.frame(look).astype(int) - resting).max() < 25


@pytest.mark.parametrize("turns", [1, 3])
def test_a_photo_on_its_side_is_refused(photo, turns):
    """Its lids stand upright: the painter of eyes, which goes along them, failed."""
    with pytest.raises(BadInput, match="upright"):
        analyse(np.ascontiguousarray(np.rot90(photo, turns)))


@pytest.mark.slow
def test_without_a_folder_for_compiled_loops_they_still_run(tmp_path):
    """Neither the package nor the home can be written: the loops are compiled for this process."""
    code = (
        "import numba.core.caching as caching\n"
        "caching.CacheImpl._locator_classes = []\n"
        "import numpy as np\n"
        "from affetto.gen.portrait.render.raster import lay_over\n"
        "layer = np.full((2, 2, 4), 255, np.uint8)\n"
        "result = np.zeros((2, 2, 3), np.uint8)\n"
        "lay_over(layer, result.copy(), result)\n"
        "assert (result == 255).all()\n"
    )
    environment = {**os.environ, "HOME": str(tmp_path / "none")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
