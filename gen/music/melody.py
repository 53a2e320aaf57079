"""The melody network: what a line does at each sixteenth, given the chords and its own past.

One token a sixteenth: hold what sounds (or the silence), fall silent, or strike a pitch. Everything
is in the chord model's keys, C major or A minor. A GRU reads the state of the line, the chord now
and two beats on, the place in the bar, what the line did at this place one, two and four bars ago,
and controls that may be absent. Letters: B batch, T sixteenths, P chords' values, W width.

Source:
    GRU: Cho et al. 2014. Reading one's own earlier bars follows the lookback features of Magenta's
    MelodyRNN (Waite 2016), here as embeddings, and with chords.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor, nn

from affetto.gen.music.chords import pitch_classes

HOLD, REST, FIRST_PITCH = 0, 1, 2
LOW, HIGH = 45, 86  # pitches a line may have, after `to_model`
NUM_TOKENS = FIRST_PITCH + HIGH - LOW + 1
STEPS_PER_BEAT, STEPS_PER_BAR = 4, 16
CENTRE = 66.0  # the middle of the pitches, where the register control is 0
LOOKBACKS = (16, 32, 64)
MAX_AGE = 15  # sixteenths since the last note began, more counts as this
CONTROLS = ("rate", "register", "bars_left", "tempo")
CHORD_WIDTH = 24
UNKNOWN = NUM_TOKENS  # lookback beyond the beginning

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class MelodyConfig:
    """Sizes of the network."""

    width: int = 160
    token_width: int = 24
    dropout: float = 0.2


@dataclass(frozen=True)
class MelodySteps:
    """What stands before each sixteenth.

    Attributes:
        pitch: (B, T) token of the last pitch struck, REST where the line is silent.
        age: (B, T) sixteenths since then, 0..15.
        place: (B, T) sixteenth of the bar, 0..15.
        lookback: (B, T, 3) tokens at this place one, two and four bars ago.
        chords: (B, T, 48) of `chord_values`: the chord now, then the one two beats on.
        minor: (B, T) 1 for A minor, else 0.
        controls: (B, T, 4) in the order of `CONTROLS`.
        given: (B, T, 4) 1 where a control is given, else 0.
    """

    pitch: Tensor
    age: Tensor
    place: Tensor
    lookback: Tensor
    chords: Tensor
    minor: Tensor
    controls: Tensor
    given: Tensor


class MelodyNet(nn.Module):
    """See the module's description."""

    def __init__(self, config: MelodyConfig) -> None:
        super().__init__()
        self.config = config
        width = config.token_width
        self.pitch = nn.Embedding(NUM_TOKENS, width)
        self.age = nn.Embedding(MAX_AGE + 1, 8)
        self.place = nn.Embedding(STEPS_PER_BAR, 16)
        self.lookback = nn.Embedding(NUM_TOKENS + 1, width)
        known = width * (1 + len(LOOKBACKS)) + 24 + 2 * CHORD_WIDTH + 1 + 2 * len(CONTROLS)
        self.enter = nn.Linear(known, config.width)
        self.gru = nn.GRU(config.width, config.width, batch_first=True)
        self.drop = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.width + config.width, NUM_TOKENS)

    def forward(self, steps: MelodySteps, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(B, T, NUM_TOKENS) logits and the state (1, B, W) after the last step."""
        seen = torch.cat(
            [
                self.pitch(steps.pitch),
                self.age(steps.age),
                self.place(steps.place),
                rearrange(self.lookback(steps.lookback), "b t k w -> b t (k w)"),
                steps.chords,
                steps.minor[..., None],
                steps.controls * steps.given,
                steps.given,
            ],
            dim=-1,
        )
        entered = self.drop(torch.relu(self.enter(seen)))
        passed, state = self.gru(entered, state)
        logits: Tensor = self.head(self.drop(torch.cat([passed, entered], dim=-1)))
        return logits, state


class MelodyStepper:
    """The same network one sixteenth at a time, in numpy: some fifty times as fast for one line.

    Every table of embeddings is multiplied once by its columns of the first layer.
    """

    def __init__(self, net: MelodyNet) -> None:
        with torch.no_grad():
            width, first = net.config.token_width, net.enter.weight
            ends = np.cumsum([width, 8, 16, *[width] * len(LOOKBACKS)])
            starts = [0, *ends[:-1].tolist()]
            looked = [net.lookback.weight] * len(LOOKBACKS)
            tables = [net.pitch.weight, net.age.weight, net.place.weight, *looked]
            self._tables = [
                torch.mm(table, first[:, a:b].T).float().numpy()
                for table, a, b in zip(tables, starts, ends.tolist(), strict=True)
            ]
            self._known = first[:, int(ends[-1]) :].float().numpy()
            self._bias = net.enter.bias.float().numpy()
            gru = dict(net.gru.named_parameters())
            self._gru = [
                gru[name].float().numpy()
                for name in ("weight_ih_l0", "bias_ih_l0", "weight_hh_l0", "bias_hh_l0")
            ]
            self._head = (net.head.weight.float().numpy(), net.head.bias.float().numpy())
        self._state = np.zeros(net.config.width, dtype=np.float32)

    def known(
        self,
        chords: tuple[int, int],
        *,
        minor: bool,
        controls: tuple[NDArray[np.float32], NDArray[np.float32]],
    ) -> NDArray[np.float32]:
        """(W,) what chord now, chord coming, mode and controls say; it serves many sixteenths."""
        values, given = controls
        mode = np.array([minor], dtype=np.float32)
        pair = [chord_values(chord) for chord in chords]
        said = self._known @ np.concatenate([*pair, mode, values * given, given])
        return np.asarray(said + self._bias, dtype=np.float32)

    def logits(
        self, known: NDArray[np.float32], *, pitch: int, age: int, place: int, lookback: list[int]
    ) -> NDArray[np.float64]:
        """(NUM_TOKENS,) of one sixteenth; goes on from the last call."""
        rows = (pitch, age, place, *lookback)
        entered = known + sum(t[row] for t, row in zip(self._tables, rows, strict=True))
        entered = np.maximum(entered, 0.0)
        weight_in, bias_in, weight_on, bias_on = self._gru
        reset_in, keep_in, new_in = np.split(weight_in @ entered + bias_in, 3)
        reset_on, keep_on, new_on = np.split(weight_on @ self._state + bias_on, 3)
        reset, keep = (1.0 / (1.0 + np.exp(-v)) for v in (reset_in + reset_on, keep_in + keep_on))
        new = np.tanh(new_in + reset * new_on)
        self._state = ((1.0 - keep) * new + keep * self._state).astype(np.float32)
        weight, bias = self._head
        scores = weight @ np.concatenate([self._state, entered]) + bias
        return np.asarray(scores, dtype=np.float64)


def chord_values(chord: int) -> NDArray[np.float32]:
    """(24,) of a chord id: its tones as 12 flags, then its root as 12; zeros for no chord."""
    values = np.zeros(CHORD_WIDTH, dtype=np.float32)
    classes = pitch_classes(chord)
    values[list(classes)] = 1.0
    if classes:
        values[12 + classes[0]] = 1.0
    return values


def control_values(given: Mapping[str, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """((4,) scaled controls, (4,) which are given).

    Args:
        given: any of rate (notes in a bar with notes), register (mean pitch, in the model's key),
            bars_left (to the next breath of a bar's third or more, 0..4) and tempo (bpm).
    """
    scaled = {
        "rate": lambda v: v / 8.0,
        "register": lambda v: (v - CENTRE) / 6.0,
        "bars_left": lambda v: v / 4.0,
        "tempo": lambda v: v / 100.0 - 1.0,
    }
    values = np.array([scaled[n](given[n]) if n in given else 0.0 for n in CONTROLS], np.float32)
    return values, np.array([n in given for n in CONTROLS], np.float32)


def line_states(tokens: Ints) -> tuple[Ints, Ints]:
    """((T,) pitch token, (T,) age) as each sixteenth finds them, of a line of tokens (T,)."""
    pitch, age = np.empty_like(tokens), np.empty_like(tokens)
    sounding, since = REST, MAX_AGE
    for step, token in enumerate(tokens.tolist()):
        pitch[step], age[step] = sounding, since
        sounding, since = after(sounding, since, token)
    return pitch, age


def after(sounding: int, since: int, token: int) -> tuple[int, int]:
    """The line's pitch token and age once a token has been written."""
    if token == HOLD:
        return sounding, min(since + 1, MAX_AGE)
    return token, 0


def lookbacks(tokens: Ints) -> Ints:
    """(T, 3) what the line did at the same place one, two and four bars ago."""
    size = len(tokens)
    found = np.full((size, len(LOOKBACKS)), UNKNOWN, dtype=np.int64)
    for column, back in enumerate(LOOKBACKS):
        found[back:, column] = tokens[: max(size - back, 0)]
    return found
