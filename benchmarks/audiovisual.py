"""The audio-visual recognizer on speakers, faces and action units it never met, clean and corrupted.

python benchmarks/audiovisual.py --data ../shared/data --run runs/audiovisual
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from audiovisual_corrupted import FACE_KINDS, TEXT, VOICE_KINDS, test_states
from result_file import write_result

from affetto.emotion_bank.embedder import load_embedder, place, token
from affetto.emotion_bank.space import decode
from affetto.recognizers.audiovisual.recognizer import AudioVisualRecognizer, load_audiovisual
from affetto.recognizers.audiovisual.states import NUM_FRAMES, face_states
from affetto.recognizers.face.recognizer import FaceRecognizer
from affetto.recognizers.independence import check_split
from affetto.recognizers.metrics import bootstrap, calibration_error, confusion, uar
from affetto.recognizers.reading import Reading
from affetto.recognizers.taxonomy import matrix
from affetto.train.audiovisual import FER_WORDS, AudioVisualRecipe, lessons
from affetto.train.audiovisual_stages import features_of, logits_of
from affetto.train.data.animated_clips import AnimatedClips, Protocol, read_clips, utterances_of
from affetto.train.data.audiovisual_lessons import States
from affetto.train.data.ferplus import read_ferplus
from affetto.train.data.speech_corpora import RAVDESS_LABELS
from affetto.train.logistic import fit_logistic

PENALTY = 0.1
NET, JOINED = "**face and voice, one net**", "judged apart, joined by the embedder"
Answers = dict[str, np.ndarray]  # condition -> (N, 8) probabilities


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--run", type=Path, default=Path("runs/audiovisual"))
    parser.add_argument("--weights", default="audiovisual")
    given = parser.parse_args()
    torch.set_num_threads(1)
    recipe = AudioVisualRecipe(out=str(given.run))
    recipe.data.root = str(given.data)
    train = lessons(recipe, "train")
    test, clips = test_states(given.data, given.run)
    check_people(given.data, given.run, recipe, clips)
    net = load_audiovisual(given.weights)
    rows = answers(net, train, test)
    lines = [*intro(net, clips), *table(rows, test.label, clips), *gains(rows, test.label, clips)]
    lines += real_faces(net, train, test, clips, given.data)
    best = rows[NET]["clean"]
    lines += ["", "## Confusions, clean, face and voice (rows are what was acted)", ""]
    counts = confusion(test.label, best.argmax(axis=1), len(RAVDESS_LABELS))
    lines += ["| | " + " | ".join(RAVDESS_LABELS) + " |", "|" + " --- |" * 9]
    for word, row in zip(RAVDESS_LABELS, counts, strict=True):
        lines.append(f"| {word} | " + " | ".join(map(str, row)) + " |")
    error = calibration_error(test.label, best)
    lines += ["", f"Calibration error, clean: {error:.3f}."]
    write_result(
        "audiovisual",
        "\n".join(lines),
        command="python benchmarks/audiovisual.py --data ../shared/data --run runs/audiovisual",
        packages=("torch", "numpy"),
    )


def check_people(data: Path, run: Path, recipe: AudioVisualRecipe, test: AnimatedClips) -> None:
    """Nobody and nothing on both sides."""
    train = read_clips(run / "clips", "train")
    check_split(train.speaker, test.speaker, by="speaker")
    check_split(train.face, test.face, by="face")
    shown = [set(part.recipe) - {"neutral"} for part in (train, test)]
    check_split(shown[0], shown[1], by="recipe of an expression")
    protocol = Protocol.read(Path(recipe.data.protocol))
    said = [{one.key for one in utterances_of(data, part, protocol)} for part in ("train", "test")]
    check_split(said[0], said[1], by="recording")


def conditions() -> dict[str, tuple[int, int]]:
    """Condition -> variants of face and voice among the test clips' states."""
    faces = {kind: (place, 0) for place, kind in enumerate(FACE_KINDS, start=1)}
    voices = {kind: (0, place) for place, kind in enumerate(VOICE_KINDS, start=1)}
    return {"clean": (0, 0)} | faces | voices


