"""One medium: which judges it has work for, and what they say together."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np

from affetto.apps.judges import Nets, judge_nets
from affetto.apps.progress import Report, silent
from affetto.apps.recognize_job import FUSED, MODALITIES, Kind, Modality, Recognition, Row
from affetto.apps.recognize_scene import (
    SceneMeter,
    Still,
    WatchedClip,
    picture_scene,
    still_of,
    watch_scene,
)
from affetto.clip import Clip
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.embedder import KNOWN
from affetto.errors import BadInput
from affetto.gen.music.midi_reading import read_midi
from affetto.media_sound import Sound
from affetto.recognizers.audiovisual.timeline import TalkingJudge, recognize_talking
from affetto.recognizers.face.picture import SUFFIXES as PICTURES
from affetto.recognizers.face.picture import read_picture
from affetto.recognizers.face.timeline import FaceTimelines, recognize_faces, recognize_picture
from affetto.recognizers.fuse import LEAST_CONFIDENCE, fuse
from affetto.recognizers.music.features import pitched_notes
from affetto.recognizers.music.recognizer import recognize_music, recognize_music_sound
from affetto.recognizers.music.sound import RATE as MUSIC_HZ
from affetto.recognizers.speech.recognizer import recognize_speech
from affetto.recognizers.text.recognizer import recognize_text
from affetto.recognizers.text.sentences import read_transcript

VIDEOS = (
    ".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp", ".3g2", ".mj2", ".ts", ".mts",
)  # fmt: skip
SOUNDS = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac")
TEXTS = (".txt", ".srt", ".vtt")
NOTES = (".mid", ".midi")
KIND_WORDS = (
    "give films (mp4, mov, mkv, webm, avi), sound (wav, flac, mp3, ogg, m4a), pictures (jpg, png, "
    "webp, bmp, tiff), texts (txt, srt, vtt) or music as notes (mid)"
)
WHAT: dict[Kind, tuple[Modality, ...]] = {
    "video": ("voice", "face", "scene"),
    "sound": ("voice",),
    "picture": ("face", "scene"),
    "text": ("text",),
    "notes": ("music",),
}
# Which labels each can say at all.
SAYABLE = KNOWN | {"music": (True,) * len(LABELS), "audiovisual": KNOWN["voice"]}
ORDER: tuple[Modality, ...] = ("audiovisual", *MODALITIES)  # of the rows
FACES_HZ = 3.0  # pictures a second in which faces are looked for
NUM_STILLS = 10
SPEECH_HZ = 16_000
MOST_STEPS = 40_000  # of a fused course
MAX_HOP_S = 1.0  # from one window of voice to the next, half a window at most
Told = Callable[[float], None]


@dataclass
class _Gathered:
    """What is known of the medium so far."""

    duration_s: float
    rows: list[Row] = field(default_factory=list)
    tracks: dict[str, EmotionTrack] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    stills: tuple[Still, ...] = ()
    faces: FaceTimelines | None = None

    def take(self, modality: Modality, track: EmotionTrack, known: Sequence[bool]) -> None:
        """Keep a modality's track and show it as a row of its own."""
        self.tracks[modality] = track
        name = "face+voice" if modality == "audiovisual" else modality
        self.rows.append(Row(name, modality, track, tuple(known)))


def kind_of(path: Path) -> Kind | None:
    """What the file's ending says it is; None if it is of no kind that is read."""
    suffix = path.suffix.casefold()
    kinds: dict[Kind, Sequence[str]] = {
        "video": VIDEOS,
        "sound": SOUNDS,
        "picture": PICTURES,
        "text": TEXTS,
        "notes": NOTES,
    }
    return next((kind for kind, suffixes in kinds.items() if suffix in suffixes), None)


def looked_at(kind: Kind, only: Sequence[Modality]) -> tuple[Modality, ...]:
    """Which of `only` are judged in a kind of medium.

    What sounds is taken for music only where nothing but music is asked for: nobody here tells
    music from noise.
    """
    if kind in ("video", "sound") and tuple(only) == ("music",):
        return ("music",)
    return tuple(name for name in WHAT[kind] if name in only)


