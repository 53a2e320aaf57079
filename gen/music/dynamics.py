"""How dense and how loud the music is, second by second, from what the film shows.

Source: Kang, Poria and Herremans 2023 (Video2Music), the bidirectional GRU from video features to
note density and loudness. We differ: inputs and targets are standardised by saved statistics,
padding is masked, whole-film means and the distance to both ends of the film are inputs (music
begins and ends quietly), and any subset of the conditions will do.

Letters: B batch, T steps, D width of a condition, W width of the net.
"""

from dataclasses import dataclass

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from affetto.condition import Conditions, ConditionTrack
from affetto.gen.music.encoder import CONDITION_WIDTHS

MAX_DENSITY = 40.0  # notes sounding in a second
_FADES_S = (2.0, 5.0, 12.0, 30.0)
_SHORT_S = 120.0  # shorter films have their beginning and end shrunk in proportion
_LONG_S = 300.0  # longer ones are trained on cut off here
# Standard deviations of a second and of a film's mean; films may be stranger than any in training.
_MAX_DEVIATION, _MAX_FILM_DEVIATION = 3.0, 1.5
_LEAST_STD = 1e-4
_NUM_POSITIONS = 2 * len(_FADES_S) + 3


@dataclass(frozen=True)
class DynamicsConfig:
    """Shape of a DynamicsNet.

    Attributes:
        conditions: the names it can read, each optional in a call.
        width: of the input layer and of each direction of the GRU.
        num_layers: of the GRU.
        dropout: of units, 0..1, while training.
    """

    conditions: tuple[str, ...] = ("emotion", "motion", "scene_offset")
    width: int = 32
    num_layers: int = 2
    dropout: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        unknown = sorted(set(self.conditions) - set(CONDITION_WIDTHS))
        if unknown or not self.conditions:
            raise ValueError(
                f"conditions must be among {', '.join(CONDITION_WIDTHS)}, got {unknown}"
            )
        if min(self.width, self.num_layers) < 1:
            raise ValueError(f"width and num_layers must be >= 1: {self.width}, {self.num_layers}")


