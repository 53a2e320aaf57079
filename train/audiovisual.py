"""Train the audio-visual recognizer on animated clips.

    affetto train audiovisual data.root=... out=runs/audiovisual

First the clips are drawn and read by the shipped nets, once (`out`/clips, `out`/states). Then
pre-training hides most of what they say of face and voice and restores it, labels unseen; then
fine-tuning learns the labels, at times without the face or without the voice, and with stills of
FER+ among the drawn faces, so that real faces are not strangers to it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from affetto.recognizers.audiovisual.recognizer import (
    NUM_LABELS,
    AudioVisualRecognizer,
    config_record,
)
from affetto.recognizers.audiovisual.states import SHIPPED, face_states
from affetto.recognizers.face.recognizer import load_face
from affetto.recognizers.metrics import accuracy, calibration_error, uar
from affetto.recognizers.speech.recognizer import load_speech
from affetto.train import augment_clip
from affetto.train.audiovisual_stages import (
    FineTuning,
    Pretraining,
    Stills,
    Told,
    begun,
    features_of,
    fine_tuned,
    logits_of,
    pretrained,
    scale_of,
)
from affetto.train.data.animated_clips import (
    Part,
    Protocol,
    draw_clips,
    read_clips,
    utterances_of,
)
from affetto.train.data.audiovisual_lessons import (
    States,
    plain_face,
    plain_voice,
    states_of,
    varied_voice,
)
from affetto.train.data.ferplus import read_ferplus
from affetto.train.data.speech_corpora import RAVDESS_LABELS, UNLABELLED
from affetto.train.metrics_log import log_epoch
from affetto.weights import save_weights

LICENCE = (
    "RAVDESS (CC BY-NC-SA 4.0) and EMO-DB voices with synthetic faces, FER2013's pictures of "
    "unclear rights: non-commercial research use"
)
# The face net that it looks through has seen both halves of FER+.
TRAINED_ON = ("ravdess", "emodb", "ferplus-even", "ferplus-odd")
# By FER+'s labels in their order, and for those without a majority (-1) at the end.
FER_WORDS = ("neutral", "happy", "surprised", "sad", "angry", "disgust", "fearful", "", "")
SHARPNESSES = tuple(round(0.4 + 0.05 * step, 2) for step in range(53))


@dataclass
class AudioVisualData:
    """Where things are, and who is heard and seen when."""

    root: str = "../shared/data"  # has ravdess/, emodb/, portraits/, ict_face/, ferplus48/
    protocol: str = "benchmarks/protocols/audiovisual_2.json"


@dataclass
class AudioVisualRecipe:
    """The whole run."""

    data: AudioVisualData = field(default_factory=AudioVisualData)
    pretraining: Pretraining = field(default_factory=Pretraining)
    fine_tuning: FineTuning = field(default_factory=FineTuning)
    stills: int = 800  # real faces of each label, from FER+
    stills_a_batch: int = 12
    out: str = "runs/audiovisual"
    seed: int = 0
    num_threads: int = 1


def run(config: AudioVisualRecipe) -> dict[str, float]:
    """Draw, read, pre-train, fine-tune, calibrate; keep out/weights, give validation's figures."""
    torch.set_num_threads(config.num_threads)
    out = Path(config.out)
    train, valid = lessons(config, "train"), lessons(config, "valid")
    stills = read_stills(config)

    def told(stage: str) -> Told:
        return lambda row: log_epoch(out / stage, row, cpu_s=row.pop("cpu_s"))

    scale = scale_of(train, SHIPPED)
    begin = pretrained(
        train, scale, SHIPPED, config.pretraining, seed=config.seed, told=told("pretraining")
    )
    classifier = fine_tuned(
        begun(begin, SHIPPED, seed=config.seed), train, scale, config.fine_tuning,
        seed=config.seed, stills=stills, told=told("fine_tuning"),
    )  # fmt: skip
    recognizer = AudioVisualRecognizer(SHIPPED, face=load_face(), speech=load_speech())
    recognizer.network, recognizer.scale = classifier, scale
    figures = calibrate(recognizer, valid)
    keep(recognizer, out / "weights")
    return figures


def lessons(config: AudioVisualRecipe, part: Part) -> States:
    """The clips of training or validation, drawn and read where they are not there yet."""
    root, out = Path(config.data.root), Path(config.out)
    protocol = Protocol.read(Path(config.data.protocol))
    draw_clips(root, out / "clips", part, protocol=protocol, turn=0, of=1)
    spoken = utterances_of(root, part, protocol)
    varied = part == "train"
    return states_of(
        read_clips(out / "clips", part),
        spoken,
        faces=[plain_face, augment_clip.vary] if varied else [plain_face],
        voices=[plain_voice(spoken)] + [varied_voice(spoken)] * (3 if varied else 0),
        folder=out / "states",
        name=part,
        seed=config.seed,
    )


def read_stills(config: AudioVisualRecipe) -> Stills:
    """Faces of FER+'s training part whose label more than half of the voters gave."""
    faces = read_ferplus(Path(config.data.root), "train")
    words = [FER_WORDS[label] for label in faces.majority]
    labels = np.asarray([RAVDESS_LABELS.index(word) if word else UNLABELLED for word in words])
    rng = np.random.default_rng(config.seed)
    rows = np.concatenate(
        [
            rng.permutation(np.flatnonzero(labels == label))[: config.stills]
            for label in range(NUM_LABELS)
        ]
    )
    net = load_face()
    with torch.inference_mode():
        maps = [
            face_states(torch.from_numpy(faces.pixels[part][:, None]) / 255.0, net)[:, :, 0]
            for part in np.array_split(rows, len(rows) // 32 + 1)
        ]
    return Stills(torch.cat(maps).half().numpy(), labels[rows], config.stills_a_batch)


def calibrate(recognizer: AudioVisualRecognizer, valid: States) -> dict[str, float]:
    """Set the sharpness by validation's likelihood; gives accuracy, recall and calibration."""
    features = features_of(recognizer.network, valid, recognizer.scale)
    logits, labels = logits_of(recognizer.network, features), torch.from_numpy(valid.label)
    costs = [float(functional.cross_entropy(s * logits, labels)) for s in SHARPNESSES]
    sharpness = SHARPNESSES[int(np.argmin(costs))]
    recognizer.get_buffer("sharpness").fill_(sharpness)
    probs = (sharpness * logits).softmax(dim=1).numpy()
    top = probs.argmax(axis=1)
    return {
        "accuracy": accuracy(valid.label, top),
        "uar": uar(valid.label, top),
        "calibration_error": calibration_error(valid.label, probs),
        "sharpness": sharpness,
    }


def keep(recognizer: AudioVisualRecognizer, folder: Path) -> str:
    """Save as float16; gives the sha256."""
    tensors = {
        name: value.half() if value.ndim > 1 else value
        for name, value in recognizer.state_dict().items()
    }
    return save_weights(
        folder,
        config=config_record(recognizer.network.config),
        tensors=tensors,
        licence=LICENCE,
        commercial=False,
        trained_on=TRAINED_ON,
    )