def answers(net: AudioVisualRecognizer, train: States, test: States) -> dict[str, Answers]:
    """Row -> its answers in all conditions."""
    sharpness = net.get_buffer("sharpness")

    def by_net(face: int, voice: int, there: tuple[bool, bool]) -> np.ndarray:
        features = features_of(net.network, test, net.scale, face=face, voice=voice, there=there)
        return (sharpness * logits_of(net.network, features)).softmax(dim=1).numpy()

    heads = {kind: linear_head(train, kind) for kind in ("face", "voice")}
    print("heads", flush=True)
    rows: dict[str, Answers] = {}
    for name, (face, voice) in conditions().items():
        alone = {
            "face": heads["face"](pooled(test, "face", face)),
            "voice": heads["voice"](pooled(test, "voice", voice)),
        }
        product = alone["face"] * alone["voice"]
        found = {
            "constant": np.full_like(product, 1 / 8),
            "voice, linear on states": alone["voice"],
            "voice, the net without the face": by_net(face, voice, (False, True)),
            "face, linear on states": alone["face"],
            "face, the net without the voice": by_net(face, voice, (True, False)),
            "product of both linear heads": product / product.sum(axis=1, keepdims=True),
            JOINED: joined(net, alone["voice"], by_face_net(net, test, face)),
            NET: by_net(face, voice, (True, True)),
        }
        if name == "clean":
            found["the net, faces of other clips"] = shuffled(net, test)
        for row, probs in found.items():
            rows.setdefault(row, {})[name] = probs
        print(name, flush=True)
    return rows


def shuffled(net: AudioVisualRecognizer, test: States) -> np.ndarray:
    """Each voice with the face of a clip of anyone."""
    order = np.random.default_rng(0).permutation(len(test))
    swapped = replace(test, spoken=test.spoken[order])
    features = features_of(net.network, swapped, net.scale)
    probs = logits_of(net.network, features).softmax(dim=1).numpy()
    back = np.empty_like(probs)
    back[order] = probs  # row k heard the voice of clip order[k]
    return back


def by_face_net(net: AudioVisualRecognizer, states: States, variant: int) -> Reading:
    """What the shipped face net says of the faces: mean probabilities over the frames."""
    face: FaceRecognizer = net.__dict__["face"]
    shift, sharpness = face.get_buffer("shift"), face.get_buffer("sharpness")
    native = []
    with torch.inference_mode():
        for start in range(0, len(states), 64):
            maps = torch.from_numpy(np.asarray(states.faces[start : start + 64, variant], "f4"))
            scores = face.network.head(maps.mean(dim=(3, 4)).transpose(1, 2)).log_softmax(dim=-1)
            native.append((sharpness * (scores + shift)).softmax(dim=-1).mean(dim=1))
        return face.reading(torch.cat(native).clamp(min=1e-7).log())


def joined(net: AudioVisualRecognizer, voice: np.ndarray, seen: Reading) -> np.ndarray:
    """(N, 8) as `affetto recognize` joined a voice's and a face's readings before this net."""
    heard = net.reading(torch.from_numpy(voice).float().clamp(min=1e-7).log())
    tokens = torch.stack(
        [token(r.probs, r.vad, r.vad_var, r.confidence) for r in (heard, seen)], dim=1
    )
    places = torch.tensor([place("voice"), place("face")]).expand(tokens.shape[:2])
    with torch.inference_mode():
        probs, _, _ = decode(*load_embedder()(tokens, places, fine=True))
    eight = probs @ torch.from_numpy(matrix("ravdess8")).T
    return (eight / eight.sum(dim=1, keepdim=True)).numpy()


