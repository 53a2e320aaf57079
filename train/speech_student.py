"""Train the tiny speech student on what Whisper's states and a head on them say of each clip.

    affetto train speech_student data.root=... out=runs/speech_student/all

Loss: cross-entropy against a mixture of the label and the teacher's probabilities, both for clips
of strangers (`affetto.train.student_lessons`), and the squared error of the teacher's frame states
predicted from the student's frames. Clips are varied, mixed in pairs (mixup, Zhang et al. 2018);
the moving average of the parameters is kept. Wav2Small learns its teacher's arousal, valence and
dominance alone; ours learns label probabilities, from which these derive, and the inner states.
"""

import dataclasses
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from affetto.recognizers.metrics import uar
from affetto.recognizers.speech.onnx_export import ONNX_FILE, export_onnx
from affetto.recognizers.speech.student import SpeechStudent, StudentConfig, load_student
from affetto.train.augment_log_mel import LogMelVariation, vary_log_mel
from affetto.train.checkpoint import Average, load_state, save_state
from affetto.train.data.speech_corpora import (
    Sound,
    Utterance,
    check_speakers,
    load_wav,
    read_emodb,
    read_ravdess,
)
from affetto.train.data.speech_folds import ravdess_folds
from affetto.train.metrics_log import log_epoch
from affetto.train.schedule import schedule, set_rate
from affetto.train.student_lessons import (
    NUM_LABELS,
    Lessons,
    frame_axes,
    prepare_lessons,
    teacher_probabilities,
)
from affetto.train.student_presence import fit_presence
from affetto.weights import file_sha256, save_weights

LICENCE = (
    "CC BY-NC-SA 4.0, as RAVDESS, which it is trained on; EMO-DB is free for research: "
    "non-commercial."
)


NUM_ONNX_SOUNDS = 100  # that the 8-bit file takes its ranges from


@dataclass
class StudentData:
    """Where the corpora are."""

    root: str = "../shared/data"


@dataclass
class StudentRecipe:
    """The whole run.

    Attributes:
        student: sizes of the network.
        variation: of log-mel pictures.
        data: its `root` holds `ravdess` and `emodb`.
        cache: where what the teacher says of the clips is kept between runs.
        out: the run's folder.
        fold: RAVDESS fold (1 to 6) whose actors are left out; 0 to train on all.
        num_clips: take so many of each corpus, spread evenly; 0 for all.
        epochs: passes over all clips.
        teacher_share: of the teacher's probabilities in the target.
        state_weight: of the frame states' error in the loss.
        num_axes: of the frame states that are predicted.
        disturbed_share: of clips shown as a disturbed copy.
        temperature: what the final logits are divided by, so that their softmax is calibrated.
        num_sounds: of each kind that is no single voice, made to fit the presence output.
        save_every: epochs between states to go on from.
    """

    student: StudentConfig = field(default_factory=StudentConfig)
    variation: LogMelVariation = field(default_factory=LogMelVariation)
    data: StudentData = field(default_factory=StudentData)
    cache: str = "runs/speech_student/cache"
    out: str = "runs/speech_student/all"
    fold: int = 0
    num_clips: int = 0
    num_copies: int = 2
    epochs: int = 60
    batch_size: int = 32
    num_frames: int = 200
    learning_rate: float = 4e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.02
    gradient_norm: float = 2.0
    average_decay: float = 0.99
    teacher_share: float = 0.7
    label_smoothing: float = 0.1
    mixup: float = 0.3
    state_weight: float = 1.0
    num_axes: int = 64
    disturbed_share: float = 0.1
    temperature: float = 0.8
    num_sounds: int = 200
    save_every: int = 5
    seed: int = 0
    num_threads: int = 1


