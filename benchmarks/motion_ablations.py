"""The motion denoiser against the rule teacher alone, and without bank, critic or consistency loss.

Run: python benchmarks/motion_ablations.py --data ../shared/data --heard runs/motion/heard

On reserved voices only. The variants share the shipped base and train a short emotion branch each,
equally long. Emotion is judged by a probe that no loss knows: a logistic regression on the rule
teacher's motion of other speech and other seeds.
"""

import argparse
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from motion_measures import (
    SEVEN,
    closed_rate,
    course_match,
    features,
    head_jerk_ratios,
    jerk_ratios,
    lips_r2,
    monotone,
    shown_strength,
)
from result_file import write_result
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from affetto.condition import ConditionTrack
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.codes import EmotionBank, load_bank
from affetto.gen.portrait.motion.finish import finish
from affetto.gen.portrait.motion.guidance import Guidance
from affetto.gen.portrait.motion.hearing import STEP_HZ, viseme_track
from affetto.gen.portrait.motion.network import MotionDenoiser, load_denoiser
from affetto.gen.portrait.motion.rules import speak
from affetto.gen.portrait.motion.sampling import generate
from affetto.motion import FPS, PLACE, Motion
from affetto.request import parse_request
from affetto.train.data.heard_speeches import Speech, read_speeches
from affetto.train.data.motion_lessons import (
    RESERVED,
    MotionData,
    prosody_of,
    read_lessons,
    without_blinks,
)
from affetto.train.motion import MotionRecipe, fit
from affetto.train.motion_losses import LossShares

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
COURSE = "0=neutral; 2=neutral; 4={0}; 6={0}; 8=neutral"
PROBE_SEEDS, TEST_SEED = range(100, 103), 7
PER_VOICE = 2


@dataclass(frozen=True)
class Maker:
    """What makes motion: a denoiser with its guidance, or (None) the rule teacher."""

    net: MotionDenoiser | None
    guidance: Guidance = field(default_factory=Guidance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="../shared/data")
    parser.add_argument("--heard", default="runs/motion/heard")
    parser.add_argument("--out", default="runs/motion/ablations")
    parser.add_argument("--weights", default="motion")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--speeches", type=int, default=3)
    words = parser.parse_args()
    torch.set_num_threads(1)
    bank = load_bank()
    data = MotionData(root=words.data, heard=words.heard)
    test, other = speeches(data, words.speeches)
    probe = fit_probe(other)
    shipped = load_denoiser(words.weights)
    makers = {
        "rule teacher alone": Maker(None),
        "**shipped, knobs at 1**": Maker(shipped),
        "shipped, speech 2, emotion 1.5": Maker(shipped, Guidance(2.0, 1.5)),
        "shipped, emotion 0 (base alone)": Maker(shipped, Guidance(1.0, 0.0)),
    }
    for name, folder in short_branches(data, words.weights, words.steps, Path(words.out)).items():
        makers[f"short branch: {name}"] = Maker(load_denoiser(folder))
    rows = {name: measure(maker, test, bank, probe) for name, maker in makers.items()}
    write_result(
        "motion_ablations",
        report(rows, test, words.steps),
        command="python benchmarks/motion_ablations.py --data ../shared/data",
        packages=("torch", "numpy", "scikit-learn", "diffusers"),
    )


def short_branches(data: MotionData, base: str, steps: int, out: Path) -> dict[str, Path]:
    """Train the variants that are not there yet; where their weights are."""
    found = {}
    for name, recipe in variants(data, base, steps).items():
        folder = out / name.replace(" ", "_")
        if not (folder / "weights").is_dir():
            fit(replace(recipe, out=str(folder)), read_lessons(data))
        found[name] = folder / "weights"
    return found


def speeches(data: MotionData, count: int) -> tuple[list[Speech], list[Speech]]:
    """Reserved voices' speeches to report on, and training voices' for the probe."""
    found = read_speeches(
        Path(data.root),
        Path(data.heard),
        ["ravdess", "synthesized", "emodb"],
        per_speaker=1,
        per_voice=PER_VOICE,
    )
    every = list(found)
    test = [one for one in every if one.speaker.startswith(RESERVED)]
    order = np.random.default_rng(0).permutation(len(test))
    other = [one for one in every if not one.speaker.startswith(RESERVED)]
    return [test[at] for at in order[:count]], other


