"""Video2Music's chord metrics: per-song means under teacher forcing, END counted, PAD not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from affetto.gen.music.chords import PAD
from affetto.gen.music.transformer import MusicTransformer
from affetto.train.data.chord_batches import batch_of
from affetto.train.data.muvi_sync import Song

HITS = (1, 3, 5)
EVALUATION_BATCH = 15
LogProbs = NDArray[np.floating]


@dataclass
class ChordScores:
    """Sums over songs; `figures` are the published metrics.

    Source: Video2Music 2023, section 4.2 (Hits@k). Perplexity is exp of the mean over songs of the
    song's mean negative log-likelihood. 'change' counts only seconds whose chord differs from the
    one before (END included), pooled over songs.
    """

    songs: list[list[float]]
    changes: list[tuple[bool, bool]]

    def add(self, log_probs: LogProbs, chords: NDArray[np.integer], last: int) -> None:
        """One song: (L, 159) natural log probabilities of chords (L,), `last` the one before."""
        steps = np.arange(len(chords))
        own = log_probs[steps, chords]
        rank = (log_probs > own[:, None]).sum(axis=1)
        hits = [float((rank < k).mean()) for k in HITS]
        self.songs.append([*hits, float(-own.mean())])
        changed = chords != np.concatenate([[last], chords[:-1]])
        self.changes += [(bool(r < 1), bool(r < 3)) for r in rank[changed]]

    def figures(self) -> dict[str, float]:
        """hits@1, hits@3, hits@5, perplexity, nll, change@1, change@3."""
        *hits, nll = np.mean(self.songs, axis=0).tolist()
        changes = np.mean(self.changes, axis=0).tolist() if self.changes else [0.0, 0.0]
        named = {f"hits@{k}": value for k, value in zip(HITS, hits, strict=True)}
        return {
            **named,
            "perplexity": float(np.exp(nll)),
            "nll": nll,
            "change@1": changes[0],
            "change@3": changes[1],
        }


@torch.no_grad()
def score_transformer(
    model: MusicTransformer,
    songs: Sequence[Song],
    *,
    film_of: Callable[[int], Song] | None = None,
) -> dict[str, float]:
    """The metrics of a model on songs.

    Args:
        model: in eval mode.
        songs: of at most 300 chords.
        film_of: song number -> the song whose conditions are shown instead, as a control.
    """
    scores = ChordScores([], [])
    for start in range(0, len(songs), EVALUATION_BATCH):
        part = songs[start : start + EVALUATION_BATCH]
        batch = batch_of(part, model.config.widths)
        shown = batch.conditions
        if film_of is not None:
            others = [film_of(start + number) for number in range(len(part))]
            shown = batch_of(others, model.config.widths).conditions
        log_probs = model(batch.chords, shown, batch.minor).log_softmax(dim=-1)
        for row, targets, chords in zip(log_probs, batch.targets, batch.chords, strict=True):
            real = targets != PAD
            scores.add(row[real].double().numpy(), targets[real].numpy(), int(chords[0]))
    return scores.figures()
