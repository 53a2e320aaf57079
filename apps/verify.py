"""`affetto verify`: what a film or sound tells about its origin, and what it cannot tell.

A signature says what made a file and that nothing was changed since. Where copying or re-encoding
has removed it, the mark in the pixels may still say that Affetto drew the picture. Finding nothing
does not mean that a recording is real.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO, Literal

from affetto.clip import Clip
from affetto.credentials import Credentials, kept_credentials
from affetto.errors import BadInput, EngineError
from affetto.media import regular_file
from affetto.signature import Signature, read_signature
from affetto.text_file import read_text
from affetto.watermark import NUM_BITS, MarkFound, Watermark

State = Literal["intact", "changed", "marked", "nothing"]
# The command's exit codes beyond `affetto.errors`.
EXIT_CODES: dict[State, int] = {"intact": 0, "changed": 5, "marked": 6, "nothing": 7}
HEADLINES: dict[State, str] = {
    "intact": "Signed, and unchanged since.",
    "changed": "Signed, but changed since.",
    "marked": "Made by Affetto, by the mark in its pixels; the signature is gone.",
    "nothing": "Nothing found. That does not mean that it is real.",
}
SOURCES = {
    "trainedAlgorithmicMedia": "wholly generated",
    "compositeWithTrainedAlgorithmicMedia": "a recording joined with generated parts",
}
RECIPE = "recipe.json"
LOOKED_AT_S, MARK_FRAMES = 120.0, 24  # how much of a film is searched for the mark
MAX_RECIPE_BYTES = 4_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        kind: "signature", "mark" or "recipe".
        good: it speaks for the file's stated origin; None where it says nothing.
        sentence: for people.
    """

    kind: Literal["signature", "mark", "recipe"]
    good: bool | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What a file tells.

    Attributes:
        file: its name without folders.
        state: "intact" (signed), "changed" (after signing), "marked" (only the mark in the pixels)
            or "nothing".
        headline: the state in a sentence.
        findings: what was looked for.
        signed_here: with this machine's own key.
        software, source: what made it by its signature, and the IPTC term of what it is; else "".
        statement: job, seed and content_sha256 by its signature.
    """

    file: str
    state: State
    headline: str
    findings: tuple[Finding, ...]
    signed_here: bool
    software: str
    source: str
    statement: Mapping[str, Any]


def verify(path: Path) -> Verdict:
    """Look for signature, mark and recipe.

    Args:
        path: an mp4 or wav.

    Raises:
        BadInput: neither, or damaged beyond reading.
    """
    with os.fdopen(regular_file(path), "rb") as file:
        kind = _kind(path, file)
        try:
            signature = read_signature(file, kind, own=_own())
            broken = None
        except BadInput as error:
            signature, broken = None, str(error)
    findings = [_of_signature(signature, broken)]
    mark = _mark(path, signed=bool(signature or broken))
    findings += _of_mark(mark) if mark else ()
    state: State = "marked" if mark and mark.is_ours else "nothing"
    if signature or broken:
        state = "intact" if signature and signature.intact else "changed"
    findings += _of_recipe(path, signature)
    return Verdict(
        file=path.name,
        state=state,
        headline=HEADLINES[state],
        findings=tuple(findings),
        signed_here=bool(signature and signature.here),
        software=signature.software if signature else "",
        source=signature.source if signature else "",
        statement=signature.statement if signature else {},
    )


def _kind(path: Path, file: BinaryIO) -> str:
    """By the file's first bytes; its name does not count."""
    head = file.read(12)
    file.seek(0)
    if head[4:8] == b"ftyp":
        return ".mp4"
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return ".wav"
    raise BadInput(f"{path} is neither mp4 nor wav: only these carry Affetto's signature and mark")


def _own() -> Credentials | None:
    """A key folder that is in disorder hinders signing, not looking."""
    try:
        return kept_credentials()
    except EngineError:
        return None


def _of_signature(signature: Signature | None, broken: str | None) -> Finding:
    if broken:
        return Finding("signature", False, f"Signed once, but no longer readable: {broken}.")
    if signature is None:
        return Finding(
            "signature", None, "No signature: never signed, or lost by copying or re-encoding."
        )
    signer = signature.signer
    by = signature.software or "software that does not say its name"
    if not signature.intact:
        why = "; ".join(signature.problems) or "it does not verify"
        return Finding("signature", False, f"Signed by {by}, but changed afterwards: {why}.")
    kind = SOURCES.get(signature.source, signature.source or "of a kind it does not state")
    if signature.here:
        who = "The key is this machine's own."
    elif signature.trusted:
        who = f"The certificate is {signer}'s, vouched for by the root of this machine's own."
    else:
        who = f"The key is not this machine's ({signer}), and nobody vouches for whose it is."
    return Finding("signature", True, f"Signed by {by}: {kind}; unchanged since. {who}")


def _mark(path: Path, *, signed: bool) -> MarkFound | None:
    """What the pixels say; None without moving pictures.

    Raises:
        BadInput: the file cannot be played; of a signed one, the signature says enough.
    """
    try:
        clip = Clip.open(path)
        if not clip.has_video:
            return None
        step_s = min(clip.duration_s, LOOKED_AT_S) / MARK_FRAMES
        due_s = count(0.0, step_s)
        next_s = [next(due_s)]

        def wanted(time_s: float) -> bool:
            if time_s < next_s[0]:
                return False
            next_s[0] = next(due_s)
            return True

        pictures = (picture for _, picture in clip.frames(wanted=wanted))
        return Watermark().read(islice(pictures, MARK_FRAMES))
    except BadInput:
        if signed:
            return None
        raise


def _of_mark(mark: MarkFound) -> Iterator[Finding]:
    told = f"{mark.matching} of {NUM_BITS} bits in {mark.num_frames} frames"
    if mark.is_ours:
        yield Finding("mark", True, f"Affetto's invisible mark is in the picture ({told}).")
    else:
        yield Finding("mark", None, f"No invisible mark of Affetto's ({told}, as by chance).")


def _of_recipe(path: Path, signature: Signature | None) -> Iterator[Finding]:
    """The recipe beside a file: is it this file's?"""
    for folder in path.absolute().parents[:2]:  # stems stand one folder deeper
        beside = folder / RECIPE
        if beside.is_file():
            break
    else:
        return
    try:
        recipe = json.loads(read_text(beside, max_bytes=MAX_RECIPE_BYTES))
        said = {name: recipe[name] for name in ("job", "seed", "content_sha256")}
    except (EngineError, ValueError, TypeError, LookupError, RecursionError):
        yield Finding("recipe", None, f"The {RECIPE} beside it is not one that Affetto wrote.")
        return
    if signature is None or not signature.intact or not signature.statement:
        yield Finding("recipe", None, f"There is a {RECIPE} beside it; no signature ties it to it.")
    elif dict(signature.statement) == said:
        yield Finding("recipe", True, f"The {RECIPE} beside it is the one of this file.")
    else:
        yield Finding("recipe", False, f"The {RECIPE} beside it belongs to another file.")


def summary(verdict: Verdict) -> str:
    """The verdict in a few lines for a terminal."""
    signs = {True: "+", False: "!", None: "-"}
    rows = [f"{verdict.file}: {verdict.headline}"]
    rows += [f"  {signs[finding.good]} {finding.sentence}" for finding in verdict.findings]
    if verdict.statement:
        told = ", ".join(f"{name} {value}" for name, value in sorted(verdict.statement.items()))
        rows.append(f"  It states: {told}")
    return "\n".join(rows)
