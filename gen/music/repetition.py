"""What a song has already played: run lengths, and where its last chords have been heard before.

A chord sequence on a 1-s grid repeats itself, and n-gram models with an in-song cache are hard to
beat on it. Here the same knowledge is given to the transformer as features of each step and of each
pair (step, earlier step). All of it is causal and grows by one row a step, so it can be cached.
B batch, N new steps, K steps so far, F pair features. Our design; not in Video2Music.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MATCH_LEVELS = (1, 2, 3, 4, 6, 8, 12, 16)  # seconds in a row that are alike
CHANGE_LEVELS = (1, 2, 3, 4, 6, 8)  # chord changes in a row that are alike, durations aside
DECAYS = (0.7, 0.9, 0.97)  # of the share of the past seconds that are alike
NUM_PAIR_FEATURES = len(MATCH_LEVELS) + len(DECAYS) + len(CHANGE_LEVELS) + 6
NUM_DURATIONS = 20  # classes of `duration_class`
UNKNOWN = 158  # the PAD id stands for a chord that was not yet there


@dataclass(frozen=True)
class Repeats:
    """What is known after each of N steps.

    Attributes:
        before: (B, N, 2) int64 ids of the last two chords that differ from the present one in turn.
        durations: (B, N, 3) int64 classes: seconds of the present chord so far, and of those two.
        pairs: (B, N, K, F) float32; entry k tells how well what led to step k matches what leads
            to the step after this one. Entries k beyond the present step are zero.
        best: (B, N, F) float32, the maximum of `pairs` over k.
    """

    before: Tensor
    durations: Tensor
    pairs: Tensor
    best: Tensor


def duration_class(seconds: Tensor) -> Tensor:
    """0 for none, 1..12 s each its own class, then coarser up to `NUM_DURATIONS` - 1."""
    bounds = torch.tensor([13, 15, 17, 21, 25, 33, 49], device=seconds.device)
    return seconds.clamp(max=12) + torch.bucketize(seconds, bounds, right=True)


class RepeatMemory:
    """The song so far; `add` takes one more chord and gives its row of `Repeats`."""

    def __init__(self, batch: int, num_steps: int, *, device: torch.device) -> None:
        """Make room for `num_steps` chords of `batch` songs."""
        ids = torch.zeros(batch, num_steps, dtype=torch.int64, device=device)
        two = torch.zeros(batch, 2, dtype=torch.int64, device=device)
        self.count = 0
        self.num_steps = num_steps
        self.chords = ids - 1
        self.elapsed = ids.clone()
        # Index of the last step of the run before, -1 at first.
        self.run_before = ids - 1
        self.before = two + UNKNOWN
        self.past_durations = two
        # Rows of the present step against all steps.
        self.same = torch.zeros(batch, num_steps, device=device)
        self.match = torch.zeros(batch, num_steps, device=device)
        self.alike = torch.zeros(len(DECAYS), batch, num_steps, device=device)
        self.changes = torch.zeros(batch, num_steps, device=device)
        self.changes_before = torch.zeros(batch, num_steps, device=device)
        self.decays = torch.tensor(DECAYS, device=device)[:, None, None]

    def add(self, chord: Tensor) -> Repeats:
        """Take the next chord (B,) and give its row: N = 1, K = all `num_steps`."""
        now, self.count = self.count, self.count + 1
        self._advance_runs(chord, now)
        same = (self.chords == chord[:, None]).float()  # (B, K)
        same[:, now:] = 0
        self.same = same
        self.match = same * (1 + _shift(self.match))
        self.alike = self.decays * _shift(self.alike) + (1 - self.decays) * same
        earlier = self.run_before[:, now, None]
        steps = torch.arange(self.num_steps, device=chord.device)
        led = self.changes_before.gather(1, self.run_before.clamp(min=0))
        led = torch.where(self.run_before >= 0, led, 0.0)
        self.changes = same * (steps <= earlier) * (1 + led)
        durations = torch.cat([self.elapsed[:, now, None], self.past_durations], dim=1)
        pairs = self._pair_row(now)
        return Repeats(
            before=self.before[:, None].clone(),
            durations=duration_class(durations)[:, None],
            pairs=pairs,
            best=pairs[:, :, : now + 1].amax(dim=2),
        )

    def _advance_runs(self, chord: Tensor, now: int) -> None:
        self.chords[:, now] = chord
        if now == 0:
            self.elapsed[:, 0] = 1
            return
        last, held = self.chords[:, now - 1], self.elapsed[:, now - 1]
        changed = chord != last
        self.elapsed[:, now] = torch.where(changed, 1, held + 1)
        self.run_before[:, now] = torch.where(changed, now - 1, self.run_before[:, now - 1])
        turn = changed[:, None]
        self.before = torch.where(turn, torch.stack([last, self.before[:, 0]], 1), self.before)
        durations = torch.stack([held, self.past_durations[:, 0]], 1)
        self.past_durations = torch.where(turn, durations, self.past_durations)
        self.changes_before = torch.where(turn, self.changes, self.changes_before)

    def _pair_row(self, now: int) -> Tensor:
        """(B, 1, K, F): entry k + 1 compares the present step with step k."""
        same, match, changes = self.same[:, :now], self.match[:, :now], self.changes[:, :now]
        ahead = self.elapsed[:, :now] - self.elapsed[:, now, None]  # there minus here
        on_beat = (ahead == 0).float() * same
        distance = torch.arange(now, 0, -1, device=same.device)
        rows = [
            *((match >= level).float() for level in MATCH_LEVELS),
            *self.alike[:, :, :now],
            *((changes >= level).float() for level in CHANGE_LEVELS),
            on_beat,
            (ahead.abs() <= 1).float() * same,
            (ahead > 0).float() * same,
            on_beat * (changes >= 2),
            on_beat * (changes >= 4),
            torch.log1p(distance.float()).expand_as(same) / 5,
        ]
        pairs = same.new_zeros(len(same), 1, self.num_steps, NUM_PAIR_FEATURES)
        torch.stack(rows, dim=-1, out=pairs[:, 0, 1 : now + 1])
        return pairs


def repeats(chords: Tensor) -> Repeats:
    """All rows of `chords` (B, L) at once: N = K = L."""
    memory = RepeatMemory(chords.shape[0], chords.shape[1], device=chords.device)
    return stack_rows([memory.add(chord) for chord in chords.unbind(1)], num_steps=chords.shape[1])


def stack_rows(rows: Sequence[Repeats], *, num_steps: int) -> Repeats:
    """Rows of consecutive steps as one, their pairs cut to the first `num_steps` steps."""
    return Repeats(
        torch.cat([row.before for row in rows], dim=1),
        torch.cat([row.durations for row in rows], dim=1),
        torch.cat([row.pairs[:, :, :num_steps] for row in rows], dim=1),
        torch.cat([row.best for row in rows], dim=1),
    )


def _shift(rows: Tensor) -> Tensor:
    """Move (..., K) on by one step, zero first."""
    return torch.cat([torch.zeros_like(rows[..., :1]), rows[..., :-1]], dim=-1)