def real_faces(
    net: AudioVisualRecognizer, train: States, test: States, clips: AnimatedClips, data: Path
) -> list[str]:
    """The test voices with stills of FER+'s official test faces of their label, one an utterance."""
    faces = read_ferplus(data, "test")
    words = np.asarray([FER_WORDS[label] for label in faces.majority])
    face_net: FaceRecognizer = net.__dict__["face"]
    rows = np.unique(test.spoken, return_index=True)[1]
    rng = np.random.default_rng(0)
    still = {"calm": "neutral"}
    wanted = [RAVDESS_LABELS[label] for label in test.label[rows]]
    chosen = [int(rng.choice(np.flatnonzero(words == still.get(word, word)))) for word in wanted]
    with torch.inference_mode():
        maps = face_states(torch.from_numpy(faces.pixels[chosen])[:, None] / 255.0, face_net)
    shown = np.broadcast_to(
        maps[:, None].half().numpy(), (len(rows), 1, maps.shape[1], NUM_FRAMES, 6, 6)
    )
    paired = States(shown, test.voices, test.spoken[rows], test.label[rows])
    alone = {kind: linear_head(train, kind)(pooled(paired, kind, 0)) for kind in ("voice", "face")}
    product = alone["voice"] * alone["face"]
    said = {
        "voice, linear on states": alone["voice"],
        "face, linear on states": alone["face"],
        "product of both linear heads": product / product.sum(axis=1, keepdims=True),
        JOINED: joined(net, alone["voice"], by_face_net(net, paired, 0)),
    }
    for name, there in (
        ("voice, the net without the face", (False, True)),
        ("face, the net without the voice", (True, False)),
        (NET, (True, True)),
    ):
        features = features_of(net.network, paired, net.scale, there=there)
        said[name] = logits_of(net.network, features).softmax(dim=1).numpy()
    lines = [
        "",
        "## Real faces, standing still",
        "",
        f"The same voices ({len(rows)} utterances) with stills of FER+'s official test faces that carry their label (calm voices: neutral faces; of",
        "disgust there are 18): real faces that no net here was trained on, but photographs of other people, which do not speak.",
        "",
        "| | UAR |",
        "| --- | --- |",
    ]
    for name, probs in said.items():
        low, high = bootstrap(
            lambda wanted, got: score(got, wanted), paired.label, probs,
            groups=clips.speaker[rows], rounds=500,
        )  # fmt: skip
        lines.append(f"| {name} | {score(probs, paired.label):.1f} [{low:.1f}, {high:.1f}] |")
    return lines


def pooled(states: States, kind: str, variant: int) -> torch.Tensor:
    """Mean and deviation of the states of faces or voices."""
    if kind == "voice":
        steps = torch.from_numpy(states.voices[:, variant].astype(np.float32))  # (U, C, 32)
        both = torch.cat([steps.mean(dim=2), steps.std(dim=2)], dim=1)
        return both[torch.from_numpy(states.spoken)]
    parts = []
    for start in range(0, len(states), 64):
        maps = torch.from_numpy(states.faces[start : start + 64, variant].astype(np.float32))
        means = maps.mean(dim=(3, 4))  # (B, C, F)
        parts.append(torch.cat([means.mean(dim=2), means.std(dim=2)], dim=1))
    return torch.cat(parts)


def linear_head(train: States, kind: str) -> Callable[[torch.Tensor], np.ndarray]:
    """Logistic regression on all variants of training's states."""
    count = (train.faces if kind == "face" else train.voices).shape[1]
    features = torch.cat([pooled(train, kind, variant) for variant in range(count)])
    center, spread = features.mean(dim=0), features.std(dim=0) + 1e-4
    labels = torch.from_numpy(train.label).repeat(count)
    matrix, biases = fit_logistic(
        (features - center) / spread, labels, num_labels=len(RAVDESS_LABELS), penalty=PENALTY
    )
    return lambda x: (((x - center) / spread) @ matrix.T + biases).softmax(dim=1).numpy()


def score(probs: np.ndarray, labels: np.ndarray) -> float:
    return 100 * uar(labels, probs.argmax(axis=1))


