"""`affetto soundtrack`: a film in, the film with music out.

`run` is the straight line; each step is one call.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from affetto.apps.machine import free_cores
from affetto.apps.progress import Report, silent
from affetto.apps.report import write_report
from affetto.apps.resolve import resolve
from affetto.apps.soundtrack_choice import choose_piece
from affetto.apps.soundtrack_edit import Edit, asked_words, open_edit
from affetto.apps.soundtrack_files import (
    film_tags,
    notices_of,
    record,
    result_of,
    sign_sound,
    write_notes,
)
from affetto.apps.soundtrack_job import EARLY, Job, Result
from affetto.apps.soundtrack_report import report_data
from affetto.clip import Clip
from affetto.conditioning.video import VideoConditions, read_video_conditions
from affetto.credentials import load_credentials, provenance_notices
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.commitment import commit
from affetto.errors import BadInput
from affetto.files import staged_folder
from affetto.gen.music.chord_sheet import read_chord_sheet
from affetto.gen.music.composition import FILE as COMPOSITION
from affetto.gen.music.composition import Composition, Levels, write_composition
from affetto.gen.music.hit_points import Hits, parse_hits
from affetto.gen.music.loop import Loop, write_loop
from affetto.gen.music.loop_bars import choose_loop
from affetto.gen.music.mix import MixReport, MixSettings, render_soundtrack
from affetto.gen.music.opening import write_opening
from affetto.gen.music.pipeline import (
    OPENING_BARS,
    ComposeOptions,
    MusicModels,
    compose,
    load_models,
)
from affetto.gen.music.synth import Synth, choose_synth
from affetto.keyframe_file import write_keyframes
from affetto.media_sound import Sound
from affetto.media_write import write_film
from affetto.provenance import content_hash, wav_blocks
from affetto.recognizers.scene.recognizer import recognize_scene
from affetto.request import EmotionRequest, parse_request
from affetto.soundtrack import Soundtrack

SAMPLE_RATE = 44_100
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

    While the rest is composed and played, the first bars can be heard in a wav file beside the
    result, see `affetto.gen.music.opening`; it goes when the result is whole.

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
        hits = _hits(asked, clip)
        asked = dataclasses.replace(asked, hits=str(hits))  # without a file, to be edited later
        options = _options(asked, hits)
        synth = choose_synth(asked.soundfont)
        credentials = load_credentials() if job.provenance else None
        wishes = _wishes(asked, edit, clip.duration_s, progress)
        folder = stack.enter_context(staged_folder(job.out))
        seen = _watched(clip, asked, progress)
        measured = recognize_scene(seen.conditions, duration_s=seen.duration_s)
        wanted = _wanted(wishes, edit, measured, seen.duration_s)
        early = stack.enter_context(_early(job.out))
        begun = _first_bars(asked, early, synth, progress, opened)
        progress("composing", 0.42)
        torch.set_num_threads(1)  # the composer's matrices are small: two threads wait, not work
        models = models or models_of(asked.weights)
        choice = choose_piece(
            asked,
            lambda seed: _compose(
                asked, dataclasses.replace(options, seed=seed), seen, wanted, models, edit,
                None if asked.candidates > 1 else begun,
            ),
            wanted,
            folder,
            progress=progress,
        )  # fmt: skip
        if asked.candidates > 1 and not edit:
            begun(choice.music)
        asked, music = choice.job, choice.music
        job = dataclasses.replace(job, seed=asked.seed, candidates=1)
        mixed, off = _play(asked, music, clip, seen.duration_s, synth, folder, progress, edit)
        loop = _loop(asked, music, wanted, seen, hits, synth, folder) if job.loop else None
        progress("writing the film", 0.82)
        write_film(clip, folder / "mix.wav", folder / "film.mp4", metadata=film_tags(asked))
        progress("writing notes and report", 0.9)
        _write_course(asked, edit, music, mixed, measured, wanted, folder)
        content = content_hash(soundtrack=music, audio={"mix": wav_blocks(folder / "mix.wav")})
        if credentials:
            sign_sound(asked, clip, content, folder, credentials)
        weights = (*models.weights, *choice.weights)
        told = (
            *notices_of(job, wanted, weights, mixed),
            *(edit.notices(off) if edit else ()),
            *provenance_notices(credentials),
        )
        result = result_of(
            job, music, seen, mixed, folder, started, told, choice.judged, loop, hits
        )
        record(job, wishes[0][0], content, weights, result, folder)
        page = report_data(
            job, result, music=music, seen=seen, measured=measured, wanted=wanted, mixed=mixed,
            models=models,
        )  # fmt: skip
        write_report(folder / "report.html", page)
        progress("done", 1.0)
    return result


def _wishes(
    asked: Job, edit: Edit | None, duration_s: float, progress: Report
) -> list[tuple[EmotionRequest, EmotionTrack | None]]:
    """What is asked for the piece, then for bars that were edited, each resolved.

    This comes first, so that words nobody understands are refused before the film is watched.
    """
    words = [asked.emotion, *(felt.words for felt in (edit.felt if edit else ()))]
    return [
        (
            request,
            resolve(
                request,
                duration_s=duration_s,
                progress=lambda what, share: progress(what, 0.02 * share),
            ),
        )
        for request in map(parse_request, words)
    ]


def _watched(clip: Clip, asked: Job, progress: Report) -> VideoConditions:
    """What the film shows."""
    progress("watching the film", 0.02)
    return read_video_conditions(
        clip,
        semantic="clip" if asked.clip_model else "none",
        clip_model=asked.clip_model,
        progress=lambda share: progress("watching the film", 0.02 + 0.38 * share),
    )


def _wanted(
    wishes: list[tuple[EmotionRequest, EmotionTrack | None]],
    edit: Edit | None,
    measured: EmotionTrack,
    duration_s: float,
) -> EmotionTrack:
    """What the music shall express, over the film."""
    piece, *bars = (
        request_to_track(
            request, duration_s=duration_s, measured=commit(measured), resolved=resolved
        )
        for request, resolved in wishes
    )
    return edit.feeling(piece, bars) if edit else piece


def _write_course(
    asked: Job,
    edit: Edit | None,
    music: Soundtrack,
    mixed: MixReport,
    measured: EmotionTrack,
    wanted: EmotionTrack,
    folder: Path,
) -> None:
    """Notes, the composition, and the emotion that was followed and measured."""
    write_notes(music, folder)
    levels = Levels(mixed.music_gain_db, mixed.original_gain_db, mixed.stems_gain_db)
    words = edit.words() if edit else asked_words(asked)
    write_composition(folder / COMPOSITION, Composition(music, levels, words))
    write_keyframes(folder / "emotion.csv", wanted)
    measured.save(folder / "measured_emotion.json")


def _first_bars(
    job: Job,
    early: Path,
    synth: Synth,
    progress: Report,
    opened: Callable[[Path], None] | None,
) -> Callable[[Soundtrack], None]:
    """Plays a piece's first bars into `early`, where there are more."""

    def play(music: Soundtrack) -> None:
        if len(music.bars) <= OPENING_BARS:
            return
        progress("playing the first bars", 0.44)
        settings = MixSettings(target_lufs=job.loudness_lufs)
        write_opening(music, early, synth=synth, settings=settings, sample_rate=SAMPLE_RATE)
        progress(f"composing on, first bars in {early.name}", 0.46)
        if opened:
            opened(early)

    return play


