"""What the student learns from: log-mel pictures, labels, and what the large net says of each clip.

The teacher is Whisper tiny.en with a linear head (facts/recognizer-trials.md, section 2). Its
probabilities for a clip come from a head that never heard the clip's speaker (speakers in five
groups), so they are as unsure as on strangers, and no head hears a test speaker. Frame states of
its middle layers, turned to their principal axes, are a second lesson. Letters: N clips, K copies,
M mel bands, T frames of 10 ms, P pictures' places of 40 ms, A axes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from einops import reduce
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from affetto.files import staged_file
from affetto.recognizers.speech.front_end import FrontEndConfig, LogMel
from affetto.recognizers.speech.whisper import WIDTH, frames_of, load_whisper
from affetto.train.augment_sound import babble, noise, phone, pitch, room
from affetto.train.data.speech_corpora import RATE_HZ, Sound, Utterance, load_wav
from affetto.train.data.speech_folds import inner_folds
from affetto.train.logistic import fit_logistic

MAX_S = 3.2  # longer clips are cut; a fiftieth of RAVDESS is longer
STATES = (2, 3)  # of Whisper's five; the strongest single ones
LEVEL = 0.05
NUM_LABELS = 8
CROWD = "emodb/"  # whose voices disturb others; never a test speaker's


@dataclass(frozen=True)
class Lessons:
    """Clips with all that is taught of them.

    Attributes:
        mel: (N, K, M, T) float16 log-mel, the clean clip first, then varied copies.
        lengths: (N,) frames of each.
        labels: (N,) places in ravdess8, -1 where there is none.
        speakers: N names.
        pooled: (N, 10 D), D = 384, mean and deviation of the teacher's states over time.
        states: (N, P, 2 D) float16, the states STATES every 40 ms.
    """

    mel: Tensor
    lengths: Tensor
    labels: Tensor
    speakers: tuple[str, ...]
    pooled: Tensor
    states: Tensor

    def of(self, rows: Sequence[int] | Tensor) -> "Lessons":
        """Some of the clips."""
        places = torch.as_tensor(rows, dtype=torch.long)
        tensors = {
            name: getattr(self, name)[places]
            for name in ("mel", "lengths", "labels", "pooled", "states")
        }
        return replace(
            self, speakers=tuple(self.speakers[row] for row in places.tolist()), **tensors
        )


def prepare_lessons(
    utterances: Sequence[Utterance],
    front_end: FrontEndConfig,
    *,
    num_copies: int,
    cache: Path,
    seed: int = 0,
) -> Lessons:
    """Read the clips, or what an earlier run with the same settings kept of them in `cache`.

    Args:
        utterances: what to learn from.
        front_end: of the student.
        num_copies: varied copies beside each clean clip (noise, rooms, telephones, voices).
        cache: a folder; a file a setting is written there.
        seed: of the variations.
    """
    names = " ".join(utterance.key for utterance in utterances)
    told = hashlib.sha256(f"{names} {front_end} {num_copies} {seed}".encode()).hexdigest()[:16]
    path = cache / f"lessons_{told}.safetensors"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(path) as staged:
            save_file(_read(utterances, front_end, num_copies, seed), staged)
    tensors = load_file(path)
    return Lessons(
        **tensors,
        labels=torch.tensor([utterance.label for utterance in utterances]),
        speakers=tuple(utterance.speaker for utterance in utterances),
    )


def _read(
    utterances: Sequence[Utterance], config: FrontEndConfig, num_copies: int, seed: int
) -> dict[str, Tensor]:
    whisper, front_end = load_whisper(), LogMel(config)
    num, num_frames = len(utterances), int(MAX_S * config.rate_hz / config.hop)
    mel = torch.zeros(num, 1 + num_copies, config.num_bands, num_frames, dtype=torch.float16)
    lengths = torch.zeros(num, dtype=torch.long)
    states = torch.zeros(num, num_frames // 4, len(STATES) * WIDTH, dtype=torch.float16)
    pooled = torch.zeros(num, 10 * WIDTH)
    sounds = [load_wav(utterance)[: int(MAX_S * RATE_HZ) - 1] for utterance in utterances]
    crowd = [s for s, u in zip(sounds, utterances, strict=True) if u.speaker.startswith(CROWD)]
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for row, sound in enumerate(sounds):
            lengths[row] = len(sound) // config.hop + 1
            for copy in range(1 + num_copies):
                wav = disturbed(sound, crowd, rng) if copy else sound
                picture = front_end(torch.from_numpy(wav)[None])[0]
                mel[row, copy, :, : picture.shape[1]] = picture
            found = _teacher_states(whisper, sound)  # (5, T', D)
            pooled[row] = torch.cat([found.mean(1), found.std(1, correction=0)], dim=1).flatten()
            whole = found[list(STATES), : found.shape[1] // 2 * 2]
            paired = reduce(whole, "s (t two) d -> s t d", "mean", two=2)
            states[row, : paired.shape[1]] = torch.cat(list(paired), dim=1)[: states.shape[1]]
    return {"mel": mel, "lengths": lengths, "pooled": pooled, "states": states}


def disturbed(sound: Sound, crowd: Sequence[Sound], rng: np.random.Generator) -> Sound:
    """One disturbance that keeps each frame in its place: pitch, room, telephone, voices, noise."""
    match int(rng.integers(5)):
        case 0:
            return pitch(sound, float(np.exp(rng.uniform(-0.2, 0.2))))
        case 1:
            return room(sound, rng.uniform(0.2, 0.9), rng, direct_db=rng.uniform(-2.0, 9.0))
        case 2:
            return phone(sound)
        case 3 if crowd:
            voices = [crowd[place] for place in rng.integers(len(crowd), size=3)]
            return babble(sound, voices, rng.uniform(5.0, 20.0), rng)
        case _:
            return noise(sound, rng.uniform(5.0, 30.0), rng, color=rng.uniform(0.0, 2.0))


def _teacher_states(whisper: torch.nn.Module, sound: Sound) -> Tensor:
    level = LEVEL / (float(np.square(sound - sound.mean()).mean()) ** 0.5 + 1e-5)
    wav = torch.from_numpy((sound - sound.mean()) * level)[None]
    length = torch.tensor([wav.shape[1]])
    found: Tensor = whisper(wav, length)[0, :, : int(frames_of(length)[0])]
    return found


def teacher_probabilities(
    lessons: Lessons, *, num_groups: int = 5, penalty: float = 1e-3, seed: int = 0
) -> Tensor:
    """(N, 8) calibrated probabilities of each clip by a head that never heard its speaker.

    Args:
        lessons: of the training side only.
        num_groups: speaker groups.
        penalty: C of the linear heads.
        seed: of the grouping.
    """
    groups = inner_folds(lessons.speakers, num=num_groups, seed=seed)
    place = {name: number for number, group in enumerate(groups) for name in group}
    held = torch.tensor([place[name] for name in lessons.speakers])
    axes = sample_axes(lessons.pooled)
    logits = torch.zeros(len(axes), NUM_LABELS)
    for number in range(num_groups):
        rows = (held != number) & (lessons.labels >= 0)
        weight, bias = fit_head(axes[rows], lessons.labels[rows], penalty=penalty)
        logits[held == number] = axes[held == number] @ weight + bias
    labelled = lessons.labels >= 0
    temperatures = torch.arange(0.3, 3.0, 0.05)
    costs = [
        functional.cross_entropy(logits[labelled] / t, lessons.labels[labelled])
        for t in temperatures
    ]
    return (logits / temperatures[int(torch.stack(costs).argmin())]).softmax(dim=1)


def fit_head(inputs: Tensor, labels: Tensor, *, penalty: float) -> tuple[Tensor, Tensor]:
    """Logistic regression by L-BFGS: weight (I, 8), bias (8,) for inputs (M, I), labels (M,).

    The loss of a class is weighted by one over the root of its frequency.
    """
    middle = inputs.mean(dim=0)
    counts = torch.bincount(labels, minlength=NUM_LABELS).float()
    weighted = float((counts * len(labels) / NUM_LABELS).sqrt().sum())  # items, rare ones more
    matrix, bias = fit_logistic(
        inputs - middle,
        labels,
        num_labels=NUM_LABELS,
        penalty=1.0 / (penalty * weighted),
        balance=0.5,
        rank=inputs.shape[1],
    )
    return matrix.T, bias - matrix @ middle


def sample_axes(values: Tensor, *, most: int = 600) -> Tensor:
    """The standardised values (N, I) on their strongest principal axes, (N, <= most)."""
    scaled = (values - values.mean(dim=0)) / (values.std(dim=0, correction=0) + 1e-6)
    variances, axes = torch.linalg.eigh((scaled @ scaled.T).double())
    strongest: Tensor = (axes * variances.clamp(min=0.0).sqrt())[:, -most:]
    return strongest.float()


def frame_axes(lessons: Lessons, *, num_axes: int) -> tuple[Tensor, Tensor]:
    """The teacher's frame states on their strongest axes, at variance 1 on average.

    Returns:
        (N, P, A) float16 and (N, P) bool, True where there is sound.
    """
    places = torch.arange(lessons.states.shape[1])
    sounding = places * 4 + 3 < lessons.lengths[:, None]  # (N, P)
    real = lessons.states[sounding].float()
    middle, spread = real.mean(dim=0), real.std(dim=0) + 1e-6
    scaled = (real - middle) / spread
    variances, axes = torch.linalg.eigh(scaled.T @ scaled / len(scaled))
    axes, size = axes[:, -num_axes:], variances[-num_axes:].mean().sqrt()
    turned = [((part.float() - middle) / spread) @ axes / size for part in lessons.states]
    return torch.stack(turned).half(), sounding