def recognize_medium(
    path: Path,
    *,
    nets: Nets,
    only: Sequence[Modality] = MODALITIES,
    rate_hz: float = 2.0,
    window_s: float = 3.0,
    num_workers: int = 1,
    num_stills: int = 0,
    progress: Report = silent,
) -> Recognition:
    """Recognize the emotion in one film, sound, picture, text or MIDI file.

    Args:
        path: the medium; its kind is told by its ending, else by what is in it.
        nets: the judges.
        only: modalities to look for.
        rate_hz: steps per second of the fused course.
        window_s: seconds of voice judged at once.
        num_workers: modalities worked on at the same time.
        num_stills: pictures to keep for a plot.
        progress: is told what is happening.

    Raises:
        MediaError: it cannot be read.
        BadInput: nothing of `only` is in such a medium.
    """
    started = time.perf_counter()
    kind = kind_of(path) or "video"
    wanted = looked_at(kind, only)
    if not wanted:
        raise BadInput(
            f"{path}: a {kind} has {', '.join(WHAT[kind])}; asked for was {', '.join(only)}"
        )
    if kind == "picture":
        gathered = _picture(path, nets, wanted, num_stills)
    elif kind == "text":
        gathered = _text(path, nets)
    elif kind == "notes":
        gathered = _notes(path, nets)
    else:
        clip = Clip.open(path)
        kind = "video" if clip.has_video else "sound"
        if wanted == ("music",):
            gathered = _heard_music(clip, nets, progress)
        else:
            gathered = _film(
                clip, nets, wanted, window_s, workers=num_workers, num_stills=num_stills,
                progress=progress,
            )  # fmt: skip
    progress("joining", 0.98)
    fused = _joined(gathered, nets, min(rate_hz, MOST_STEPS / max(1.0, gathered.duration_s)))
    known = np.logical_or.reduce([SAYABLE[name] for name in gathered.tracks])
    rows = (Row(FUSED, None, fused, tuple(bool(can) for can in known)), *gathered.rows)
    return Recognition(
        file=path,
        kind=kind,
        duration_s=gathered.duration_s,
        rows=rows,
        missing=gathered.missing,
        stills=gathered.stills,
        judges=judge_nets(nets, [name for name in ORDER if name in gathered.tracks], kind),
        wall_s=time.perf_counter() - started,
    )


def _joined(gathered: _Gathered, nets: Nets, rate_hz: float) -> EmotionTrack:
    """All tracks as one over the whole medium; where one speaks alone it is left as it is."""
    times = np.arange(int(gathered.duration_s * rate_hz + 1e-6) + 1) / rate_hz
    if len(gathered.tracks) == 1:
        (alone,) = gathered.tracks.values()
        return alone.at(times)
    tracks = {name: track.at(times) for name, track in gathered.tracks.items()}
    return fuse(tracks, embedder=nets.embedder, rate_hz=rate_hz)


def _film(
    clip: Clip,
    nets: Nets,
    wanted: Sequence[Modality],
    window_s: float,
    *,
    workers: int,
    num_stills: int,
    progress: Report,
) -> _Gathered:
    """Voice in one thread, pictures in another where there are two."""
    gathered = _Gathered(clip.duration_s)
    shares = _Shares(progress)
    jobs: list[Callable[[], None]] = []
    if "voice" in wanted and clip.has_audio:
        told = shares.add("listening", 1.0)
        jobs.append(lambda: _voice(clip, nets, gathered, window_s, told))
    elif "voice" in wanted:
        gathered.missing["voice"] = "the film has no sound"
    seen = [name for name in wanted if name != "voice"]
    if seen and clip.has_video:
        watched = shares.add("watching", 2.0)
        jobs.append(
            lambda: _pictures(
                clip, nets, gathered, seen, watched, num_stills=num_stills, workers=workers
            )
        )
    if not jobs:
        raise BadInput(f"{clip.path} has nothing of {', '.join(wanted)} in it")
    judged = {"voice", "face"} <= set(wanted) and clip.has_audio and clip.has_video
    both = nets.audiovisual if judged else None
    joining = shares.add("face and voice at once", 1.5) if both is not None else None
    _together(jobs, workers, shares.stop)
    if both is not None and joining is not None:
        _talking(clip, both, gathered, joining)
    gathered.rows.sort(key=lambda row: ORDER.index(row.modality or "text"))
    return gathered


class _Shares:
    """Progress of several jobs as one; tells them to stop when one has failed."""

    def __init__(self, progress: Report) -> None:
        self.stop = Event()
        self._progress = progress
        self._parts: list[list[float]] = []  # [weight, share done]

    def add(self, what: str, weight: float) -> Told:
        """The callback of one more job."""
        part = [weight, 0.0]
        self._parts.append(part)

        def told(share: float) -> None:
            if self.stop.is_set():
                raise Stopped
            part[1] = share
            total = sum(weight for weight, _ in self._parts)
            done = sum(weight * done for weight, done in self._parts)
            self._progress(what, 0.97 * done / total)

        return told


class Stopped(Exception):
    """Raised in a job when another one has failed or the user has had enough."""


