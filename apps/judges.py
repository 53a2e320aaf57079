"""The judges of emotion with their weights, each loaded when it is first needed."""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING

from affetto.apps.recognize_job import Kind, Modality
from affetto.emotion_bank.embedder import CrossModalEmbedder, load_embedder
from affetto.recognizers.independence import Net
from affetto.recognizers.reading import Recognizer
from affetto.weights import SHIPPED

if TYPE_CHECKING:
    from affetto.recognizers.audiovisual.recognizer import AudioVisualRecognizer
    from affetto.recognizers.music.recognizer import MusicRecognizer
    from affetto.recognizers.speech.recognizer import SpeechRecognizer
    from affetto.recognizers.text.recognizer import TextRecognizer


class Nets:
    """The judges of one run; `face_judge` takes the second face net, which is never a loss."""

    def __init__(self, *, face_judge: bool = False) -> None:
        self._face_judge = face_judge

    @cached_property
    def speech(self) -> "SpeechRecognizer":
        """The voice's judge."""
        from affetto.recognizers.speech.recognizer import load_speech

        return load_speech()

    @cached_property
    def face(self) -> Recognizer:
        """The face's judge."""
        from affetto.recognizers.face.judge import load_face_judge
        from affetto.recognizers.face.recognizer import load_face

        return load_face_judge() if self._face_judge else load_face()

    @cached_property
    def audiovisual(self) -> "AudioVisualRecognizer | None":
        """Who judges a face and its voice at once; None beside the second face net.

        It looks through the first face net, so it knows what that one knows. None, too, until its
        weights ship.
        """
        if self._face_judge or "audiovisual" not in SHIPPED:
            return None
        from affetto.recognizers.audiovisual.recognizer import load_audiovisual

        return load_audiovisual(face=self.face, speech=self.speech)  # type: ignore[arg-type]

    @cached_property
    def apart(self) -> "Nets":
        """The same judges, but for the face the one that is never a loss."""
        others = copy(self)
        for name in ("face", "audiovisual"):
            vars(others).pop(name, None)
        others._face_judge = True
        return others

    @cached_property
    def text(self) -> "TextRecognizer":
        """The words' judge."""
        from affetto.recognizers.text.recognizer import load_text

        return load_text()

    @cached_property
    def music(self) -> "MusicRecognizer":
        """The notes' judge: the one that no part of the composer reads."""
        from affetto.recognizers.music.recognizer import load_music_recognizer

        return load_music_recognizer("music_emotion_judge")

    @cached_property
    def music_sound(self) -> "MusicRecognizer":
        """The sounding music's judge, from the same games as the notes' judge."""
        from affetto.recognizers.music.recognizer import load_music_recognizer

        return load_music_recognizer("music_sound")

    @cached_property
    def embedder(self) -> CrossModalEmbedder:
        """What joins them."""
        return load_embedder()

    def of(self, modality: Modality, kind: Kind) -> "Recognizer | MusicRecognizer | None":
        """Who judges a modality in a kind of medium; None for the scene, which has no weights."""
        if modality == "scene":
            return None
        music = "music" if kind == "notes" else "music_sound"
        judges = {"voice": "speech", "music": music}
        judge: Recognizer | MusicRecognizer | None = getattr(self, judges.get(modality, modality))
        return judge


def judge_nets(nets: Nets, modalities: Sequence[Modality], kind: Kind) -> tuple[Net, ...]:
    """Names, fingerprints and training data of those who judge `modalities` in such a medium."""
    judges = [judge for name in modalities if (judge := nets.of(name, kind)) is not None]
    return tuple(Net(weights_name(one), one.fingerprint, one.trained_on) for one in judges)


def weights_name(judge: "Recognizer | MusicRecognizer") -> str:
    """The shipped name of the weights that a judge carries, else its modality."""
    names = (name for name, digest in SHIPPED.items() if digest == judge.fingerprint)
    return next(names, judge.modality)
