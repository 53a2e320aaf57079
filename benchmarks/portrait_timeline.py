"""Does the judged emotion follow the asked timeline, and how late?

Run: python benchmarks/portrait_timeline.py --face-api package --face-recognition face_recognition-1.3.0 [--data ../shared/data]
"""

import cv2
import numpy as np
import torch
from portrait_judges import JUDGES
from portrait_photos import Packages, options, reporting_portraits
from portrait_talks import JUDGED_EVERY, NUM_SEGMENTS, SEGMENT_S, Talked, load_maker
from result_file import write_result

from affetto.motion import FPS
from affetto.recognizers.metrics import bootstrap
from affetto.recognizers.score_portrait.emotion import timeline_match

MATCH_BAR, LAG_BAR_S = 0.7, 0.25
RATE_HZ = FPS / JUDGED_EVERY


def main() -> None:
    given = options(__doc__).parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    maker = load_maker(given)
    photos = reporting_portraits(given.data, Packages(given.face_api, given.face_recognition))
    films = list(maker.timelines(photos))
    lines = [
        "# Asked timeline against judged timeline",
        "",
        f"{len(films)} films: every third reporting portrait, {NUM_SEGMENTS} of seven emotions drawn at random, {SEGMENT_S:g} s each, while speaking; judged at {RATE_HZ:g} Hz on rendered",
        "frames. Correlation: mean over the asked labels, of judged probability with asked share, at the best lag within 1.5 s. Controls: the judged course",
        "against the timelines of other films, and against its own order reversed.",
        "",
        "| judge | correlation, mean [95 %] | films >= 0.7 | lag, median | films within 250 ms | other film's timeline | reversed |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for number, judge in enumerate(JUDGES):
        lines.append(row(judge, number, films))
    lines += ["", "Bar: correlation >= 0.7, lag <= 250 ms."]
    write_result(
        "portrait_timeline",
        "\n".join(lines),
        command="python benchmarks/portrait_timeline.py --face-api package --face-recognition face_recognition-1.3.0",
    )


def row(judge: str, number: int, films: list[Talked]) -> str:
    found = [match(film, film, number) for film in films]
    scores = np.asarray([score for score, _ in found])
    lags = np.asarray([lag for _, lag in found])
    others = [match(films[k - 1], film, number)[0] for k, film in enumerate(films)]
    turned = [match(film, film, number, turned=True)[0] for film in films]
    low, high = bootstrap(lambda x: float(x.mean()), scores, groups=np.arange(len(scores)))
    return (
        f"| {judge} | **{scores.mean():.2f}** [{low:.2f}, {high:.2f}] | {100 * (scores >= MATCH_BAR).mean():.0f} % | {1000 * np.median(lags):.0f} ms | "
        f"{100 * (np.abs(lags) <= LAG_BAR_S).mean():.0f} % | {np.mean(others):.2f} | {np.mean(turned):.2f} |"
    )


def match(
    asked: Talked, judged: Talked, number: int, *, turned: bool = False
) -> tuple[float, float]:
    length = min(len(asked.asked), len(judged.judged))
    wanted = asked.asked[:length][::-1] if turned else asked.asked[:length]
    seen = np.nan_to_num(judged.judged[:length, number])
    return timeline_match(wanted, seen, rate_hz=RATE_HZ)


if __name__ == "__main__":
    main()
