"""Does each score of a talking portrait order its controls? Real clips, frozen photo, wrong sound, random jaw.

Run: python benchmarks/portrait_controls.py [--data ../shared/data] [--face-api package]
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from portrait_meshes import RealClip, real_clips
from result_file import write_result

from affetto.recognizers.metrics import bootstrap
from affetto.recognizers.score_portrait.articulation import (
    Spoken,
    closure,
    lag_s,
    lip_tooth,
    rounding,
)
from affetto.recognizers.score_portrait.lip_shape import (
    HOP,
    RATE_HZ,
    Talk,
    fit_reader,
    fit_regression,
)
from affetto.recognizers.score_portrait.lips import Lips
from affetto.recognizers.score_portrait.liveliness import measure_liveliness
from affetto.recognizers.score_portrait.smoothness import measure_jerk
from affetto.recognizers.score_portrait.sync_expert import judge_sync, train_expert

Double = NDArray[np.float64]
CONTROLS = ("real", "frozen photo", "shuffled audio", "random jaw")
SHIFTS_S = (-0.16, -0.08, -0.04, 0.04, 0.08, 0.16)
JAW_HZ = (0.5, 6.0)
FEWEST_SOUNDS = 3


@dataclass(frozen=True)
class Judges:
    """What was learned from other people than the one judged."""

    agreement: Callable[[Talk], float]
    r2: Callable[[Talk], float]
    sync: Callable[[Talk], float]
    sync_lag: Callable[[Talk], float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("runs/portrait_score/meshes"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips = real_clips(given.data, given.cache)
    measured: dict[str, dict[str, list[float]]] = {}
    lags: list[tuple[float, float]] = []
    shifted: dict[float, list[float]] = {shift: [] for shift in SHIFTS_S}
    for number, clip in enumerate(clips):
        judges = judges_for(clip, clips)
        for control, talk in controls(clip, clips, seed=number).items():
            for name, value in measures(talk, judges).items():
                measured.setdefault(name, {}).setdefault(control, []).append(value)
        own, _ = lag_s(clip.talk.lips, clip.talk.sounds)
        lags.append((own, judges.sync_lag(clip.talk)))
        for shift in SHIFTS_S:
            moved = [Spoken(s, a + shift, b + shift) for s, a, b in clip.talk.sounds]
            shifted[shift].append(lag_s(clip.talk.lips, moved)[0] - own + shift)
        print(clip.name, flush=True)
    persons = np.asarray([clip.talk.person for clip in clips])
    lines = [*intro(clips), *ordering(measured, persons), *lag_table(clips, lags, shifted)]
    lines += [*clip_table(clips, measured), *motion_table(clips)]
    write_result(
        "portrait_controls",
        "\n".join(lines),
        command="python benchmarks/portrait_controls.py --data ../shared/data",
        packages=("torch", "numpy", "ai-edge-litert", "hama"),
    )


def judges_for(clip: RealClip, clips: list[RealClip]) -> Judges:
    others = [one.talk for one in clips if one.talk.person != clip.talk.person]
    reader, regression = fit_reader(others), fit_regression(others)
    expert = train_expert(others, seed=0)
    return Judges(
        agreement=reader.agreement,
        r2=regression.r2,
        sync=lambda talk: judge_sync(expert, talk).at_zero,
        sync_lag=lambda talk: judge_sync(expert, talk).lag_s,
    )


def measures(talk: Talk, judges: Judges) -> dict[str, float]:
    """Name -> value; NaN where a clip has too few sounds of the kind."""
    rates = {
        "p b m closed, above chance": closure(talk.lips, talk.sounds),
        "f v lip-tooth, above chance": lip_tooth(talk.lips, talk.sounds),
        "o u w sh rounded, above chance": rounding(talk.lips, talk.sounds),
    }
    found = {
        name: rate.above_chance if rate.count >= FEWEST_SOUNDS else float("nan")
        for name, rate in rates.items()
    }
    return found | {
        "course of lips against sounds, clarity of the peak": lag_s(talk.lips, talk.sounds)[1],
        "lip class read from shape, mean recall": judges.agreement(talk),
        "sound to lip shape, R2": judges.r2(talk),
        "sync expert, confidence at lag 0": judges.sync(talk),
    }


def controls(clip: RealClip, clips: list[RealClip], *, seed: int) -> dict[str, Talk]:
    talk = clip.talk
    return {
        "real": talk,
        "frozen photo": replace(talk, lips=frozen(talk.lips)),
        "shuffled audio": other_sound(talk, clips, seed=seed),
        "random jaw": replace(talk, lips=random_jaw(talk.lips, seed=seed)),
    }


def frozen(lips: Lips) -> Lips:
    """The clip's first frame, held."""
    names = ("gap", "width", "height", "lower", "upper", "forward", "rise", "outline")
    held = {name: np.repeat(getattr(lips, name)[:1], len(lips.gap), axis=0) for name in names}
    return replace(lips, **held)