class DynamicsNet(nn.Module):
    """Note density and loudness from any subset of the conditions; see `forward`."""

    input_mean: Tensor
    input_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    def __init__(self, config: DynamicsConfig) -> None:
        super().__init__()
        self.config = config
        self.names = tuple(config.conditions)
        self.sizes = [CONDITION_WIDTHS[name] for name in self.names]
        total, width = sum(self.sizes), config.width
        num_inputs = 3 * total + 2 * len(self.names) + _NUM_POSITIONS
        self.project = nn.Linear(num_inputs, width)
        self.dropout = nn.Dropout(config.dropout)
        self.gru = nn.GRU(
            width,
            width,
            num_layers=config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
            bidirectional=True,
            batch_first=True,
        )
        self.head = nn.Linear(2 * width, 2)
        self.shortcut = nn.Linear(num_inputs, 2)
        self.register_buffer("input_mean", torch.zeros(total))
        self.register_buffer("input_std", torch.ones(total))
        self.register_buffer("target_mean", torch.tensor([10.35, 0.175]))
        self.register_buffer("target_std", torch.tensor([5.67, 0.099]))

    def forward(
        self,
        conditions: Conditions,
        *,
        lengths: Tensor | None = None,
        ends: Tensor | None = None,
    ) -> Tensor:
        """Predict the course of density and loudness.

        Args:
            conditions: any subset of the configured names on one grid (other names are not read).
                Steps masked out within a film count as the condition's mean in training.
            lengths: (B,) int64 steps of each film, 1..T; by default up to the last step that any
                condition covers, or all T where none covers any.
            ends: (B,) bool, False where the film goes on after its last step (training songs are
                cut off at 300 s); by default it ends there.

        Returns:
            (B, T, 2): notes sounding in a second (0..40), loudness as linear RMS (0..1); zeros
            after a film's end, which never influence what comes before.

        Raises:
            ValueError: no known condition, or grids that differ.
        """
        tracks = {name: conditions[name] for name in self.names if name in conditions}
        if not tracks:
            raise ValueError(f"DynamicsNet reads {', '.join(self.names)}; got {list(conditions)}")
        shapes = {(track.mask.shape, track.rate_hz) for track in tracks.values()}
        if len(shapes) > 1:
            raise ValueError(f"conditions must share one grid (B, T) and rate; got {shapes}")
        (num_films, num_steps), rate_hz = shapes.pop()
        if lengths is None:
            lengths = _covered_lengths(torch.stack([track.mask for track in tracks.values()]))
        valid = torch.arange(num_steps, device=lengths.device) < lengths[:, None]  # (B, T)
        if ends is None:
            ends = torch.ones(num_films, dtype=torch.bool, device=valid.device)
        seen = self._standardised(tracks, valid)
        inputs = torch.cat([*seen, positions(valid, ends, rate_hz=rate_hz)], dim=-1)
        hidden = self.dropout(torch.relu(self.project(inputs)))
        packed = pack_padded_sequence(hidden, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(
            self.gru(packed)[0], batch_first=True, total_length=num_steps
        )
        course = self.head(self.dropout(hidden)) + self.shortcut(inputs)
        course = course * self.target_std + self.target_mean
        course = torch.minimum(course.clamp(min=0.0), course.new_tensor([MAX_DENSITY, 1.0]))
        return course * valid[..., None]

    @torch.no_grad()
    def set_statistics(
        self, *, inputs: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]
    ) -> None:
        """Take mean and deviation over the training seconds.

        Args:
            inputs: (D,) each, the conditions joined in the configured order. Those that never
                varied have taught nothing and will be ignored, even their presence where nothing of
                a condition did.
            targets: (2,) each.
        """
        mean, std = inputs
        self.input_mean.copy_(mean)
        self.input_std.copy_(std.masked_fill(std < _LEAST_STD, torch.inf))
        self.target_mean.copy_(targets[0])
        self.target_std.copy_(targets[1])

    def _standardised(self, tracks: dict[str, ConditionTrack], valid: Tensor) -> list[Tensor]:
        """Per step: values, whole-film means and deviations, presence; (B, T, *) each."""
        num_films, num_steps = valid.shape
        means, stds = (torch.split(x, self.sizes) for x in (self.input_mean, self.input_std))
        parts = []
        for name, size, mean, std in zip(self.names, self.sizes, means, stds, strict=True):
            if name in tracks:
                taught = std.isfinite().any()
                known = (tracks[name].mask & valid & taught).to(mean.dtype)
                values = (tracks[name].values.to(mean.dtype) - mean) / std
                values = values.clamp(-_MAX_DEVIATION, _MAX_DEVIATION)
                values = values.masked_fill(known[..., None] == 0, 0.0)
            else:
                known = mean.new_zeros(num_films, num_steps)
                values = mean.new_zeros(num_films, num_steps, size)
            count = rearrange(known.sum(dim=1).clamp(min=1.0), "b -> b 1")
            average = reduce(values, "b t d -> b d", "sum") / count
            square = reduce(values**2, "b t d -> b d", "sum") / count
            spread = (square - average**2).clamp(min=1e-6).sqrt()
            present = (known.sum(dim=1, keepdim=True) > 0).to(mean.dtype)
            average = average.clamp(-_MAX_FILM_DEVIATION, _MAX_FILM_DEVIATION)
            film = torch.cat([average, spread, present], dim=-1)
            parts += [values, known[..., None], repeat(film, "b d -> b t d", t=num_steps)]
        return parts


def _covered_lengths(masks: Tensor) -> Tensor:
    """(B,) steps up to the last one covered by any of the (N, B, T) masks; T where none is."""
    covered = masks.any(dim=0)
    steps = torch.arange(1, covered.shape[1] + 1, device=masks.device)
    last = (covered * steps).amax(dim=1)
    return torch.where(last > 0, last, covered.shape[1])


def positions(valid: Tensor, ends: Tensor, *, rate_hz: float) -> Tensor:
    """Where each step lies in its film: (B, T, 11), all in 0..1.

    Exponentials of the time since the beginning and to the end (zero where the film goes on), the
    relative time, the length over 300 s, and whether it ends. In films under two minutes time is
    stretched, so that they too have a beginning, a middle and an end.
    """
    length_s = valid.sum(dim=1, keepdim=True) / rate_hz  # (B, 1)
    stretch = (_SHORT_S / length_s).clamp(min=1.0)
    step_s = (torch.arange(valid.shape[1], device=valid.device) + 0.5) / rate_hz
    since_s = step_s * stretch  # (B, T)
    until_s = (length_s - step_s).clamp(min=0.0) * stretch
    closing = ends[:, None].to(torch.float32)
    fades = [torch.exp(-since_s / fade_s) for fade_s in _FADES_S]
    fades += [torch.exp(-until_s / fade_s) * closing for fade_s in _FADES_S]
    whole = (length_s / _LONG_S).clamp(min=_SHORT_S / _LONG_S, max=1.0)
    relative = (step_s / length_s).clamp(max=1.0)
    rest = [relative, whole.expand_as(relative), closing.expand_as(relative)]
    return torch.stack([*fades, *rest], dim=-1)
