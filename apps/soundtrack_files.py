"""Beside a soundtrack's sound: notes, signatures, recipe, and what is told of them."""

import dataclasses
import time
from pathlib import Path

import soundfile

from affetto.apps.machine import peak_rss_mb
from affetto.apps.soundtrack_job import Job, Result
from affetto.clip import Clip
from affetto.conditioning.video import VideoConditions
from affetto.credentials import Credentials
from affetto.emotion import EmotionTrack
from affetto.gen.music.alignment import alignment, hits_met
from affetto.gen.music.candidates import Candidate
from affetto.gen.music.chord_sheet import write_chord_sheet
from affetto.gen.music.composition import FILE as COMPOSITION
from affetto.gen.music.hit_points import Hits, names_file
from affetto.gen.music.lead_sheet import write_lead_sheet
from affetto.gen.music.loop import FILE as LOOP
from affetto.gen.music.loop import STEMS as LOOP_STEMS
from affetto.gen.music.loop import Loop
from affetto.gen.music.midi import write_midi
from affetto.gen.music.mix import MixReport
from affetto.provenance import Recipe, file_record, write_recipe
from affetto.request import EmotionRequest
from affetto.signature import Source, Statement, sign
from affetto.soundtrack import Soundtrack
from affetto.weights import Weights, weights_record

SAYS_LITTLE = 0.15  # a request that is nowhere more confident than this gets a notice


def write_notes(music: Soundtrack, folder: Path) -> None:
    """Write what was composed: MIDI, chord sheet and lead sheet."""
    write_midi(music, folder / "music.mid")
    write_chord_sheet(music, folder / "chords.txt")
    write_lead_sheet(music, folder / "lead.musicxml")


def film_tags(job: Job) -> dict[str, str]:
    """What the film says of itself."""
    return {
        "title": job.video.stem,
        "comment": f"Music composed by Affetto (AI-generated), seed {job.seed}",
    }


def result_of(
    job: Job,
    music: Soundtrack,
    seen: VideoConditions,
    mixed: MixReport,
    folder: Path,
    started: tuple[float, float],
    notices: tuple[str, ...],
    choices: tuple[Candidate, ...],
    loop: Loop | None,
    hits: Hits,
) -> Result:
    """What came of a job; every file but the recipe and the page is there."""
    hit = alignment(music.bars, seen.cuts)
    with soundfile.SoundFile(folder / "mix.wav") as mix:
        mix_s = mix.frames / mix.samplerate
    tempi = [bar.bpm for bar in music.bars]
    return Result(
        folder=str(job.out),
        files=tuple(sorted((*_listed(folder), "recipe.json", "report.html"), key=_rank)),
        duration_s=mix_s,
        music_s=music.duration_s,
        music_duration_error_ms=1000 * (mix_s - seen.duration_s),
        key=music.key,
        bpm_range=(min(tempi), max(tempi)),
        integrated_lufs=mixed.integrated_lufs,
        true_peak_dbtp=mixed.true_peak_dbtp,
        strong_cuts_hit=hit.strongest_hit_share,
        strong_cuts_chance=hit.strongest_chance,
        synth=mixed.synth,
        seed=job.seed,
        wall_s=time.perf_counter() - started[0],
        cpu_s=time.process_time() - started[1],
        peak_rss_mb=peak_rss_mb(),
        command=job.command(),
        notices=notices,
        candidates=choices,
        loop=loop,
        hits=hits_met(music.bars, hits.points),
    )


def notices_of(
    job: Job, wanted: EmotionTrack, weights: tuple[Weights, ...], mixed: MixReport
) -> tuple[str, ...]:
    """What the person should know."""
    notices = []
    if wanted.confidence.max() < SAYS_LITTLE:
        notices.append(
            f"What was asked, {job.emotion!r}, says little about emotion: the music stays near "
            "neutral. Name the emotion for more."
        )
    if not all(one.commercial for one in weights):
        notices.append(
            "Some of the weights learned from data that are not cleared for commercial use; "
            "--weights clean uses only data that are."
        )
    if "built-in" in mixed.synth:
        notices.append(
            "The built-in synthesizer played; sampled instruments sound better: "
            "pip install --no-deps tinysoundfont"
        )
    if mixed.silent:
        notices.append("There is nothing to hear: every part was silent.")
    return tuple(notices)


def _rank(name: str) -> tuple[int, str]:
    """What a person opens first stands first; stems last."""
    first = ("report.html", "film.mp4", "mix.wav", "music.mid", "chords.txt", "lead.musicxml")
    return (first.index(name) if name in first else len(first) + ("/" in name), name)


def _listed(folder: Path) -> tuple[str, ...]:
    return tuple(
        sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    )


def sign_sound(
    job: Job, clip: Clip, content_sha256: str, folder: Path, credentials: Credentials
) -> None:
    """Sign film, mix and stems: the picture is the user's own, the music is generated."""
    mixed = clip.has_audio and job.original_sound
    alone = [
        path for name in (LOOP, "stems/*.wav", f"{LOOP_STEMS}/*.wav") for path in folder.glob(name)
    ]
    for path in (folder / "film.mp4", folder / "mix.wav", *sorted(alone)):
        composite = path.name == "film.mp4" or (path.name == "mix.wav" and mixed)
        source: Source = (
            "compositeWithTrainedAlgorithmicMedia" if composite else "trainedAlgorithmicMedia"
        )
        statement = Statement("soundtrack", job.seed, content_sha256, source)
        sign(path, statement, credentials=credentials)


def record(
    job: Job,
    request: EmotionRequest,
    content_sha256: str,
    weights: tuple[Weights, ...],
    result: Result,
    folder: Path,
) -> None:
    """Write recipe.json."""
    edited = job.edit / COMPOSITION if job.edit else None
    markers = Path(job.hits) if names_file(job.hits) and not job.edit else None
    shown = dataclasses.asdict(result)
    for elsewhere in ("command", "folder", "files", "seed"):
        del shown[elsewhere]
    write_recipe(
        folder / "recipe.json",
        Recipe(
            job="soundtrack",
            request=str(request),
            seed=job.seed,
            config=dataclasses.asdict(job),
            inputs=tuple(
                file_record(path)
                for path in (job.video, job.chords, job.soundfont, request.file, edited, markers)
                if path
            ),
            weights=tuple(weights_record(one) for one in weights),
            content_sha256=content_sha256,
            command=result.command,
            timings_s={name: shown.pop(name) for name in ("wall_s", "cpu_s")},
            scores=shown,
        ),
    )