def random_jaw(lips: Lips, *, seed: int) -> Lips:
    """The jaw opens at random (0.5 to 6 Hz, as far as in the clip); all else follows as it did."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.standard_normal(len(lips.gap)))
    hz = np.fft.rfftfreq(len(lips.gap), 1 / lips.fps)
    noise = np.fft.irfft(spectrum * ((hz >= JAW_HZ[0]) & (hz <= JAW_HZ[1])), len(lips.gap))
    order = np.argsort(np.argsort(noise))
    gap = np.sort(lips.gap)[order]  # the clip's own openings, at random times
    centred = lips.gap - lips.gap.mean()
    made = {"gap": gap}
    for name in ("width", "height", "lower", "upper", "forward", "rise", "outline"):
        values = getattr(lips, name)
        slope = np.tensordot(centred, values - values.mean(axis=0), 1) / (centred**2).sum()
        made[name] = values.mean(axis=0) + np.multiply.outer(gap - gap.mean(), slope)
    return replace(lips, **made)


def other_sound(talk: Talk, clips: list[RealClip], *, seed: int) -> Talk:
    """The sound of somebody else's clip, repeated to the same length."""
    others = [one.talk for one in clips if one.talk.person != talk.person]
    other = others[np.random.default_rng(seed).integers(len(others))]
    length_s = len(other.mels) * HOP / RATE_HZ
    rounds = 1 + int(len(talk.mels) // len(other.mels))
    sounds = [
        Spoken(s, a + turn * length_s, b + turn * length_s)
        for turn in range(rounds)
        for s, a, b in other.sounds
    ]
    end_s = len(talk.lips.gap) / talk.lips.fps
    mels = np.tile(other.mels, (rounds, 1))[: len(talk.mels)]
    return replace(talk, mels=mels, sounds=[sound for sound in sounds if sound.start_s < end_s])


def intro(clips: list[RealClip]) -> list[str]:
    persons = {clip.talk.person for clip in clips}
    return [
        "# Scores of talking portraits: do they order their controls?",
        "",
        f"{len(clips)} real clips of {len(persons)} people speaking (protocols/talking_clips_speech.json), lips re-detected in every frame by MediaPipe's",
        "landmarker, which the product does not use. Sounds and times are *heard* by a phone recognizer (hama), so they have errors of their own: the rates of",
        "real people below are what a perfect portrait can be expected to score on heard sounds. The four controls: the real clip; its first frame held; its lips",
        "with somebody else's sound; a jaw that opens at random times, as far as in the clip, the other lip measures following as they did. What is learned (lip",
        "classes, regression, sync expert) is learned from the other people's clips only. A score is used where real lies above all three controls in 97.5 % of",
        "bootstraps over people; where it does not it is dropped.",
        "",
    ]


def ordering(measured: dict[str, dict[str, list[float]]], persons: NDArray[np.str_]) -> list[str]:
    lines = [
        "| score | " + " | ".join(CONTROLS) + " | real above the best control [95 %] | used |",
        "| --- |" + " --- |" * (len(CONTROLS) + 2),
    ]
    for name, by_control in measured.items():
        table = np.asarray([by_control[control] for control in CONTROLS])  # (4, clips)
        known = np.isfinite(table).all(axis=0)
        table, people = table[:, known], persons[known]
        spans = [bootstrap(_lead, table[0], row, groups=people, rounds=2000) for row in table[1:]]
        rival = int(table[1:].mean(axis=1).argmax())
        used = all(low > 0 for low, _ in spans)
        lead = float((table[0] - table[1 + rival]).mean())
        means = " | ".join(f"{value:.2f}" for value in table.mean(axis=1))
        lines.append(
            f"| {name} ({known.sum()} clips) | {means} | {lead:.2f} [{spans[rival][0]:.2f}, {spans[rival][1]:.2f}] | "
            f"{'yes' if used else '**dropped**'} |"
        )
    return lines


def _lead(one: Double, other: Double) -> float:
    return float((one - other).mean())


def lag_table(
    clips: list[RealClip], lags: list[tuple[float, float]], shifted: dict[float, list[float]]
) -> list[str]:
    own = 1000 * np.asarray([lag for lag, _ in lags])
    middle = float(np.median(own))
    worst = 1000 * max(np.abs(values).max() for values in shifted.values())
    expert = 1000 * np.asarray([lag for _, lag in lags])
    return [
        "",
        "## Lag",
        "",
        f"Lips behind *heard* sounds in real clips: median {middle:.0f} ms (people's lips move before they are heard, and the recognizer's times are peaks, not",
        f"borders), within 40 ms of that median in {100 * (np.abs(own - middle) <= 40).mean():.0f} % of clips. Sounds moved by 40 to 160 ms either way move the measured lag by as much to",
        f"within {worst:.0f} ms. Sync expert: lag 0 +- 40 ms in {100 * (np.abs(expert) <= 41).mean():.0f} % of clips.",
    ]


def clip_table(clips: list[RealClip], measured: dict[str, dict[str, list[float]]]) -> list[str]:
    lines = [
        "",
        "## Real clips one by one: rate (chance) of sounds",
        "",
        "| clip | p b m closed | f v lip-tooth | rounded | lag ms | R2 | lip class | sync |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    total = {name: np.zeros(3) for name in ("closed", "tooth", "round")}
    for number, clip in enumerate(clips):
        talk = clip.talk
        rates = dict(
            closed=closure(talk.lips, talk.sounds),
            tooth=lip_tooth(talk.lips, talk.sounds),
            round=rounding(talk.lips, talk.sounds),
        )
        cells = []
        for name, rate in rates.items():
            if rate.count:
                total[name] += [rate.rate * rate.count, rate.chance * rate.count, rate.count]
            cells.append(
                f"{100 * rate.rate:.0f} % ({100 * rate.chance:.0f}) of {rate.count}"
                if rate.count
                else "-"
            )
        rest = [
            f"{measured[name]['real'][number]:.2f}"
            for name in (
                "sound to lip shape, R2",
                "lip class read from shape, mean recall",
                "sync expert, confidence at lag 0",
            )
        ]
        cells.append(f"{1000 * lag_s(talk.lips, talk.sounds)[0]:.0f}")
        lines.append(f"| {clip.name} | " + " | ".join(cells + rest) + " |")
    summed = [
        f"**{100 * hit / n:.0f} %** ({100 * chance / n:.0f}) of {n:.0f}"
        for hit, chance, n in total.values()
    ]
    return [*lines, "| all sounds | " + " | ".join(summed) + " | | | | |"]


def motion_table(clips: list[RealClip]) -> list[str]:
    blinks, frames, starts, worsts = 0, 0, [], []
    for clip in clips:
        meshes = clip.meshes[np.isfinite(clip.meshes).all(axis=(1, 2))]
        blinks += len(measure_liveliness(meshes, fps=clip.talk.lips.fps).blinks_s)
        frames += len(meshes)
        jerk = measure_jerk(meshes)
        starts.append(jerk.start)
        worsts.append(jerk.worst)
    jaws = [
        len(measure_liveliness(np.repeat(c.meshes[:1], 100, 0), fps=25.0).blinks_s) for c in clips
    ]
    low, middle, high = np.percentile(starts, [10, 50, 90])
    return [
        "",
        "## Blinks and jerk of real clips",
        "",
        f"Blinks: {blinks / (frames / 25 / 60):.1f} a minute over {frames / 25:.0f} s; in held frames {sum(jaws)}.",
        f"Jerk of a clip's first ten frames over its median bin: {middle:.2f} (10th and 90th percentile {low:.2f} and {high:.2f}); of its worst ten frames: "
        f"{np.median(worsts):.2f}. Real clips are cut from longer ones: their start is no start.",
    ]


if __name__ == "__main__":
    main()
