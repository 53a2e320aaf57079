"""What the report of a soundtrack shows, gathered from the job's parts."""

import dataclasses
from collections.abc import Sequence

from affetto.apps.report_data import ReportData, clock
from affetto.apps.soundtrack_job import Job, Result, candidate_lines, loop_line
from affetto.conditioning.video import VideoConditions
from affetto.emotion import EmotionTrack
from affetto.gen.music.mix import MixReport
from affetto.gen.music.pipeline import MusicModels
from affetto.soundtrack import Soundtrack

# What each file is, by its name or its folder.
KINDS = {
    "film.mp4": "the film with its new sound",
    "mix.wav": "the whole sound, 24 bit",
    "stems": "one instrument alone",
    "music.mid": "notes with tempo map and markers at the cuts, for a sequencer",
    "chords.txt": "the chords; edit them and hand them back with --chords",
    "lead.musicxml": "a lead sheet for notation programs",
    "emotion.csv": "the emotion curve that was followed; edit it, hand it back with --emotion",
    "measured_emotion.json": "what was read from the picture, with variances and cues",
    "loop.wav": "bars of the music that go round without a seam",
    "loop_stems": "one instrument of the loop",
    "candidates": "one that was not chosen; its --seed plays it",
    "composition.json": "the piece note for note; --edit FOLDER composes some bars anew",
    "recipe.json": "everything needed to repeat this",
}


def report_data(
    job: Job,
    result: Result,
    *,
    music: Soundtrack,
    seen: VideoConditions,
    measured: EmotionTrack,
    wanted: EmotionTrack,
    mixed: MixReport,
    models: MusicModels,
) -> ReportData:
    """Everything the page shows."""
    ducked = mixed.duck_share > 0
    return ReportData(
        title=job.video.name,
        film_file="film.mp4",
        duration_s=seen.duration_s,
        soundtrack=dataclasses.replace(music, duration_s=seen.duration_s),
        emotion=wanted,
        measured_emotion=measured,
        cuts=seen.cuts,
        shot_starts_s=seen.shot_starts_s,
        thumbnails=seen.thumbnails,
        loudness_times_s=mixed.loudness_times_s,
        loudness_lufs=mixed.loudness_lufs,
        target_lufs=job.loudness_lufs,
        ducking_times_s=mixed.loudness_times_s if ducked else None,
        ducking_gain_db=mixed.duck_gain_db if ducked else None,
        measures=_measures(result, mixed),
        files=[
            (name, KINDS[name if name in KINDS else name.partition("/")[0]])
            for name in result.files
            if name != "report.html"
        ],
        facts=_facts(job, result, models),
        command=result.command,
        notices=_notices(result, models),
        hits=result.hits,
    )


def _measures(result: Result, mixed: MixReport) -> Sequence[tuple[str, str, str]]:
    per_minute = 60 * result.cpu_s / result.duration_s
    hit = "no cuts" if result.strong_cuts_hit is None else f"{result.strong_cuts_hit:.0%}"
    return [
        (
            "length against film",
            f"{result.music_duration_error_ms:+.1f} ms",
            "how much longer the music is than the picture",
        ),
        (
            "loudness",
            f"{result.integrated_lufs:.1f} LUFS",
            "integrated over the whole film (ITU-R BS.1770-4)",
        ),
        ("true peak", f"{result.true_peak_dbtp:.1f} dBTP", "highest level between samples"),
        (
            "strongest cuts on a downbeat",
            f"{hit} (chance {result.strong_cuts_chance:.0%})",
            "of the strongest cut in each 8 s of film, within 40 ms",
        ),
        (
            "music stepped back",
            f"{mixed.duck_share:.0%} of the time",
            "lowered under speech in the film's own sound",
        ),
        ("work", f"{per_minute:.0f} CPU s per minute of film", "all steps, this machine"),
    ]


def _facts(job: Job, result: Result, models: MusicModels) -> Sequence[tuple[str, str]]:
    cut = (
        []
        if job.length_s is None
        else [("music", f"the first {clock(result.music_s, decimals=2)}")]
    )
    return [
        *cut,
        *(("candidate", line) for line in candidate_lines(result.candidates)),
        *([("loop", loop_line(result.loop))] if result.loop else []),
        ("seed", str(job.seed)),
        ("emotion asked", job.emotion),
        ("synthesizer", result.synth),
        ("weights", ", ".join(weights.name for weights in models.weights)),
    ]


def _notices(result: Result, models: MusicModels) -> Sequence[str]:
    origins = [
        f"Weights {weights.name}, trained on {', '.join(weights.trained_on)}. {weights.licence}"
        for weights in models.weights
    ]
    return [*origins, *result.notices]