def _together(jobs: Sequence[Callable[[], None]], workers: int, stop: Event) -> None:
    if workers < 2 or len(jobs) < 2:
        for job in jobs:
            job()
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        running: list[Future[None]] = [pool.submit(job) for job in jobs]
        try:
            for done in as_completed(running):
                done.result()
        except BaseException:  # Ctrl-C too: the others end at their next step
            stop.set()
            raise


def _pictures(
    clip: Clip,
    nets: Nets,
    gathered: _Gathered,
    wanted: Sequence[Modality],
    progress: Told,
    *,
    num_stills: int,
    workers: int,
) -> None:
    meter = SceneMeter(clip.duration_s, num_stills=num_stills)
    if "face" in wanted:
        watched = WatchedClip.of(clip, meter, ahead=workers > 1)
        faces = recognize_faces(watched, recognizer=nets.face, rate_hz=FACES_HZ, progress=progress)
        _take_faces(gathered, faces)
    else:
        watch_scene(clip, meter, progress)
    if "scene" in wanted:
        gathered.take("scene", meter.track(), KNOWN["scene"])
    gathered.stills = tuple(meter.stills)


def _talking(clip: Clip, judge: TalkingJudge, gathered: _Gathered, progress: Told) -> None:
    """Face and voice judged at once where both are there."""
    if gathered.faces is None or "voice" in gathered.missing:
        return
    track = recognize_talking(clip, gathered.faces, recognizer=judge, progress=progress)
    if track is not None:
        gathered.take("audiovisual", track, SAYABLE["audiovisual"])


def _take_faces(gathered: _Gathered, faces: FaceTimelines) -> None:
    gathered.faces = faces
    gathered.tracks["face"] = faces.as_track()  # of confidence 0 where there is none
    if not faces.faces:
        gathered.missing["face"] = "no face was seen"
    size = np.asarray([faces.width, faces.height] * 2, dtype=np.float32)
    in_time = sorted(faces.faces, key=lambda face: float(face.times[0]))
    for number, face in enumerate(in_time, start=1):
        corners = face.boxes / size  # (T, 4)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        gathered.rows.append(Row(f"face {number}", "face", face.track, KNOWN["face"], boxes))


def _picture(path: Path, nets: Nets, wanted: Sequence[Modality], num_stills: int) -> _Gathered:
    picture = read_picture(path)
    gathered = _Gathered(0.0)
    if "face" in wanted:
        _take_faces(gathered, recognize_picture(picture, recognizer=nets.face))
    if "scene" in wanted:
        gathered.take("scene", picture_scene(picture), KNOWN["scene"])
    gathered.stills = ((0.0, still_of(picture)),) if num_stills else ()
    return gathered


def _text(path: Path, nets: Nets) -> _Gathered:
    spoken = read_transcript(path)
    gathered = _Gathered(spoken[-1].end_s if spoken else 0.0)
    gathered.take("text", recognize_text(spoken, recognizer=nets.text), KNOWN["text"])
    if not spoken:
        gathered.missing["text"] = "no words were found"
    return gathered


def _notes(path: Path, nets: Nets) -> _Gathered:
    piece = read_midi(path)
    notes = pitched_notes(piece.parts)
    if not notes:
        raise BadInput(f"{path} holds no pitched note: give music with a melody or chords")
    gathered = _Gathered(piece.duration_s)
    track = recognize_music(notes, recognizer=nets.music, duration_s=piece.duration_s)
    gathered.take("music", track, SAYABLE["music"])
    return gathered


def _heard_music(clip: Clip, nets: Nets, progress: Report) -> _Gathered:
    """The sound of a film or file, taken for music."""

    def blocks() -> Iterator[Sound]:
        for number, block in enumerate(clip.audio_blocks(sample_rate=MUSIC_HZ, channels=1)):
            progress("listening", 0.97 * min(1.0, number / clip.duration_s))
            yield block

    gathered = _Gathered(clip.duration_s)
    track = recognize_music_sound(blocks(), recognizer=nets.music_sound, duration_s=clip.duration_s)
    gathered.take("music", track, SAYABLE["music"])
    if not track.confidence.any():
        gathered.missing["music"] = "it is silent"
    return gathered


def _voice(clip: Clip, nets: Nets, gathered: _Gathered, window_s: float, progress: Told) -> None:
    def blocks() -> Iterator[Sound]:
        for number, block in enumerate(clip.audio_blocks(sample_rate=SPEECH_HZ, channels=1)):
            progress(min(1.0, number / clip.duration_s))
            yield block

    hop_s = min(MAX_HOP_S, window_s / 2)
    track = recognize_speech(blocks(), window_s=window_s, hop_s=hop_s, recognizer=nets.speech)
    gathered.take("voice", track, KNOWN["voice"])
    if not (track.confidence >= LEAST_CONFIDENCE).any():
        gathered.missing["voice"] = "no voice was heard"
