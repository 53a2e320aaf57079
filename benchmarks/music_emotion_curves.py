"""Judged curves against the mean of VGMIDI's listeners, bar by bar, on pieces of games not seen.

Run: OMP_NUM_THREADS=1 python benchmarks/music_emotion_curves.py [--data-root FOLDER]
"""

import argparse
from pathlib import Path

import numpy as np
from result_file import write_result

from affetto.recognizers.metrics import ccc
from affetto.recognizers.music.recognizer import load_music_recognizer, recognize_music
from affetto.train.data.vgmidi import read_pieces

AXES = ("valence", "arousal")
DATA = Path(__file__).parents[2] / "shared" / "data" / "vgmidi"
SHUFFLES = 20
Curves = list[tuple[np.ndarray, np.ndarray]]  # a piece: judged (M, 2), heard (M, 2) of M bars


def curves(root: Path, weights: str, half: str) -> Curves:
    """Judged and heard of the pieces of one half."""
    net = load_music_recognizer(weights)
    found = []
    for piece in read_pieces(root):
        if piece.half == half:
            end_s = max(note.end_s for note in piece.notes)
            track = recognize_music(piece.notes, recognizer=net, duration_s=end_s)
            middles_s = (np.arange(len(piece.heard)) + 0.5) / len(piece.heard) * end_s
            found.append((track.at(middles_s).vad[:, :2], piece.heard))
    return found


def pooled(pieces: Curves, axis: int) -> tuple[float, float]:
    """Concordance and Pearson correlation over all bars of all pieces."""
    judged, heard = (np.concatenate([piece[side][:, axis] for piece in pieces]) for side in (0, 1))
    moved = judged.std() > 1e-6
    return ccc(judged, heard), float(np.corrcoef(judged, heard)[0, 1]) if moved else 0.0


def within(pieces: Curves, axis: int) -> float:
    """Mean over pieces of the correlation inside a piece, where both move."""
    sides = [(judged[:, axis], heard[:, axis]) for judged, heard in pieces]
    moving = [pair for pair in sides if pair[0].std() > 1e-6 and pair[1].std() > 1e-6]
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in moving])) if moving else 0.0


def shuffled(pieces: Curves, seed: int) -> Curves:
    """Each heard curve beside the judged one of another piece, stretched to its length."""
    order = np.random.default_rng(seed).permutation(len(pieces))
    mixed = []
    for (_, heard), other in zip(pieces, order, strict=True):
        judged = pieces[other][0]
        places = np.linspace(0, len(judged) - 1, len(heard)).round().astype(int)
        mixed.append((judged[places], heard))
    return mixed


def row(name: str, several: list[Curves]) -> str:
    """The Markdown row, means over `several`."""
    cells = []
    for axis in (0, 1):
        values = [(*pooled(pieces, axis), within(pieces, axis)) for pieces in several]
        cells += [f"{value:.3f}" for value in np.mean(values, axis=0)]
    return f"| {name} | {' | '.join(cells)} |"


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, default=DATA)
    root = parser.parse_args().data_root
    measures = ("concordance", "correlation", "correlation in a piece")
    lines = [
        "# Music emotion over time: judged against listeners, VGMIDI's full pieces\n",
        "Mean of about 30 listeners a bar; pieces of games that the set has not seen. A piece's "
        "bars are taken as equally long and spread over its notes. Listeners' curves have a scale "
        "of their own, which nothing was fitted to.\n",
        f"| | {' | '.join(f'{axis} {what}' for axis in AXES for what in measures)} |",
        f"|{'---|' * 7}",
    ]
    for weights, half in (("music_emotion", "B"), ("music_emotion_judge", "A")):
        pieces = curves(root, weights, half)
        mean = np.concatenate([judged for judged, _ in pieces]).mean(axis=0)
        constant = [(np.broadcast_to(mean, heard.shape), heard) for _, heard in pieces]
        lines.append(row(f"{weights}, half {half}, {len(pieces)} pieces", [pieces]))
        lines.append(row("constant", [constant]))
        mixed = [shuffled(pieces, seed) for seed in range(SHUFFLES)]
        lines.append(row(f"another piece's curve, {SHUFFLES} shuffles", mixed))
    write_result(
        "music_emotion_curves",
        "\n".join(lines),
        command="OMP_NUM_THREADS=1 python benchmarks/music_emotion_curves.py",
    )


if __name__ == "__main__":
    main()
