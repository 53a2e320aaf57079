"""What the embedding of the audio-visual net's readings still tells about who speaks and whose face it is.

python benchmarks/audiovisual_identity.py --data ../shared/data --run runs/audiovisual
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from audiovisual_corrupted import test_states
from identity import guessed, guessed_wide
from numpy.typing import NDArray
from result_file import write_result

from affetto.emotion import LABELS
from affetto.emotion_bank.embedder import KNOWN, load_embedder
from affetto.emotion_bank.space import decode
from affetto.recognizers.audiovisual.recognizer import load_audiovisual
from affetto.recognizers.metrics import bootstrap, uar
from affetto.train.audiovisual_stages import features_of
from affetto.train.data.speech_folds import ravdess_folds

Double = NDArray[np.float64]
VOICED = np.flatnonzero(KNOWN["voice"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/audiovisual"))
    parser.add_argument("--weights", default="audiovisual")
    given = parser.parse_args()
    torch.set_num_threads(1)
    states, clips = test_states(given.data, given.run)
    net, embedder = load_audiovisual(given.weights), load_embedder()
    features = features_of(net.network, states, net.scale)
    with torch.inference_mode():
        logits = net.network.head(net.network.norm(features))
        reading = net.reading(net.get_buffer("sharpness") * logits)
        mean, log_var = embedder.embed_reading(reading, "voice")
        kept = decode(mean, log_var)[0].numpy()
    forms: dict[str, Double] = {
        "the net's features, raw (512)": features.double().numpy(),
        "label probabilities (8)": reading.native.double().numpy(),
        "**embedding, mean (16)**": mean.double().numpy(),
        "**embedding, mean and log variance (32)**": torch.cat([mean, log_var], 1).double().numpy(),
    }
    label = np.asarray([LABELS.index(word) for word in canonical(states.label)])
    before = 100 * uar(label, reading.probs.numpy().argmax(axis=1))
    after = 100 * uar(label, kept.argmax(axis=1))
    lines = [
        "# Identity in the embedding of face and voice judged at once",
        "",
        "Test clips of benchmarks/audiovisual.py (**synthetic faces**, real voices), nobody of them in training. The reading is embedded as",
        "fusion embeds it. Probes are fresh, as in identity.py: 5-fold over utterances (one clip of each), penalty chosen inside. Speakers:",
        "two times four actors of RAVDESS; faces: two times four portraits. Chance 25 %; bar: best fresh probe of the embedding at most 56 %",
        f"(aim 40), at most 2 points of UAR lost. Net: sha256 {net.fingerprint[:16]}.",
        "",
        f"UAR of the reading {before:.1f}, decoded from the embedding {after:.1f}: {after - before:+.1f}.",
    ]
    portrait = ~np.char.startswith(clips.face, "head")
    speakers = [list(fold) for fold in ravdess_folds()[4:6]]
    faces = np.array_split(np.unique(clips.face[portrait]), 2)
    lines += probes("Speakers", clips.speaker, speakers, portrait, forms, label)
    lines += probes("Portraits", clips.face, [list(four) for four in faces], portrait, forms, label)
    write_result(
        "audiovisual_identity",
        "\n".join(lines),
        command="python benchmarks/audiovisual_identity.py --data ../shared/data --run runs/audiovisual",
        packages=("torch", "numpy", "scikit-learn"),
    )


def canonical(labels: NDArray[np.int64]) -> list[str]:
    from affetto.recognizers.taxonomy import NATIVE_LABELS

    words = ["disgusted" if word == "disgust" else word for word in NATIVE_LABELS["ravdess8"]]
    return [words[label] for label in labels]


def probes(
    title: str,
    names: NDArray[np.str_],
    groups: list[list[str]],
    chosen: NDArray[np.bool_],
    forms: dict[str, Double],
    label: NDArray[np.int64],
) -> list[str]:
    lines = [
        "",
        f"## {title}",
        "",
        "| what is probed | logistic | MLP, 64 hidden |",
        "| --- | --- | --- |",
    ]
    shuffled = "embedding, mean; names shuffled"
    for form, inputs in {**forms, shuffled: forms["**embedding, mean (16)**"]}.items():
        cells = []
        for hidden in (0,) if "raw" in form else (0, 64):
            right, who = [], []
            for four in groups:
                here = np.flatnonzero(chosen & np.isin(names, four))
                _, wanted = np.unique(names[here], return_inverse=True)
                if form == shuffled:
                    wanted = np.random.default_rng(0).permutation(wanted)
                strata = wanted * len(LABELS) + label[here]
                if "raw" in form:
                    said, _ = guessed_wide(inputs[here], wanted, strata)
                else:
                    said, _ = guessed(inputs[here], wanted, strata, hidden=hidden)
                right.append(said == wanted)
                who.append(names[here])
            hits = np.concatenate(right)
            low, high = bootstrap(np.mean, hits, groups=np.concatenate(who))
            cells.append(f"{100 * hits.mean():.1f} [{100 * low:.1f}, {100 * high:.1f}]")
        lines.append(f"| {form} | {' | '.join(cells + [''] * (2 - len(cells)))} |")
        print(lines[-1], flush=True)
    return lines


if __name__ == "__main__":
    main()
