"""What the shipped audio-visual net reads: the face net's maps and Whisper's states of a window.

Both nets are frozen and shipped already, and `affetto recognize` runs them anyway; learning begins
where they end. Differs from HiCMAE, which cuts pixels and log-mel (arXiv 2401.05698): on the few
clips that we can own that hears and sees far less. Letters: B windows, F frames of a window, S
samples, C channels.
"""

import torch
from einops import rearrange
from torch import Tensor

from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.face.expression import standardised
from affetto.recognizers.face.recognizer import WIDTHS, FaceRecognizer
from affetto.recognizers.face.residual import ResidualNetwork
from affetto.recognizers.speech.head import HeadConfig
from affetto.recognizers.speech.whisper import FRAME, RATE_HZ, WIDTH

NUM_FRAMES, FRAMES_HZ = 16, 6.25
WINDOW_S = NUM_FRAMES / FRAMES_HZ  # 2.56, as HiCMAE's
WINDOW = round(WINDOW_S * RATE_HZ)
MAP_SIDE = 6  # of the face net's last maps
JOINED = 4  # frames of 20 ms in a step of the voice
STEPS = WINDOW // FRAME // JOINED
_HEAD = HeadConfig()

SHIPPED = HicmaeConfig(
    width=128,
    decoder_width=64,
    depth=4,
    fusion_depth=2,
    skip_layers=(1, 2, 3),
    num_frames=NUM_FRAMES,
    side=MAP_SIDE,
    num_mel_frames=STEPS,
    num_bands=1,
    video_channels=WIDTHS[-1],
    video_patch=2,
    sound_channels=_HEAD.num_states * WIDTH,
    sound_patch=(1, 1),
)


def face_states(crops: Tensor, recognizer: FaceRecognizer) -> Tensor:
    """(B, C = 132, F, 6, 6) of faces (B, F, S, S), grey in [0, 1], cut as the detector cuts."""
    network = recognizer.network
    assert isinstance(network, ResidualNetwork)
    faces = standardised(crops.flatten(0, 1)[:, None], network.input_side)
    return rearrange(network.maps(faces), "(b f) c h w -> b c f h w", b=len(crops))


def voice_states(states: Tensor) -> Tensor:
    """(B, C = 1152, F = 32, 1) of Whisper's states (B, 5, 128, 384) of windows: means of 80 ms.

    Of the five the three that the voice's own head reads.
    """
    chosen = states[:, _HEAD.first_state : _HEAD.first_state + _HEAD.num_states]
    steps = rearrange(chosen, "b n (t j) d -> b (n d) t j", j=JOINED)
    return steps.mean(dim=-1, keepdim=True)


def filled(wav: Tensor) -> Tensor:
    """A whole window (B, 40960) of sound (B, S >= 1): longer is cut, shorter sounds again."""
    places = torch.arange(WINDOW, device=wav.device) % wav.shape[1]
    return wav[:, places]
