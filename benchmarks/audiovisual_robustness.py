"""Robustness and fairness of voice, face, and both at once, after BERSt and 'Dawn': conditions, speakers, sexes, faces.

python benchmarks/audiovisual_robustness.py --data ../shared/data --run runs/audiovisual
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from audiovisual import conditions
from audiovisual_corrupted import PROTOCOL, TEXT, test_states
from result_file import write_result
from scipy import signal

from affetto.recognizers.audiovisual.recognizer import AudioVisualRecognizer, load_audiovisual
from affetto.recognizers.metrics import bootstrap, uar
from affetto.train.audiovisual_stages import features_of, logits_of
from affetto.train.augment_sound import RATE_HZ, Sound, gain, noise
from affetto.train.data.animated_clips import Protocol, utterances_of
from affetto.train.data.audiovisual_lessons import ChangedVoice, States, keep_voices
from affetto.train.data.speech_corpora import Utterance, load_wav

WAYS = {"both": (True, True), "voice alone": (False, True), "face alone": (True, False)}
MORE = {
    "gain +12": "12 dB louder",
    "gain -12": "12 dB softer",
    "muffled": "a hand before the mouth: low-pass 1 kHz, 12 dB an octave",
    "noise": "white noise, 10 dB",
}


def changed(kind: str, spoken: list[Utterance]) -> ChangedVoice:
    def change(row: int, rng: np.random.Generator) -> Sound:
        wav = load_wav(spoken[row])
        match kind:
            case "gain +12" | "gain -12":
                return gain(wav, float(kind.split()[1]))
            case "muffled":
                low = signal.butter(2, 1000.0, fs=RATE_HZ, output="sos")
                return signal.sosfilt(low, wav).astype(np.float32)
            case "noise":
                return noise(wav, 10.0, rng, color=0.0)
        raise ValueError(f"unknown corruption {kind!r}")

    return change


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/audiovisual"))
    parser.add_argument("--weights", default="audiovisual")
    given = parser.parse_args()
    torch.set_num_threads(1)
    test, clips = test_states(given.data, given.run)
    spoken = utterances_of(given.data, "test", Protocol.read(PROTOCOL))
    path = given.run / "states" / "test_more_voices.npy"
    more = keep_voices(path, len(spoken), [changed(kind, spoken) for kind in MORE], seed=3)
    net = load_audiovisual(given.weights)
    lines = intro(net, clips.speaker)
    clean = {way: answers(net, test, (0, 0), there) for way, there in WAYS.items()}
    lines += degradation(net, test, more, clean)
    sex = {one.speaker: one.sex for one in spoken}
    groups = {
        "female voice": np.asarray([sex[name] == "F" for name in clips.speaker]),
        "male voice": np.asarray([sex[name] == "M" for name in clips.speaker]),
        "RAVDESS (English)": np.char.startswith(clips.speaker, "ravdess"),
        "EMO-DB (German, 6 of the labels)": np.char.startswith(clips.speaker, "emodb"),
        "animated portrait": ~np.char.startswith(clips.face, "head"),
        "drawn head": np.char.startswith(clips.face, "head"),
        "portrait of a woman": np.char.startswith(clips.face, "flux_w"),
        "portrait of a man": np.char.startswith(clips.face, "flux_m"),
        "painting": np.char.startswith(clips.face, "art"),
        "part of the engine's expression": ~np.char.startswith(clips.recipe, "emfacs"),
        "EMFACS combination": np.char.startswith(clips.recipe, "emfacs"),
        "expression under .5": clips.strength < 0.5,
        "expression from .5": clips.strength >= 0.5,
    }
    lines += fairness("Groups", groups, clean, test.label, clips.speaker)
    people = {name: clips.speaker == name for name in np.unique(clips.speaker)}
    lines += fairness("Speakers", people, clean, test.label, None)
    write_result(
        "audiovisual_robustness",
        "\n".join(lines),
        command="python benchmarks/audiovisual_robustness.py --data ../shared/data --run runs/audiovisual",
        packages=("torch", "numpy", "scipy"),
    )


def answers(
    net: AudioVisualRecognizer, test: States, variant: tuple[int, int], there: tuple[bool, bool]
) -> np.ndarray:
    """(N,) labels said."""
    features = features_of(
        net.network, test, net.scale, face=variant[0], voice=variant[1], there=there
    )
    said: np.ndarray = logits_of(net.network, features).argmax(dim=1).numpy()
    return said


def intro(net: AudioVisualRecognizer, speakers: np.ndarray) -> list[str]:
    return [
        "# Robustness and fairness of face and voice at once",
        "",
        f"Clean clips, split and corruptions as in benchmarks/audiovisual.py ({len(set(speakers))} unseen speakers, **synthetic faces**), and four more",
        "ways to change the voice. UAR in per cent over the labels that a group has; 'kept' is the share of the clean UAR. One net",
        "with both, without the face, without the voice. Bars: the worst condition keeps at least 60 %, gain changes at most 1 point.",
        f"Net: sha256 {net.fingerprint[:16]}.",
        "",
    ]


def degradation(
    net: AudioVisualRecognizer, test: States, more: np.ndarray, clean: dict[str, np.ndarray]
) -> list[str]:
    base = {way: 100 * uar(test.label, said) for way, said in clean.items()}
    lines = ["| condition | both | kept | voice alone | kept | face alone | kept |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    lines += [
        f"| clean | {base['both']:.1f} | | {base['voice alone']:.1f} | | {base['face alone']:.1f} | |"
    ]
    further = replace(test, voices=more)
    every = [(TEXT[name], test, pair) for name, pair in conditions().items() if name != "clean"]
    every += [(text, further, (0, place)) for place, text in enumerate(MORE.values())]
    for text, states, pair in every:
        cells = []
        for way, there in WAYS.items():
            touched = (there[0] and pair[0]) or (there[1] and (pair[1] or states is further))
            if not touched:
                cells += ["", ""]
                continue
            value = 100 * uar(test.label, answers(net, states, pair, there))
            cells += [f"{value:.1f}", f"{value / base[way]:.0%}"]
        lines.append(f"| {text} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def fairness(
    title: str,
    groups: dict[str, np.ndarray],
    clean: dict[str, np.ndarray],
    labels: np.ndarray,
    speakers: np.ndarray | None,
) -> list[str]:
    lines = ["", f"## {title}, clean", "", "| | clips | both | voice alone | face alone |"]
    lines += ["| --- | --- | --- | --- | --- |"]
    for name, rows in groups.items():
        cells = []
        for said in clean.values():
            value = 100 * uar(labels[rows], said[rows])
            between = ""
            if speakers is not None:
                low, high = bootstrap(
                    lambda wanted, got: 100 * uar(wanted, got),
                    labels[rows], said[rows], groups=speakers[rows], rounds=300,
                )  # fmt: skip
                between = f" [{low:.1f}, {high:.1f}]"
            cells.append(f"{value:.1f}{between}")
        lines.append(f"| {name} | {rows.sum()} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
