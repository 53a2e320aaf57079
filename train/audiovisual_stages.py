"""HiCMAE's two stages over states of animated clips: restoring what is hidden, learning labels.

Sun et al. 2024 (arXiv 2401.05698). Differs: fine-tuning leaves out the face of some clips and the
voice of others, joins stills of real faces, and gives some faces another's voice: clips that always
agree would teach to trust whoever is clearer there. Letters: N clips, B of a batch, M stills.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from affetto.recognizers.audiovisual.config import HicmaeConfig
from affetto.recognizers.audiovisual.masking import random_mask, tube_mask
from affetto.recognizers.audiovisual.network import Hicmae
from affetto.recognizers.audiovisual.pretraining import (
    CONTRAST_WEIGHT,
    HicmaePretraining,
    patches_of,
)
from affetto.recognizers.audiovisual.recognizer import NUM_LABELS, StateScale
from affetto.train.checkpoint import Average
from affetto.train.data.audiovisual_lessons import States
from affetto.train.schedule import schedule, set_rate

FACE_LEAN = 0.7  # of CREMA-D's raters, see benchmarks/results/fusion_*.md: .58 to .84
Rows = NDArray[np.int64]
Told = Callable[[dict[str, float]], None]


@dataclass
class Pretraining:
    """Restoring what is hidden; rates as for a batch of 256 (Goyal et al. 2017)."""

    epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    weight_decay: float = 0.05
    video_hidden: float = 0.78
    sound_hidden: float = 0.8
    contrast_weight: float = CONTRAST_WEIGHT


@dataclass
class FineTuning:
    """Learning the labels."""

    epochs: int = 12
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.05
    layer_decay: float = 0.75
    label_smoothing: float = 0.1
    gradient_norm: float = 5.0
    average_decay: float = 0.995
    without_face: float = 0.2
    without_voice: float = 0.2
    crossed: float = 0.25  # share of clips with the voice of another clip


def scale_of(states: States, config: HicmaeConfig, *, num_clips: int = 512) -> StateScale:
    """Means and deviations of clips as they are."""
    scale = StateScale(config)
    rows = np.linspace(0, len(states) - 1, min(num_clips, len(states))).astype(np.int64)
    zeros = np.zeros_like(rows)
    faces, voices, _ = states.batch(rows, zeros, zeros)
    for name, values in (("face", faces), ("voice", voices)):
        channels = values.transpose(0, 1).flatten(1)
        scale.get_buffer(f"{name}_mean").copy_(channels.mean(dim=1))
        scale.get_buffer(f"{name}_spread").copy_(channels.std(dim=1) + 1e-3)
    return scale


def pretrained(
    states: States,
    scale: StateScale,
    shape: HicmaeConfig,
    config: Pretraining,
    *,
    seed: int,
    told: Told | None = None,
    make: Callable[[HicmaeConfig], HicmaePretraining] = HicmaePretraining,
) -> HicmaePretraining:
    """Pre-train on all clips and variants; labels are not looked at."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make(shape)
    generator = torch.Generator().manual_seed(seed)
    rate = config.learning_rate * config.batch_size / 256
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=config.weight_decay
    )
    total = config.epochs * (len(states) // config.batch_size)
    step = 0
    for epoch in range(config.epochs):
        sums, started = np.zeros(3), time.process_time()
        for faces, voices, _ in batches(states, config.batch_size, seed=seed, epoch=epoch):
            set_rate(optimizer, rate * schedule(step / total, config.warmup_share))
            seen, heard = scale(faces, voices)
            masks = {
                "video_mask": tube_mask(
                    len(seen), shape.video_grid, generator=generator, hidden=config.video_hidden
                ),
                "sound_mask": random_mask(
                    len(heard),
                    shape.sound_grid[0],
                    generator=generator,
                    hidden=config.sound_hidden,
                ),
            }
            losses = network.losses(seen, heard, **masks, targets=patches_of(seen, heard, shape))
            optimizer.zero_grad()
            cost = losses.video + losses.sound + config.contrast_weight * losses.contrast
            torch.autograd.backward(cost)
            optimizer.step()
            sums += [x.item() for x in (losses.video, losses.sound, losses.contrast)]
            step += 1
        if told is not None:
            video, sound, contrast = sums / (len(states) // config.batch_size)
            told(
                {"epoch": epoch, "video": video, "sound": sound, "contrast": contrast,
                 "cpu_s": time.process_time() - started}
            )  # fmt: skip
    return network


def begun(network: HicmaePretraining | None, shape: HicmaeConfig, *, seed: int) -> Hicmae:
    """The classifier with pre-trained encoders and fusion, or with random ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 + seed)
        classifier = Hicmae(shape, num_outputs=NUM_LABELS)
    if network is not None:
        kept = {
            name: value
            for name, value in network.state_dict().items()
            if not name.startswith(("video_decoder.", "sound_decoder."))
        }
        classifier.load_state_dict(kept, strict=False)
    return classifier


def fine_tuned(
    classifier: Hicmae,
    states: States,
    scale: StateScale,
    config: FineTuning,
    *,
    seed: int,
    rows: Rows | None = None,
    stills: "Stills | None" = None,
    told: Told | None = None,
) -> Hicmae:
    """Learn the labels of `rows` (all if not given); gives the average of the weights."""
    chosen = np.arange(len(states)) if rows is None else rows
    rng = np.random.default_rng([seed, 5])
    groups = rate_groups(classifier, config)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)
    average: Average[Hicmae] = Average(classifier, decay=config.average_decay)
    total = config.epochs * max(1, len(chosen) // config.batch_size)
    step = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(config.epochs):
            cost, started = 0.0, time.process_time()
            for faces, voices, labels in batches(
                states, config.batch_size, seed=seed, epoch=epoch, rows=chosen
            ):
                if stills is not None:
                    faces, voices, labels = stills.joined(states, faces, voices, labels, rng)
                share = schedule(step / total, config.warmup_share)
                for group in optimizer.param_groups:
                    group["lr"] = config.learning_rate * share * group["share"]
                there = present(len(labels), config, rng)
                order = crossing(len(labels), config.crossed, rng)
                classifier.train()
                logits = classifier(*scale(faces, voices[order]), there)
                loss = functional.cross_entropy(
                    logits,
                    meant(labels, labels[order], there),
                    label_smoothing=config.label_smoothing,
                )
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(classifier.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(classifier)
                cost += loss.item()
                step += 1
            if told is not None:
                told({"epoch": epoch, "loss": cost * config.epochs / total,
                      "cpu_s": time.process_time() - started})  # fmt: skip
    return average.module


def rate_groups(classifier: Hicmae, config: FineTuning) -> list[dict[str, object]]:
    """Parameters by depth: each block learns `layer_decay` times as fast as the next."""
    depth = classifier.config.depth
    groups: dict[int, list[Tensor]] = {}
    for name, value in classifier.named_parameters():
        part, _, rest = name.partition(".")
        place = depth + 1
        if part in ("video", "sound"):
            block = rest.split(".")
            place = int(block[1]) + 1 if block[0] == "blocks" else depth
            place = 0 if block[0] == "tokens" else place
        groups.setdefault(place, []).append(value)
    return [
        {"params": values, "share": config.layer_decay ** (depth + 1 - place)}
        for place, values in sorted(groups.items())
    ]


def present(count: int, config: FineTuning, rng: np.random.Generator) -> Tensor:
    """(B, 2) bool: the face is missing at times, the voice at others, never both."""
    draw = rng.random(count)
    face = draw >= config.without_face
    voice = draw < 1 - config.without_voice
    return torch.from_numpy(np.stack([face, voice], axis=1))


def crossing(count: int, share: float, rng: np.random.Generator) -> Tensor:
    """(B,) whose voice each clip gets: its own, or in a share of clips that of the next such."""
    order = np.arange(count)
    chosen = np.flatnonzero(rng.random(count) < share)
    order[chosen] = np.roll(chosen, 1)
    return torch.from_numpy(order)


def meant(faces: Tensor, voices: Tensor, there: Tensor) -> Tensor:
    """(B, 8) what people would say of a face's label (B,) and a voice's (B,).

    Of a face and a voice that disagree, CREMA-D's raters take `FACE_LEAN` of the face's word; of
    one alone its own.
    """
    lean = torch.where(there.all(dim=1), FACE_LEAN, there[:, 0].float())[:, None]
    face, voice = (functional.one_hot(part, NUM_LABELS).float() for part in (faces, voices))
    return lean * face + (1.0 - lean) * voice


def batches(
    states: States, size: int, *, seed: int, epoch: int, rows: Rows | None = None
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """All clips once in a new order, each in variants drawn anew; the rest of a batch is left."""
    rng = np.random.default_rng([seed, epoch])
    chosen = np.arange(len(states)) if rows is None else rows
    order = rng.permutation(chosen)
    for start in range(0, max(1, len(order) - size + 1), size):
        part = order[start : start + size]
        face = rng.integers(states.faces.shape[1], size=len(part))
        voice = rng.integers(states.voices.shape[1], size=len(part))
        yield states.batch(part, face, voice)


@dataclass(frozen=True)
class Stills:
    """Real faces that do not move, for a share of each batch.

    Attributes:
        faces: (M, 132, 6, 6) float16.
        label: (M,) place in `RAVDESS_LABELS`.
        count: how many join a batch.
    """

    faces: NDArray[np.float16]
    label: NDArray[np.int64]
    count: int

    def joined(
        self,
        states: States,
        faces: Tensor,
        voices: Tensor,
        labels: Tensor,
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The batch with stills behind it, each with a voice of its label."""
        rows = rng.integers(len(self.label), size=self.count)
        still = torch.from_numpy(self.faces[rows].astype(np.float32))[:, :, None]
        places = [int(rng.choice(np.flatnonzero(states.label == self.label[row]))) for row in rows]
        turn = rng.integers(states.voices.shape[1], size=self.count)
        said = states.voices[states.spoken[places], turn].astype(np.float32)
        return (
            torch.cat([faces, still.expand(-1, -1, faces.shape[2], -1, -1)]),
            torch.cat([voices, torch.from_numpy(said)[..., None]]),
            torch.cat([labels, torch.from_numpy(self.label[rows])]),
        )


@torch.inference_mode()
def features_of(
    classifier: Hicmae,
    states: States,
    scale: StateScale,
    *,
    face: int = 0,
    voice: int = 0,
    there: tuple[bool, bool] = (True, True),
    batch_size: int = 64,
) -> Tensor:
    """(N, 4C) features of all clips in one variant."""
    found = []
    for start in range(0, len(states), batch_size):
        rows = np.arange(start, min(start + batch_size, len(states)))
        seen, heard, _ = states.batch(rows, np.full_like(rows, face), np.full_like(rows, voice))
        mask = torch.tensor([there]).expand(len(rows), 2)
        faces, voices = scale(seen, heard)
        found.append(classifier.features(faces, voices, mask))
    return torch.cat(found)


@torch.inference_mode()
def logits_of(classifier: Hicmae, features: Tensor) -> Tensor:
    """(N, 8) of features (N, 4C)."""
    out: Tensor = classifier.head(classifier.norm(features))
    return out
