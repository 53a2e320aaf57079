"""`affetto soundtrack`: a film in, the film with music out.

`run` is the straight line; each step is one call.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import soundfile
import torch

from affetto.apps.machine import free_cores, peak_rss_mb
from affetto.apps.progress import Report, silent
from affetto.apps.report import write_report
from affetto.apps.resolve import resolve
from affetto.apps.soundtrack_choice import choose_piece
from affetto.apps.soundtrack_edit import Edit, asked_words, open_edit
from affetto.apps.soundtrack_job import EARLY, Job, Result
from affetto.apps.soundtrack_report import report_data
from affetto.clip import Clip
from affetto.conditioning.video import VideoConditions, read_video_conditions
from affetto.credentials import Credentials, load_credentials, provenance_notices
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.commitment import commit
from affetto.errors import BadInput
from affetto.files import staged_folder
from affetto.gen.music.alignment import alignment
from affetto.gen.music.candidates import Candidate
from affetto.gen.music.chord_sheet import read_chord_sheet, write_chord_sheet
from affetto.gen.music.composition import FILE as COMPOSITION
from affetto.gen.music.composition import Composition, Levels, write_composition
from affetto.gen.music.lead_sheet import write_lead_sheet
from affetto.gen.music.loop import FILE as LOOP
from affetto.gen.music.loop import STEMS as LOOP_STEMS
from affetto.gen.music.loop import Loop, write_loop
from affetto.gen.music.loop_bars import choose_loop
from affetto.gen.music.midi import write_midi
from affetto.gen.music.mix import MixReport, MixSettings, render_soundtrack
from affetto.gen.music.opening import OPENING_BARS, write_opening
from affetto.gen.music.pipeline import ComposeOptions, MusicModels, compose, load_models
from affetto.gen.music.synth import Synth, choose_synth
from affetto.keyframe_file import write_keyframes
from affetto.media_sound import Sound
from affetto.media_write import write_film
from affetto.provenance import (
    Recipe,
    content_hash,
    file_record,
    wav_blocks,
    write_recipe,
)
from affetto.recognizers.scene.recognizer import recognize_scene
from affetto.request import EmotionRequest, parse_request
from affetto.signature import Source, Statement, sign
from affetto.soundtrack import Soundtrack
from affetto.weights import weights_record

SAMPLE_RATE = 44_100
SAYS_LITTLE = 0.15  # a request that is nowhere more confident than this gets a notice
# --weights -> the chord set and the dynamics set
WEIGHT_NAMES = {
    "default": ("music_chords", "music_dynamics"),
    "clean": ("music_chords_clean", "music_dynamics_clean"),
}


def run(
    job: Job,
    *,
    progress: Report = silent,
    models: MusicModels | None = None,
    opened: Callable[[Path], None] | None = None,
) -> Result:
    """Do the whole job; all files appear in `job.out` together, or none does.

    While the rest is played, the first bars can be heard in a wav file beside the result, see
    `affetto.gen.music.opening`; it goes when the result is whole.

    Args:
        job: what is asked.
        progress: is told what is happening.
        models: loaded ones to use again, `models_of(job.weights)`; loaded if not given.
        opened: is told the file of the first bars as soon as it is there.

    Raises:
        EngineError: its subclasses say what was wrong and carry the exit code.
    """
    started = (time.perf_counter(), time.process_time())
    if job.out.exists() and not job.out.is_dir():
        raise BadInput(f"--out {job.out} is a file: give a folder")
    torch.set_num_threads(job.threads or free_cores())
    with contextlib.ExitStack() as stack:
        progress("opening the film", 0.0)
        clip = Clip.open(job.video)
        edit = open_edit(job) if job.edit else None
        asked = edit.asked if edit else job
        options = _options(asked)
        synth = choose_synth(asked.soundfont)
        credentials = load_credentials() if job.provenance else None
        request = parse_request(asked.emotion)
        folder = stack.enter_context(staged_folder(job.out))
        progress("watching the film", 0.02)
        seen = read_video_conditions(
            clip,
            semantic="clip" if asked.clip_model else "none",
            clip_model=asked.clip_model,
            progress=lambda share: progress("watching the film", 0.02 + 0.38 * share),
        )
        measured = recognize_scene(seen.conditions, duration_s=seen.duration_s)
        wanted = _wanted(request, seen, measured, progress)
        if edit and edit.emotion:
            there = _wanted(parse_request(edit.emotion), seen, measured, progress)
            wanted = edit.felt(wanted, there)
        progress("composing", 0.42)
        torch.set_num_threads(1)  # the composer's matrices are small: two threads wait, not work
        models = models or models_of(asked.weights)
        asked, music, choices = choose_piece(
            asked,
            lambda seed: _compose(
                asked, dataclasses.replace(options, seed=seed), seen, wanted, models, edit
            ),
            wanted,
            folder,
            progress=progress,
        )
        job = dataclasses.replace(job, seed=asked.seed, candidates=1)
        early = stack.enter_context(_early(job.out))
        mixed, off = _play(
            asked, music, clip, seen.duration_s, synth, folder, early, progress, opened, edit
        )
        loop = _loop(asked, music, wanted, seen, synth, folder) if job.loop else None
        progress("writing the film", 0.82)
        write_film(clip, folder / "mix.wav", folder / "film.mp4", metadata=_tags(asked))
        progress("writing notes and report", 0.9)
        write_notes(music, folder)
        levels = Levels(mixed.music_gain_db, mixed.original_gain_db, mixed.stems_gain_db)
        words = edit.words() if edit else asked_words(job)
        write_composition(folder / COMPOSITION, Composition(music, levels, words))
        write_keyframes(folder / "emotion.csv", wanted)
        measured.save(folder / "measured_emotion.json")
        content = content_hash(soundtrack=music, audio={"mix": wav_blocks(folder / "mix.wav")})
        if credentials:
            _sign(asked, clip, content, folder, credentials)
        told = (
            *_notices(job, wanted, models, mixed),
            *(edit.notices(off) if edit else ()),
            *provenance_notices(credentials),
        )
        result = _result(job, music, seen, mixed, folder, started, told, choices, loop)
        _write_recipe(job, request, content, models, result, folder)
        page = report_data(
            job,
            result,
            music=music,
            seen=seen,
            measured=measured,
            wanted=wanted,
            mixed=mixed,
            models=models,
        )
        write_report(folder / "report.html", page)
        progress("done", 1.0)
    return result


def _play(
    job: Job,
    music: Soundtrack,
    clip: Clip,
    duration_s: float,
    synth: Synth,
    folder: Path,
    early: Path,
    progress: Report,
    opened: Callable[[Path], None] | None,
    edit: Edit | None,
) -> tuple[MixReport, float]:
    """The first bars into `early`, then mix and stems into the folder; see `Edit.splice`."""
    settings = MixSettings(target_lufs=job.loudness_lufs)
    words = "playing and mixing"
    if len(music.bars) > OPENING_BARS and not edit:
        progress("playing the first bars", 0.48)
        write_opening(music, early, synth=synth, settings=settings, sample_rate=SAMPLE_RATE)
        words = f"playing on, first bars in {early.name}"
        if opened:
            opened(early)
    progress(words, 0.5)
    mixed = render_soundtrack(
        dataclasses.replace(music, duration_s=duration_s),
        folder,
        synth=synth,
        original=_own_sound(job, clip),
        settings=settings,
        sample_rate=SAMPLE_RATE,
        levels=edit.composition.levels if edit else None,
        progress=lambda share: progress(words, 0.5 + 0.3 * share),
    )
    return mixed, edit.splice(folder) if edit else 0.0


@contextlib.contextmanager
def _early(out: Path) -> Iterator[Path]:
    """Where the first bars are while the rest is made."""
    path = out.with_name(out.name + EARLY)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _wanted(
    request: EmotionRequest, seen: VideoConditions, measured: EmotionTrack, progress: Report
) -> EmotionTrack:
    """What is asked of the music, over the film."""
    resolved = resolve(
        request,
        duration_s=seen.duration_s,
        progress=lambda what, share: progress(what, 0.4 + 0.02 * share),
    )
    return request_to_track(
        request, duration_s=seen.duration_s, measured=commit(measured), resolved=resolved
    )


def models_of(weights: str) -> MusicModels:
    """The nets for `--weights`: a folder or hub id replaces only the default chord set."""
    chords, dynamics = WEIGHT_NAMES.get(weights, (weights, WEIGHT_NAMES["default"][1]))
    return load_models(chords=chords, dynamics=dynamics)


def _options(job: Job) -> ComposeOptions:
    sheet = read_chord_sheet(job.chords) if job.chords else None
    return ComposeOptions(
        seed=job.seed,
        key=job.key,
        bpm=job.tempo_bpm,
        instruments=job.instruments,
        style=job.style,
        hits=job.hits,
        chords=sheet,
    )


def _compose(
    job: Job,
    options: ComposeOptions,
    seen: VideoConditions,
    wanted: EmotionTrack,
    models: MusicModels,
    edit: Edit | None,
) -> Soundtrack:
    if edit:
        return edit.compose(seen.conditions, wanted, seen.cuts, models=models, options=options)
    length_s = seen.duration_s if job.length_s is None else job.length_s
    if not 0 < length_s <= seen.duration_s:
        raise BadInput(
            f"--length {length_s:g}: give more than 0, at most the film's {seen.duration_s:.2f} s"
        )
    return compose(
        seen.conditions, wanted, seen.cuts, duration_s=length_s, models=models, options=options
    )


def _loop(
    job: Job,
    music: Soundtrack,
    wanted: EmotionTrack,
    seen: VideoConditions,
    synth: Synth,
    folder: Path,
) -> Loop:
    bars = choose_loop(music, wanted, seen.cuts if job.hits else ())
    return write_loop(
        music, bars, folder, synth=synth, target_lufs=job.loudness_lufs, sample_rate=SAMPLE_RATE
    )


def _own_sound(job: Job, clip: Clip) -> Iterator[Sound] | None:
    if not (clip.has_audio and job.original_sound):
        return None
    return clip.audio_blocks(sample_rate=SAMPLE_RATE)


def _tags(job: Job) -> dict[str, str]:
    return {
        "title": job.video.stem,
        "comment": f"Music composed by Affetto (AI-generated), seed {job.seed}",
    }


def write_notes(music: Soundtrack, folder: Path) -> None:
    """Write what was composed: MIDI, chord sheet and lead sheet."""
    write_midi(music, folder / "music.mid")
    write_chord_sheet(music, folder / "chords.txt")
    write_lead_sheet(music, folder / "lead.musicxml")


def _result(
    job: Job,
    music: Soundtrack,
    seen: VideoConditions,
    mixed: MixReport,
    folder: Path,
    started: tuple[float, float],
    notices: tuple[str, ...],
    choices: tuple[Candidate, ...],
    loop: Loop | None,
) -> Result:
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
    )


def _notices(
    job: Job, wanted: EmotionTrack, models: MusicModels, mixed: MixReport
) -> tuple[str, ...]:
    notices = []
    if wanted.confidence.max() < SAYS_LITTLE:
        notices.append(
            f"What was asked, {job.emotion!r}, says little about emotion: the music stays near "
            "neutral. Name the emotion for more."
        )
    if not all(weights.commercial for weights in models.weights):
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


def _sign(
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


def _write_recipe(
    job: Job,
    request: EmotionRequest,
    content_sha256: str,
    models: MusicModels,
    result: Result,
    folder: Path,
) -> None:
    edited = job.edit / COMPOSITION if job.edit else None
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
                for path in (job.video, job.chords, job.soundfont, request.file, edited)
                if path
            ),
            weights=tuple(weights_record(weights) for weights in models.weights),
            content_sha256=content_sha256,
            command=result.command,
            timings_s={name: shown.pop(name) for name in ("wall_s", "cpu_s")},
            scores=shown,
        ),
    )