class Pupil(nn.Module):
    """The student and the linear map by which it predicts the teacher's states while training."""

    def __init__(self, student: SpeechStudent, *, num_axes: int) -> None:
        super().__init__()
        self.student = student
        self.states = nn.Conv1d(student.config.width, num_axes, 1)

    def forward(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel (B, M, T), mask (B, T) -> logits (B, 8), states (B, T / 4, A)."""
        frames, short = self.student.framed(mel, mask)
        pooled = self.student.statistics(frames, short)
        logits = self.student.emotion(self.student.dropout(pooled))
        return logits, self.states(frames).transpose(1, 2)


def run(config: StudentRecipe) -> dict[str, float]:
    """Read the corpora, train, give the last epoch's figures (UAR on the fold left out, if any)."""
    torch.set_num_threads(config.num_threads)
    clips = read_clips(config)
    lessons = prepare_lessons(
        clips, config.student.front_end, num_copies=config.num_copies, cache=Path(config.cache)
    )
    held = ravdess_folds()[config.fold - 1] if config.fold else ()
    rows = [row for row, clip in enumerate(clips) if clip.speaker not in held]
    others = [row for row, clip in enumerate(clips) if clip.speaker in held]
    if held:
        check_speakers([clips[row] for row in rows], [clips[row] for row in others])
    figures = fit(config, lessons.of(rows), lessons.of(others))
    if not config.fold:
        weights = Path(config.out) / "weights"
        some = clips[:: max(1, len(clips) // NUM_ONNX_SOUNDS)]
        save_with_onnx(weights, load_student(weights), sounds=[load_wav(clip) for clip in some])
    return figures


def read_clips(config: StudentRecipe) -> list[Utterance]:
    """The utterances of both corpora, or an even choice of them."""
    root = Path(config.data.root)
    corpora = (read_ravdess(root / "ravdess"), read_emodb(root / "emodb"))
    return [
        clip
        for corpus in corpora
        for clip in corpus[:: max(1, len(corpus) // config.num_clips) if config.num_clips else 1]
    ]


def fit(config: StudentRecipe, lessons: Lessons, test: Lessons) -> dict[str, float]:
    """Train on lessons, write out/weights, give the last figures; `test` is watched only."""
    out = Path(config.out)
    pupil = build(config, lessons)
    average = Average(pupil, decay=config.average_decay)
    optimizer = torch.optim.AdamW(
        pupil.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    progress = load_state(out / "state", module=pupil, average=average, optimizer=optimizer)
    targets = teacher_probabilities(lessons), *frame_axes(lessons, num_axes=config.num_axes)
    num_batches = max(1, len(lessons.labels) // config.batch_size)
    figures: dict[str, float] = progress["best"]
    for epoch in range(progress["epoch"] + 1, config.epochs):
        started = time.process_time()
        rng = np.random.default_rng([config.seed, epoch])
        order = rng.permutation(len(lessons.labels))
        losses = []
        with torch.random.fork_rng(devices=[]):  # dropout draws from torch's global generator
            torch.manual_seed(config.seed * 100_003 + epoch)
            for number in range(num_batches):
                share = (epoch * num_batches + number) / (num_batches * config.epochs)
                set_rate(optimizer, config.learning_rate * schedule(share, config.warmup_share))
                rows = order[number * config.batch_size : (number + 1) * config.batch_size]
                loss = batch_loss(pupil.train(), lessons, targets, rows, config, rng=rng)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                nn.utils.clip_grad_norm_(pupil.parameters(), config.gradient_norm)
                optimizer.step()
                average.update(pupil)
                losses.append(loss.item())
        last = epoch == config.epochs - 1
        figures = {"epoch": epoch, "loss": float(np.mean(losses))}
        if last or epoch % config.save_every == config.save_every - 1:
            if len(test.labels):
                logits = predict(average.module.student, test)
                figures["test_uar"] = uar(test.labels, logits.argmax(dim=1))
            save_state(
                out / "state",
                module=pupil,
                average=average,
                optimizer=optimizer,
                progress={"best": figures, "epoch": epoch},
            )
        out.mkdir(parents=True, exist_ok=True)
        log_epoch(out, figures, cpu_s=time.process_time() - started)
    student = average.module.student
    with torch.no_grad():
        for part in (student.emotion.weight, student.emotion.bias):
            part.div_(config.temperature)
    fit_presence(student, lessons, num_each=config.num_sounds, seed=config.seed)
    save_student(out / "weights", student)
    return figures


def build(config: StudentRecipe, lessons: Lessons) -> Pupil:
    """The networks at their start, with the training clips' statistics of each band."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        pupil = Pupil(SpeechStudent(config.student), num_axes=config.num_axes)
    clean = lessons.mel[:, 0].float()
    sounding = (torch.arange(clean.shape[2]) < lessons.lengths[:, None]).float()[:, None]
    mean = (clean * sounding).sum(dim=(0, 2)) / sounding.sum()
    square = ((clean - mean[:, None]) ** 2 * sounding).sum(dim=(0, 2)) / sounding.sum()
    pupil.student.get_buffer("mel_mean").copy_(mean[:, None])
    pupil.student.get_buffer("mel_std").copy_(square.sqrt()[:, None] + 1e-3)
    return pupil


def batch_loss(
    pupil: Pupil,
    lessons: Lessons,
    targets: tuple[Tensor, Tensor, Tensor],
    rows: np.ndarray,
    config: StudentRecipe,
    *,
    rng: np.random.Generator,
) -> Tensor:
    """Loss of the clips `rows` in a variation of their own, mixed with one another."""
    probs, states, sounding = (part[rows] for part in targets)
    labels = lessons.labels[rows]
    hard = functional.one_hot(labels.clamp(min=0), NUM_LABELS) * (1 - config.label_smoothing)
    hard = hard + config.label_smoothing / NUM_LABELS
    trust = torch.where(labels < 0, 1.0, config.teacher_share)[:, None]
    wanted = trust * probs + (1 - trust) * hard  # (B, 8)
    num_copies = lessons.mel.shape[1] - 1
    copies = (rng.random(len(rows)) < config.disturbed_share) * rng.integers(
        1, num_copies + 1, len(rows)
    )
    mel, mask, source = vary_log_mel(
        lessons.mel[rows, copies].float(),
        lessons.lengths[rows],
        config.variation,
        num_frames=config.num_frames,
        fill=pupil.student.get_buffer("mel_mean")[:, 0],
        rng=rng,
    )
    places = (source[:, ::4] / 4).round().long().clamp(0, states.shape[1] - 1)  # (B, T / 4)
    item = torch.arange(len(rows))[:, None]
    seen = states[item, places].float()
    sure = sounding[item, places] & mask[:, ::4]
    share = rng.beta(config.mixup, config.mixup, len(rows)).astype(np.float32)
    most = torch.from_numpy(np.maximum(share, 1 - share))[:, None]
    partner = torch.from_numpy(rng.permutation(len(rows)))
    wanted = most * wanted + (1 - most) * wanted[partner]
    most = most[:, :, None]
    mel, seen = (most * part + (1 - most) * part[partner] for part in (mel, seen))
    with torch.autocast("cpu", torch.bfloat16):
        logits, said = pupil(mel, mask | mask[partner])
    errors = (said.float() - seen).square().mean(dim=2)[sure & sure[partner]]
    answers = -(wanted * logits.float().log_softmax(dim=1)).sum(dim=1).mean()
    total: Tensor = answers + config.state_weight * errors.mean()
    return total


@torch.no_grad()
def predict(student: SpeechStudent, lessons: Lessons, *, copy: int = 0) -> Tensor:
    """(N, 8) logits of whole clips."""
    found = []
    for start in range(0, len(lessons.labels), 32):
        lengths = lessons.lengths[start : start + 32]
        mel = lessons.mel[start : start + 32, copy, :, : int(lengths.max())].float()
        mask = torch.arange(mel.shape[2]) < lengths[:, None]
        found.append(student.emotion(student.eval().pool(mel, mask)))
    return torch.cat(found)


def save_with_onnx(folder: Path, student: SpeechStudent, *, sounds: Sequence[Sound]) -> str:
    """The weights and, beside them, the 8-bit ONNX file, whose sha256 stands in config.json.

    Args:
        folder: to write.
        student: with weights, in eval mode.
        sounds: speech (S,) at 16 kHz that activations' ranges are taken from.
    """
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / ONNX_FILE
        export_onnx(student, made, sounds=sounds)
        digest = save_student(folder, student, onnx_sha256=file_sha256(made))
        shutil.copyfile(made, folder / ONNX_FILE)
    return digest


def save_student(folder: Path, student: SpeechStudent, *, onnx_sha256: str = "") -> str:
    """The weights with the facts of their card, as float16; gives their sha256."""
    return save_weights(
        folder,
        config={"student": dataclasses.asdict(student.config), "onnx_sha256": onnx_sha256},
        tensors={
            name: value.half() if value.is_floating_point() else value
            for name, value in student.state_dict().items()
        },
        licence=LICENCE,
        commercial=False,
        trained_on=("RAVDESS", "EMO-DB"),
    )