def variants(data: MotionData, base: str, steps: int) -> dict[str, MotionRecipe]:
    """Recipes of the ablations, all on the same base."""
    full = MotionRecipe(
        data=data,
        model=load_denoiser(base).config,
        start=base,
        fresh_branch=True,
        base_epochs=0,
        branch_epochs=max(1, steps // 100),
        steps_per_epoch=100,
        batch_size=8,
    )
    shares = full.shares
    return {
        "all of it": full,
        "no bank (label embedding)": replace(full, model=replace(full.model, emotion="labels")),
        "no critic": replace(full, shares=replace(shares, critic=0.0)),
        "no consistency loss": replace(full, shares=replace(shares, consistency=0.0)),
        "neither critic nor consistency": replace(full, shares=LossShares(0.0, 0.0, 0.0)),
    }


def asked(text: str, speech: Speech) -> EmotionTrack:
    duration_s = len(speech.prosody) / STEP_HZ
    return request_to_track(parse_request(text), duration_s=duration_s, rate_hz=FPS)


def made(
    maker: Maker, speech: Speech, text: str, bank: EmotionBank, *, seed: int = TEST_SEED
) -> Motion:
    """A speech's motion with an emotion, before `finish`."""
    track = asked(text, speech)
    if maker.net is None:
        return without_blinks(speak(speech.phones, prosody_of(speech), track, seed=seed))
    states = torch.from_numpy(speech.states).float()[None]
    heard = torch.ones(states.shape[:2], dtype=torch.bool)
    conditions = {
        "speech": ConditionTrack(states, heard, STEP_HZ),
        "visemes": viseme_track(speech.phones, states.shape[1]),
        "prosody": prosody_of(speech),
    }
    windows = generate(
        conditions,
        track,
        net=maker.net,
        bank=bank,
        num_frames=max(1, round(len(speech.prosody) / STEP_HZ * FPS)),
        seed=seed,
        guidance=maker.guidance,
    )
    return Motion(np.concatenate([one.values for one in windows]), FPS)


def fit_probe(others: list[Speech]) -> Pipeline:
    """A logistic regression from teacher motion of other speech to the seven emotions."""
    rows, labels = [], []
    for seed in PROBE_SEEDS:
        for number, speech in enumerate(others):
            label = SEVEN[(number + seed) % len(SEVEN)]
            for strength in (0.5, 1.0):
                text = f"{label}:{strength}"
                motion = speak(
                    speech.phones, prosody_of(speech), asked(text, speech), seed=seed + number
                )
                rows.append(features(without_blinks(motion)))
                labels.append(label)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return probe.fit(np.stack(rows), labels)


def measure(
    maker: Maker, test: list[Speech], bank: EmotionBank, probe: Pipeline
) -> dict[str, float]:
    """One row of the table."""
    started = time.process_time()
    plain = [made(maker, speech, "neutral", bank) for speech in test]
    seconds = sum(motion.duration_s for motion in plain)
    cost = (time.process_time() - started) / seconds
    teacher = Maker(None)
    taught = [made(teacher, speech, "neutral", bank, seed=TEST_SEED + 1) for speech in test]
    full = {label: [made(maker, speech, label, bank) for speech in test] for label in SEVEN[1:]}
    full_taught = {
        label: [made(teacher, speech, label, bank, seed=TEST_SEED + 1) for speech in test]
        for label in SEVEN[1:]
    }
    flat = [one for motions in full.values() for one in motions]
    flat_taught = [one for motions in full_taught.values() for one in motions]
    hits = [
        probe.predict(features(one)[None])[0] == label
        for label, motions in (("neutral", plain), *full.items())
        for one in motions
    ]
    mixed = [*plain, *(motions[at % len(test)] for at, motions in enumerate(full.values()))]
    spoken = [*test, *(test[at % len(test)] for at in range(len(full)))]
    raw = [closed_rate(one, speech.phones) for one, speech in zip(mixed, spoken, strict=True)]
    done = [
        closed_rate(finish(one, speech.phones), speech.phones)
        for one, speech in zip(mixed, spoken, strict=True)
    ]
    jerks = np.array([jerk_ratios(one) for one in mixed])
    heads = np.array([head_jerk_ratios(one) for one in mixed])
    spread = np.mean([one.values[:, PLACE["headYaw"]].std() for one in mixed])
    return {
        "lips R2, neutral": lips_r2(plain, taught),
        "lips R2, emotional": lips_r2(flat, flat_taught),
        "p b m closed %": 100 * _mean_rate(raw),
        "after finish %": 100 * _mean_rate(done),
        "emotion %": 100 * float(np.mean(hits)),
        "monotone %": 100 * strengths_rise(maker, test, bank),
        **courses(maker, test, bank),
        "jerk start": float(np.median(jerks[:, 0])),
        "jerk seams": float(np.nanmedian(jerks[:, 1])),
        "head jerk start": float(np.median(heads[:, 0])),
        "head jerk seams": float(np.nanmedian(heads[:, 1])),
        "head yaw spread deg": float(spread),
        "CPU s / s": cost,
    }


def strengths_rise(maker: Maker, test: list[Speech], bank: EmotionBank) -> float:
    """Share of speech x emotion pairs in which what shows rises with the strength asked."""
    rises = []
    for number, label in enumerate(SEVEN[1:]):
        speech = test[number % len(test)]
        shown = [
            shown_strength(made(maker, speech, f"{label}:{strength}", bank), label).mean()
            for strength in STRENGTHS
        ]
        rises.append(monotone(shown))
    return float(np.mean(rises))


def courses(maker: Maker, test: list[Speech], bank: EmotionBank) -> dict[str, float]:
    """Correlation and lag of what shows behind what a timeline asks."""
    found = []
    for number, label in enumerate(SEVEN[1:]):
        speech = test[number % len(test)]
        text = COURSE.format(label)
        motion = made(maker, speech, text, bank)
        times = np.arange(len(motion.values)) / FPS
        share = 1.0 - asked(text, speech).at(times).probs[:, 0].astype(np.float64)
        found.append(course_match(share, shown_strength(motion, label)))
    return {
        "course r": float(np.mean([r for r, _ in found])),
        "course lag s": float(np.mean([lag for _, lag in found])),
    }


def _mean_rate(rates: list[tuple[float, int]]) -> float:
    """Over all sounds of all clips."""
    return sum(rate * count for rate, count in rates if count) / sum(count for _, count in rates)


def report(rows: dict[str, dict[str, float]], test: list[Speech], steps: int) -> str:
    names = list(next(iter(rows.values())))
    voices = ", ".join(sorted({speech.speaker for speech in test}))
    lines = [
        "# Motion: the denoiser, its ablations, the rule teacher alone",
        "",
        f"{len(test)} speeches of about 9 s by voices that nothing was trained on ({voices}); all motion-space, no",
        "rendering. Lips R2: share of the rule teacher's lip and jaw variance (another seed of chance) that is met. Closures are",
        "read off the jaw, the mouth's closing and the raised lips, before and after `finish`, all emotions. Emotion: seven labels at strength 1 by a logistic",
        "probe on teacher motion of other voices and seeds, which is in no loss and reads neither lips nor jaw; the teacher's own row is its",
        "ceiling, and says how well the probe knows the teacher, not how people would judge. Monotone: mean projection on the",
        "label's recipe over five strengths, rank correlation of at least .9. Course: neutral, then the label for 2 s, then neutral. Jerk over the clip's",
        f"median. Short branches: {steps} steps of 8 windows on the shipped base, equal for all.",
        "",
        "| | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
    ]
    for name, row in rows.items():
        cells = [f"{row[key]:.0f}" if "%" in key else f"{row[key]:.2f}" for key in names]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
