"""A request that needs a recognizer becomes a track: free text, and `like:` another recording."""

from dataclasses import replace
from pathlib import Path

from affetto.apps.progress import Report, silent
from affetto.emotion import EmotionTrack
from affetto.emotion_bank.commitment import commit
from affetto.errors import BadInput, RequestError
from affetto.request import EmotionRequest, FreeText, Like

TRACKS = (".json", ".csv")


def resolve(
    request: EmotionRequest, *, duration_s: float, progress: Report = silent
) -> EmotionTrack | None:
    """What a recognizer makes of the request; None where the bank needs no recognizer.

    Args:
        request: any.
        duration_s: of the film; places words such as 'at the end'.
        progress: is told what is happening.

    Raises:
        RequestError: the words or the recording say nothing about emotion, or the file is no track.
        MediaError: the recording cannot be read.
    """
    if isinstance(request.target, FreeText):
        from affetto.recognizers.text.recognizer import load_text
        from affetto.recognizers.text.request import resolve_text

        return resolve_text(request.target.text, duration_s=duration_s, recognizer=load_text())
    if isinstance(request.target, Like):
        return like(request.target.file, progress=progress)
    return None


def like(file: Path, *, progress: Report = silent) -> EmotionTrack:
    """The emotion of a saved track, or of a film, sound, picture or text.

    What is felt before a film without people is an estimate shrunk towards the middle and is
    committed to, as for `auto`; what people express is taken as it is.

    Raises:
        RequestError: no track in the file, or nothing to judge in the recording.
        MediaError: the recording cannot be read.
    """
    if file.suffix.casefold() in TRACKS:
        return _saved(file)
    from affetto.apps.judges import Nets
    from affetto.apps.machine import free_cores
    from affetto.apps.recognize_media import recognize_medium
    from affetto.recognizers.fuse import LEAST_CONFIDENCE

    found = recognize_medium(file, nets=Nets(), num_workers=free_cores(), progress=progress)
    if not (found.track.confidence >= LEAST_CONFIDENCE).any():
        why = "; ".join(found.missing.values()) or "nothing in it can be judged"
        raise RequestError(f"like:{file}: {why}: give another recording, or name the emotion")
    return commit(found.track) if found.track.kind == "evoked" else found.track


def _saved(file: Path) -> EmotionTrack:
    try:
        track = EmotionTrack.load(file)
    except BadInput as error:
        raise RequestError(
            f"like:{file} is no saved emotion track ({error}). `affetto recognize MEDIA --track "
            f"out.json` writes one; a file of keyframes is asked for without like:"
        ) from error
    return replace(track, kind="expressed" if track.kind == "requested" else track.kind)