def table(rows: dict[str, Answers], labels: np.ndarray, clips: AnimatedClips) -> list[str]:
    names = list(conditions())
    lines = ["| | clean | mean of corrupted | " + " | ".join(names[1:]) + " |"]
    lines += ["|" + " --- |" * (len(names) + 2)]
    for row, found in rows.items():
        low, high = bootstrap(
            lambda wanted, probs: score(probs, wanted), labels, found["clean"],
            groups=clips.speaker, rounds=500,
        )  # fmt: skip
        cells = [f"{score(found['clean'], labels):.1f} [{low:.1f}, {high:.1f}]"]
        if len(found) > 1:
            others = [score(found[name], labels) for name in names[1:]]
            cells += [f"{np.mean(others):.1f}", *(f"{value:.1f}" for value in others)]
        lines.append(
            f"| {row} | " + " | ".join(cells) + " |" + " |" * (len(names) + 1 - len(cells))
        )
    return lines


def gains(rows: dict[str, Answers], labels: np.ndarray, clips: AnimatedClips) -> list[str]:
    """The net less the best single modality, paired, and the worst condition."""
    names = list(conditions())
    single = [name for name in rows if name.startswith(("voice", "face"))]
    net = rows[NET]

    def mean_of(found: Answers, chosen: list[str], rows_of: np.ndarray) -> float:
        return float(np.mean([score(found[n][rows_of], labels[rows_of]) for n in chosen]))

    every = np.arange(len(labels))
    lines = ["", "## Against the best single modality (UAR, points; bootstrap over speakers)", ""]
    for text, chosen in (("clean", ["clean"]), ("mean of corrupted", names[1:])):
        best = max(single, key=lambda row: mean_of(rows[row], chosen, every))
        gain = mean_of(net, chosen, every) - mean_of(rows[best], chosen, every)
        low, high = bootstrap(
            lambda which, best=best, chosen=chosen: mean_of(net, chosen, which)
            - mean_of(rows[best], chosen, which),
            every, groups=clips.speaker, rounds=200,
        )  # fmt: skip
        lines.append(f"- {text}: {gain:+.1f} [{low:+.1f}, {high:+.1f}] over {best}")
    worst = min(
        names, key=lambda n: score(net[n], labels) - max(score(rows[r][n], labels) for r in single)
    )
    below = score(net[worst], labels) - max(score(rows[r][worst], labels) for r in single)
    lines.append(
        f"- least gain over whoever is best in that condition: {below:+.1f} ({TEXT.get(worst, worst)})"
    )
    lowest = min(names[1:], key=lambda n: score(net[n], labels))
    kept = score(net[lowest], labels) / score(net["clean"], labels)
    lines.append(f"- worst condition keeps {kept:.0%} of clean ({TEXT[lowest]})")
    return lines


def intro(net: AudioVisualRecognizer, clips: AnimatedClips) -> list[str]:
    speakers = len(set(clips.speaker))
    heads = sum(name.startswith("head") for name in clips.face)
    return [
        "# Face and voice at once",
        "",
        f"Data: {len(clips)} test clips of 2.56 s: RAVDESS's and EMO-DB's voices ({speakers} speakers never trained on) spoken by",
        f"synthetic faces: {len(clips) - heads} clips of animated portraits, {heads} of drawn heads, all other faces than in training, with parts of",
        "the engine's expressions that training did not have (parts of one expression are alike; a quarter are EMFACS combinations far from training's), at strengths .3 to 1 (benchmarks/protocols/audiovisual_2.json). **All faces are synthetic.** Voice",
        "corruptions are those of the voice protocol, face corruptions were fixed before training; one modality is changed at a time.",
        "UAR over eight labels in per cent, in brackets 95 % over speakers. Linear heads: logistic regression on mean and deviation of",
        f"the same states, same training clips and variants, penalty {PENALTY:g}. Net: sha256 {net.fingerprint[:16]}.",
        "",
    ]


if __name__ == "__main__":
    main()
