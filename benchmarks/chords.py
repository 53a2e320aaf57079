"""Chord models on MuVi-Sync's official split by Video2Music's per-song metric, with controls.

    python benchmarks/chords.py [--data ../shared/data] [--weights music_chords ...]

The cache's share is chosen on the validation songs; the test songs are used for this table alone.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from chord_ngrams import WittenBell, cached_log_probs, ngram_log_probs
from result_file import write_result

from affetto.gen.music.transformer import MusicTransformer, MusicTransformerConfig
from affetto.train.chord_metrics import ChordScores, score_transformer
from affetto.train.data.chord_batches import with_end
from affetto.train.data.corpora import Corpora, read_songs
from affetto.train.data.muvi_sync import Song
from affetto.weights import fill, load_weights

COLUMNS = ("hits@1", "hits@3", "hits@5", "perplexity", "change@1", "change@3")
SHARES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
CACHE_ORDER = 6
SHUFFLES = 3
RESEARCH, CLEAN = ("muvi_sync",), ("pop909", "billboard")


def ngram_figures(
    model: WittenBell, songs: Sequence[Song], *, share: float = 0.0
) -> dict[str, float]:
    """The metrics of an n-gram, with an in-song cache of weight `share` where that is > 0."""
    scores = ChordScores([], [])
    for song in songs:
        row = with_end(song.chords).tolist()
        if share > 0:
            log_probs = cached_log_probs(model, row, share=share)
        else:
            log_probs = ngram_log_probs(model, row)
        scores.add(log_probs, np.array(row[1:]), row[0])
    return scores.figures()


def baseline_rows(
    train: Sequence[Song], val: Sequence[Song], test: Sequence[Song]
) -> list[tuple[str, dict[str, float]]]:
    rows = [with_end(song.chords).tolist() for song in train]
    grams = {order: WittenBell(order).fit(rows) for order in (1, 2, CACHE_ORDER)}
    best = grams[CACHE_ORDER]
    share = min(SHARES, key=lambda share: ngram_figures(best, val, share=share)["nll"])
    return [
        ("unigram (constant)", ngram_figures(grams[1], test)),
        ("bigram, Witten-Bell", ngram_figures(grams[2], test)),
        (f"{CACHE_ORDER}-gram, Witten-Bell", ngram_figures(best, test)),
        (
            f"{CACHE_ORDER}-gram + in-song {CACHE_ORDER}-gram cache ({share:.1f})",
            ngram_figures(best, test, share=share),
        ),
    ]


def _splits(root: Path, corpora: tuple[str, ...]) -> list[list[Song]]:
    data = Corpora(root=str(root), corpora=corpora)
    return [read_songs(data, split) for split in ("train", "val", "test")]


def _load(name: str) -> tuple[str, MusicTransformer]:
    weights = load_weights(name)
    model = MusicTransformer(MusicTransformerConfig(**weights.config)).eval()
    fill(model, weights)
    count = sum(value.numel() for value in model.parameters())
    return f"{name} ({count / 1e6:.2f} M)", model


def model_rows(
    label: str,
    model: MusicTransformer,
    val: Sequence[Song],
    test: Sequence[Song],
    *,
    film: bool = True,
) -> list[tuple[str, dict[str, float]]]:
    """The model and its controls; `film`: whether these songs have conditions."""
    rows = [(f"**{label}**", score_transformer(model, test))]
    if film and model.config.conditions:
        rng = np.random.default_rng(0)
        others = _mean(_other_films(model, test, rng))
        rows += [
            (f"{label}, no conditions", _without_conditions(model, test)),
            (f"{label}, another song's film (mean of {SHUFFLES})", others),
            (f"{label}, own film in shuffled seconds", _shuffled_seconds(model, test, rng)),
        ]
    return [*rows, (f"{label}, validation split", score_transformer(model, val))]


def _other_films(
    model: MusicTransformer, songs: Sequence[Song], rng: np.random.Generator
) -> list[dict[str, float]]:
    found = []
    for _ in range(SHUFFLES):
        order = rng.permutation(len(songs))
        taken = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
        found.append(score_transformer(model, songs, film_of=lambda n, t=taken: songs[t[n]]))
    return found


def _shuffled_seconds(
    model: MusicTransformer, songs: Sequence[Song], rng: np.random.Generator
) -> dict[str, float]:
    def mixed(number: int) -> Song:
        song = songs[number]
        order = rng.permutation(len(song.chords))
        shuffled = {name: values[order] for name, values in song.conditions.items()}
        return Song(song.name, song.chords, song.minor, shuffled, None, None)

    return score_transformer(model, songs, film_of=mixed)


def _without_conditions(model: MusicTransformer, songs: Sequence[Song]) -> dict[str, float]:
    bare = [Song(song.name, song.chords, song.minor, {}, None, None) for song in songs]
    return score_transformer(model, songs, film_of=lambda number: bare[number])


def _mean(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}


def table(rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    lines = ["| model | Hits@1 | @3 | @5 | perplexity | at changes 1 | 3 |", "|" + " --- |" * 7]
    for name, figures in rows:
        cells = " | ".join(f"{figures[column]:.3f}" for column in COLUMNS)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


HEAD = """# Chords: MuVi-Sync, official test split

75 songs (597 train, 75 validation), one chord a second, at most 300 s, teacher forcing. Hits@k is
the share of seconds whose chord is among the k likeliest, the mean of songs (Video2Music's metric:
END counts, padding does not); perplexity is exp of the mean over songs of the mean negative
log-likelihood. 'At changes' counts only seconds whose chord differs from the one before (pooled).
No CLIP features: the network reads emotion, motion and scene offset. Everything was chosen on the
validation split. Bars, all at once: Hits@1/3/5 > .640/.855/.920, perplexity < 3.80, top-1 at
changes > .34.

The controls tell what the film is worth: 'another song's film' also gives a wrong end of the film;
'shuffled seconds' keeps its length and its overall mood and destroys the timing.

"""

CLEAN_HEAD = """

## POP909 + Billboard, their own held-out test songs

No film; split by the hash of the song's name. Same metric, chord grid and baselines, which are
fitted on these corpora's training songs. A set trained on MuVi-Sync alone has not seen any of them.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", nargs="+", default=["music_chords", "music_chords_clean"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = {corpora: _splits(arguments.data, corpora) for corpora in (RESEARCH, CLEAN)}
    loaded = [_load(name) for name in arguments.weights]
    rows = baseline_rows(*data[RESEARCH])
    for name, model in loaded:
        rows += model_rows(name, model, *data[RESEARCH][1:])
    body = HEAD + table(rows) + CLEAN_HEAD
    rows = baseline_rows(*data[CLEAN])
    for name, model in loaded:
        rows += model_rows(name, model, *data[CLEAN][1:], film=False)
    body += table(rows)
    print(body)
    command = f"python benchmarks/chords.py --weights {' '.join(arguments.weights)}"
    write_result("chords", body, command=command)


if __name__ == "__main__":
    main()