def _play(
    job: Job,
    music: Soundtrack,
    clip: Clip,
    duration_s: float,
    synth: Synth,
    folder: Path,
    progress: Report,
    edit: Edit | None,
) -> tuple[MixReport, float]:
    """Mix and stems into the folder; see `Edit.splice`."""
    progress("playing and mixing", 0.5)
    mixed = render_soundtrack(
        dataclasses.replace(music, duration_s=duration_s),
        folder,
        synth=synth,
        original=_own_sound(job, clip),
        settings=MixSettings(target_lufs=job.loudness_lufs),
        sample_rate=SAMPLE_RATE,
        levels=edit.composition.levels if edit else None,
        progress=lambda share: progress("playing and mixing", 0.5 + 0.3 * share),
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


def models_of(weights: str) -> MusicModels:
    """The nets for `--weights`: a folder or hub id replaces only the default chord set."""
    chords, dynamics = WEIGHT_NAMES.get(weights, (weights, WEIGHT_NAMES["default"][1]))
    return load_models(chords=chords, dynamics=dynamics)


def _hits(job: Job, clip: Clip) -> Hits:
    length_s = clip.duration_s if job.length_s is None else min(job.length_s, clip.duration_s)
    return parse_hits(job.hits, duration_s=length_s, film_rate=clip.fps)


def _options(job: Job, hits: Hits) -> ComposeOptions:
    sheet = read_chord_sheet(job.chords) if job.chords else None
    return ComposeOptions(
        seed=job.seed,
        key=job.key,
        bpm=job.tempo_bpm,
        instruments=job.instruments,
        style=job.style,
        hits=hits,
        chords=sheet,
    )


def _compose(
    job: Job,
    options: ComposeOptions,
    seen: VideoConditions,
    wanted: EmotionTrack,
    models: MusicModels,
    edit: Edit | None,
    begun: Callable[[Soundtrack], None] | None,
) -> Soundtrack:
    if edit:
        edit.check_length(seen.duration_s)
        return edit.compose(seen.conditions, wanted, seen.cuts, models=models, options=options)
    length_s = seen.duration_s if job.length_s is None else job.length_s
    if not 0 < length_s <= seen.duration_s:
        raise BadInput(
            f"--length {length_s:g}: give more than 0, at most the film's {seen.duration_s:.2f} s"
        )
    return compose(
        seen.conditions, wanted, seen.cuts, duration_s=length_s, models=models, options=options,
        begun=begun,
    )  # fmt: skip


def _loop(
    job: Job,
    music: Soundtrack,
    wanted: EmotionTrack,
    seen: VideoConditions,
    hits: Hits,
    synth: Synth,
    folder: Path,
) -> Loop:
    bars = choose_loop(music, wanted, hits.accents(seen.cuts))
    return write_loop(
        music, bars, folder, synth=synth, target_lufs=job.loudness_lufs, sample_rate=SAMPLE_RATE
    )


def _own_sound(job: Job, clip: Clip) -> Iterator[Sound] | None:
    if not (clip.has_audio and job.original_sound):
        return None
    return clip.audio_blocks(sample_rate=SAMPLE_RATE)
