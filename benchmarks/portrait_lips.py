"""Lips of talking portraits on known phone times: closures, lip-tooth, rounding, lag, and what real clips teach.

Run: python benchmarks/portrait_lips.py --face-api package --face-recognition face_recognition-1.3.0 [--data ../shared/data]
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from portrait_meshes import RealClip, heard, real_clips
from portrait_photos import Packages, options, reporting_portraits
from portrait_talks import Maker, Talked, load_maker
from result_file import write_result

from affetto.recognizers.metrics import bootstrap
from affetto.recognizers.score_portrait.articulation import (
    closure,
    lag_s,
    lip_class,
    lip_tooth,
    rounding,
)
from affetto.recognizers.score_portrait.lip_shape import (
    Talk,
    fit_reader,
    fit_regression,
    log_mels,
)
from affetto.recognizers.score_portrait.lips import measure_lips
from affetto.recognizers.score_portrait.sync_expert import judge_sync, train_expert
from affetto.train.data.synthesized_speech import synthesize

BARS = {"p b m closed": 0.9, "f v lip-tooth": 0.8, "o u w sh rounded": 0.8}
RATES = {"p b m closed": closure, "f v lip-tooth": lip_tooth, "o u w sh rounded": rounding}
LAG_BAR_S, LAG_SHARE = 0.04, 0.9
NEAR_S = 0.15


def main() -> None:
    given = options(__doc__).parse_args()
    torch.set_num_threads(1)
    maker = load_maker(given)
    films = list(
        maker.talks(
            reporting_portraits(given.data, Packages(given.face_api, given.face_recognition))
        )
    )
    clips = real_clips(given.data, Path("runs/portrait_score/meshes"))
    write_result(
        "portrait_lips",
        "\n".join([*report(films, clips, maker)]),
        command="python benchmarks/portrait_lips.py --face-api package --face-recognition face_recognition-1.3.0",
        packages=("torch", "numpy", "hama", "ai-edge-litert"),
    )


def report(films: list[Talked], clips: list[RealClip], maker: Maker) -> list[str]:
    talks = [talk_of(film) for film in films]
    real = real_rates(clips)
    lines = [
        "# Lips of talking portraits",
        "",
        f"{len(films)} films, one a reporting portrait, seven emotions at strength 1 in turn, four voices of flite in turn; the product hears the speech by",
        "itself, the times below are the synthesizer's. Lips re-detected in rendered frames by MediaPipe's landmarker, which the product does not use. Real",
        "people: the clips of portrait_controls, where sounds are heard, so their rates suffer from the recognizer's errors as well.",
        "",
        "| demand | portraits [95 %] | by chance | sounds | real people (chance) | bar | |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, rate_of in RATES.items():
        rates = [rate_of(talk.lips, talk.sounds) for talk in talks]
        hits = np.asarray([rate.rate * rate.count for rate in rates])
        counts = np.asarray([float(rate.count) for rate in rates])
        chance = float(sum(rate.chance * rate.count for rate in rates) / counts.sum())
        low, high = bootstrap(_share, hits, counts, groups=np.arange(len(rates)))
        got = _share(hits, counts)
        lines.append(
            f"| {name} | **{100 * got:.1f} %** [{100 * low:.1f}, {100 * high:.1f}] | {100 * chance:.0f} % | {counts.sum():.0f} | "
            f"{100 * real[name][0]:.0f} % ({100 * real[name][1]:.0f}) | {100 * BARS[name]:.0f} % | {'met' if got >= BARS[name] else '**missed**'} |"
        )
    return [*lines, *by_emotion(films, talks), *lag_lines(talks, clips), *learned(talks, clips)]


def _share(hits: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    return float(hits.sum() / max(counts.sum(), 1))


def talk_of(film: Talked) -> Talk:
    speech = film.speech()
    return Talk(measure_lips(film.meshes, fps=25.0), log_mels(speech.wav), film.sounds, film.photo)


def real_rates(clips: list[RealClip]) -> dict[str, tuple[float, float]]:
    found = {}
    for name, rate_of in RATES.items():
        rates = [rate_of(clip.talk.lips, clip.talk.sounds) for clip in clips]
        rates = [rate for rate in rates if rate.count]
        total = sum(rate.count for rate in rates)
        found[name] = (
            sum(rate.rate * rate.count for rate in rates) / total,
            sum(rate.chance * rate.count for rate in rates) / total,
        )
    return found


def by_emotion(films: list[Talked], talks: list[Talk]) -> list[str]:
    """Closures must survive the emotion."""
    emotions = list(dict.fromkeys(film.request for film in films))
    lines = ["", "| emotion | " + " | ".join(RATES) + " |", "| --- |" + " --- |" * len(RATES)]
    for emotion in emotions:
        own = [talk for film, talk in zip(films, talks, strict=True) if film.request == emotion]
        cells = []
        for rate_of in RATES.values():
            rates = [rate_of(talk.lips, talk.sounds) for talk in own]
            total = sum(rate.count for rate in rates)
            cells.append(f"{100 * sum(rate.rate * rate.count for rate in rates) / total:.0f} %")
        lines.append(f"| {emotion} ({len(own)} films) | " + " | ".join(cells) + " |")
    return lines


def lag_lines(talks: list[Talk], clips: list[RealClip]) -> list[str]:
    """People's own lag, on the synthesizer's clock, is where 0 lies."""
    late = hearing_late_s(talks)
    people = float(np.median([lag_s(clip.talk.lips, clip.talk.sounds)[0] for clip in clips]))
    zero = people + late
    lags = np.asarray([lag_s(talk.lips, talk.sounds)[0] for talk in talks])
    lines = [
        "",
        "## Lag of the lips behind the sound",
        "",
        "Measured against the course of gap, width and rise that the sounds ask for, by the synthesizer's own times. People's own lag on that clock is not known",
        f"exactly: in real clips it is {1000 * people:.0f} ms against *heard* sounds, and heard sounds come {1000 * late:.0f} ms after the synthesizer's times, so about {1000 * zero:.0f} ms (medians).",
        "",
        "| 0 is | films within 40 ms | median | 5th to 95th percentile | bar | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, shift in (
        ("the synthesizer's time", 0.0),
        ("where people's lips are, estimated", zero),
    ):
        apart = lags - shift
        good = float((np.abs(apart) <= LAG_BAR_S).mean())
        low, middle, high = 1000 * np.percentile(apart, [5, 50, 95])
        lines.append(
            f"| {name} | **{100 * good:.0f} %** | {middle:.0f} ms | {low:.0f} to {high:.0f} ms | {100 * LAG_SHARE:.0f} % | {'met' if good >= LAG_SHARE else '**missed**'} |"
        )
    return lines


def hearing_late_s(talks: list[Talk]) -> float:
    """How much later the phone recognizer's sounds are than the synthesizer's, median over sounds."""
    apart = []
    for voice, text in dict.fromkeys(zip(("slt", "rms", "awb", "kal16"), TEXTS, strict=True)):
        speech = synthesize(text, voice=voice, key="lag")
        found = heard(speech.wav)
        for one in speech.phones:
            own = lip_class(one.symbol)
            near = [
                other.start_s - one.start_s
                for other in found
                if lip_class(other.symbol) == own != "other"
                and abs(other.start_s - one.start_s) < NEAR_S
            ]
            if near:
                apart.append(min(near, key=abs))
    return float(np.median(apart))


TEXTS = (
    "The farmer found a map below the bush.",
    "Pam put my violin on the warm floor.",
    "Five boys may move the wooden boat.",
    "You should have brought me a blue book.",
)


def learned(talks: list[Talk], clips: list[RealClip]) -> list[str]:
    """What is learned from real clips (other people by construction), with a wrong-sound control."""
    real = [clip.talk for clip in clips]
    regression, reader, expert = fit_regression(real), fit_reader(real), train_expert(real, seed=0)
    rows: dict[str, tuple[list[float], list[float]]] = {
        "sound to lip shape, R2": ([], []),
        "lip class read from shape, mean recall": ([], []),
        "sync expert, confidence at lag 0": ([], []),
    }
    for number, talk in enumerate(talks):
        other = talks[(number + 5) % len(talks)]  # another voice and text
        length = len(talk.mels)
        mels = np.resize(other.mels, (length, other.mels.shape[1]))
        wrong = Talk(talk.lips, mels, other.sounds, talk.person)
        for one, place in ((talk, 0), (wrong, 1)):
            values = (regression.r2(one), reader.agreement(one), judge_sync(expert, one).at_zero)
            for (_, kept), value in zip(rows.items(), values, strict=True):
                kept[place].append(value)
    lags = np.asarray([judge_sync(expert, talk).lag_s for talk in talks])
    lines = [
        "",
        "## What real clips teach, asked of our films (all order their controls on real clips, see portrait_controls)",
        "",
        "| score | our films | the same films, wrong sound |",
        "| --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {np.mean(own):.2f} | {np.nanmean(wrong):.2f} |"
        for name, (own, wrong) in rows.items()
    ]
    return [
        *lines,
        "",
        f"Sync expert's lag: median {1000 * np.median(lags):.0f} ms, within 40 ms in {100 * (np.abs(lags) <= 0.041).mean():.0f} % of films.",
    ]


if __name__ == "__main__":
    main()
