"""The engine as objects: nets loaded once, called as often as wanted, nothing written to disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from affetto.apps.judges import Nets
from affetto.apps.recognize_job import MODALITIES, Modality, Recognition
from affetto.apps.recognize_media import recognize_medium
from affetto.apps.resolve import resolve
from affetto.apps.soundtrack import models_of
from affetto.apps.talk_job import check_options
from affetto.apps.talk_request import open_speech, read_wav, wanted_track
from affetto.clip import Clip
from affetto.conditioning.video import read_video_conditions
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.bank import request_to_track
from affetto.emotion_bank.commitment import commit
from affetto.gen.music.pipeline import ComposeOptions, MusicModels, compose
from affetto.gen.portrait.hearing import listen
from affetto.gen.portrait.pipeline import (
    Models,
    TalkOptions,
    expressed,
    frames_of,
    load_models,
    rows_at,
    talk,
)
from affetto.gen.portrait.render.analyse import analyse
from affetto.gen.portrait.render.renderer import Renderer
from affetto.motion import FPS, Motion
from affetto.recognizers.face.picture import read_picture
from affetto.recognizers.scene.recognizer import recognize_scene
from affetto.request import parse_request
from affetto.soundtrack import Soundtrack

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Talk:
    """A portrait that talks, not yet drawn.

    Attributes:
        motion: of all of it, at 25 frames a second.
        emotion: what it shows.
        fps: of the frames.
        num_frames: there will be.
        notices: what the photo's examination found.
    """

    motion: Motion
    emotion: EmotionTrack
    fps: float
    num_frames: int
    notices: tuple[str, ...]
    renderer: Renderer

    @property
    def frames(self) -> Iterator[Picture]:
        """(H, W, 3) uint8 RGB, one after the other, drawn as they are asked for."""
        for row in rows_at([self.motion], fps=self.fps, num_frames=self.num_frames):
            yield self.renderer.frame(row)


class TalkingPortrait:
    """Photo, speech and emotion to frames."""

    def __init__(self, models: Models) -> None:
        self.models = models

    @classmethod
    def from_pretrained(cls, weights: str = "default") -> Self:
        """Load the nets.

        Args:
            weights: default, clean (licence-clean data), a folder, or hub:owner/name.

        Raises:
            WeightsError: there are none, or they are not what they say.
        """
        return cls(load_models(weights))

    def __call__(
        self,
        portrait: str | Path | Picture,
        speech: str | Path,
        *,
        emotion: str = "auto",
        size: int | None = 512,
        fps: float = FPS,
        options: TalkOptions | None = None,
    ) -> Talk:
        """Make a photo talk.

        Args:
            portrait: a file, or (H, W, 3) uint8 RGB.
            speech: a sound, or a film with sound.
            emotion: a request, see `affetto.request`.
            size: side of the frames in pixels; None is the whole photo at its own resolution.
            fps: frames a second.
            options: seed, strength, knobs.

        Raises:
            EngineError: see `affetto.errors`.
        """
        options = options or TalkOptions()
        check_options(options, fps=fps, size=size)
        picture = portrait if isinstance(portrait, np.ndarray) else read_picture(Path(portrait))
        sound = open_speech(Path(speech))
        seen = analyse(picture)
        wanted = wanted_track(parse_request(emotion), sound, models=self.models)
        shown = expressed(wanted, strength=options.strength)
        heard = listen(read_wav(sound), clean=self.models.speech is None)
        windows = list(talk(heard, shown, models=self.models, options=options))
        return Talk(
            motion=Motion(np.concatenate([window.values for window in windows]), FPS),
            emotion=shown,
            fps=fps,
            num_frames=frames_of(sound.duration_s, fps),
            notices=tuple(notice.text for notice in seen.notices),
            renderer=Renderer(seen, size=size),
        )


class AffectiveMusic:
    """A film and an emotion to notes (`affetto.api.soundtrack` plays and mixes them, too)."""

    def __init__(self, models: MusicModels) -> None:
        self.models = models

    @classmethod
    def from_pretrained(cls, weights: str = "default") -> Self:
        """Load the nets: default, clean, a folder, or hub:owner/name (see `TalkingPortrait`)."""
        return cls(models_of(weights))

    def __call__(
        self, video: str | Path, *, emotion: str = "auto", options: ComposeOptions | None = None
    ) -> Soundtrack:
        """Compose for a film.

        Args:
            video: the film.
            emotion: a request, see `affetto.request`.
            options: seed, key, tempo, instruments, style, hits; seed 0 by default.

        Raises:
            EngineError: see `affetto.errors`.
        """
        clip = Clip.open(Path(video))
        request = parse_request(emotion)
        seen = read_video_conditions(clip, semantic="none")
        measured = recognize_scene(seen.conditions, duration_s=seen.duration_s)
        wanted = request_to_track(
            request,
            duration_s=seen.duration_s,
            measured=commit(measured),
            resolved=resolve(request, duration_s=seen.duration_s),
        )
        return compose(
            seen.conditions,
            wanted,
            seen.cuts,
            duration_s=seen.duration_s,
            models=self.models,
            options=options or ComposeOptions(seed=0),
        )


class EmotionRecognizer:
    """Films, sounds, pictures and texts to emotion over time."""

    def __init__(self, nets: Nets) -> None:
        self.nets = nets

    @classmethod
    def from_pretrained(cls) -> Self:
        """The shipped nets; each is loaded when first needed, then kept."""
        return cls(Nets())

    def __call__(
        self, media: str | Path, *, only: tuple[Modality, ...] = MODALITIES, rate_hz: float = 2.0
    ) -> Recognition:
        """Recognize one medium.

        Args:
            media: the file.
            only: of voice, face, scene, text, music.
            rate_hz: steps a second of the fused course.

        Returns:
            `.track` is the course of all together, `.rows` each judge's own.

        Raises:
            EngineError: see `affetto.errors`.
        """
        return recognize_medium(
            Path(media), nets=self.nets, only=only, rate_hz=rate_hz, num_workers=1
        )
