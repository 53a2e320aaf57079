"""Whether there is one voice to judge: the student's second output, fitted on its frozen body.

Voices are the training clips, clean and disturbed; the other side is made here: noise, hum and
clicks, played chords and melodies, crowds. Letters: N sounds, M mel bands, T frames, S samples.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from affetto.recognizers.speech.student import SpeechStudent
from affetto.train.augment_sound import RATE_HZ, Sound, noise
from affetto.train.student_lessons import Lessons

SECONDS = 2.0
CROWDS = (3, 8)  # voices at once, from and to
PENALTY = 1e-3


def fit_presence(student: SpeechStudent, lessons: Lessons, *, num_each: int, seed: int) -> None:
    """Set `student.presence` so that its sigmoid is the probability of one voice.

    Args:
        student: changed in place, presence alone.
        lessons: its training clips.
        num_each: noises, hums, pieces of music and crowds to make of each.
        seed: of what is made.
    """
    rng = np.random.default_rng([seed, 1])
    student.eval()
    with torch.no_grad():
        voices = torch.cat(
            [_pooled(student, lessons, copy) for copy in range(lessons.mel.shape[1])]
        )
        others = [
            student.pool(student.front_end(torch.from_numpy(sound)[None]), None)
            for sound in made_sounds(num_each, rng)
        ]
        others += [student.pool(crowd(lessons, rng)[None], None) for _ in range(num_each)]
    inputs = torch.cat([voices, *others])
    wanted = torch.cat([torch.ones(len(voices)), torch.zeros(len(others))])
    weights = torch.where(wanted > 0, 0.5 / len(voices), 0.5 / len(others))
    middle, spread = inputs.mean(dim=0), inputs.std(dim=0) + 1e-6
    scaled = (inputs - middle) / spread
    weight = torch.zeros(scaled.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        solver.zero_grad()
        costs = functional.binary_cross_entropy_with_logits(
            scaled @ weight + bias, wanted, reduction="none"
        )
        total: Tensor = (costs * weights).sum() + PENALTY * weight.square().sum()
        torch.autograd.backward(total)
        return total

    solver.step(cost)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        slope = weight / spread
        student.presence.weight.copy_(slope[None])
        student.presence.bias.copy_(bias - slope @ middle)


def made_sounds(num_each: int, rng: np.random.Generator) -> list[Sound]:
    """So many noises, hums with clicks, and pieces of music."""
    return [make(rng) for make in (_hiss, _hum, _music) for _ in range(num_each)]


def crowd(lessons: Lessons, rng: np.random.Generator) -> Tensor:
    """(M, T) log-mel of several voices at once, at equal level; powers add."""
    rows = torch.from_numpy(rng.integers(len(lessons.labels), size=rng.integers(*CROWDS)))
    frames = int(lessons.lengths[rows].min())
    power = lessons.mel[rows, 0, :, :frames].float().exp()
    return power.mean(dim=0).log()


def _pooled(student: SpeechStudent, lessons: Lessons, copy: int) -> Tensor:
    found = []
    for start in range(0, len(lessons.labels), 32):
        lengths = lessons.lengths[start : start + 32]
        mel = lessons.mel[start : start + 32, copy, :, : int(lengths.max())].float()
        found.append(student.pool(mel, torch.arange(mel.shape[2]) < lengths[:, None]))
    return torch.cat(found)


def _hiss(rng: np.random.Generator) -> Sound:
    """Noise of any colour whose level wanders."""
    num = int(SECONDS * RATE_HZ)
    hiss = noise(np.full(num, 1e-6, np.float32), -120.0, rng, color=rng.uniform(0.0, 2.0))
    steps = np.cumsum(rng.normal(0.0, rng.uniform(0.0, 2.0), 20))
    level_db = np.interp(np.arange(num), np.linspace(0, num, 20), steps)
    return (hiss * 10 ** (level_db / 20)).astype(np.float32)


def _hum(rng: np.random.Generator) -> Sound:
    """Mains or a motor, with a little noise and, sometimes, clicks."""
    time_s = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    pitch_hz = rng.uniform(40.0, 400.0)
    parts = range(1, int(rng.integers(2, 12)))
    hum = sum(np.sin(2 * np.pi * pitch_hz * k * time_s + k) / k ** rng.uniform(0, 2) for k in parts)
    clicks = (rng.random(len(time_s)) < rng.uniform(0, 20) / RATE_HZ) * rng.uniform(0, 20)
    return noise((hum + clicks).astype(np.float32), rng.uniform(5.0, 40.0), rng)


def _music(rng: np.random.Generator) -> Sound:
    """Notes with harmonics that decay or swell, one to four at once, over a beat or none."""
    num = int(SECONDS * RATE_HZ)
    sound = np.zeros(num)
    step_s = rng.uniform(0.12, 0.7)
    falls = rng.uniform(0.5, 8.0)
    tone = rng.uniform(0.7, 2.0)
    for start_s in np.arange(0.0, SECONDS, step_s):
        start = int(start_s * RATE_HZ)
        time_s = np.arange(num - start) / RATE_HZ
        envelope = np.exp(-falls * time_s) * np.minimum(time_s / rng.uniform(0.002, 0.1), 1.0)
        for note in rng.integers(40, 84, size=int(rng.integers(1, 5))):
            pitch_hz = 440.0 * 2 ** ((int(note) - 69) / 12)
            for k in range(1, min(10, int(7000 / pitch_hz)) + 1):
                sound[start:] += envelope * np.sin(2 * np.pi * pitch_hz * k * time_s) / k**tone
        if rng.random() < 0.3:
            sound[start:] += rng.normal(0, 1, len(time_s)) * np.exp(-30 * time_s) * 2
    return noise(sound.astype(np.float32), rng.uniform(15.0, 50.0), rng)
