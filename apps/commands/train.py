"""`affetto train`: one recipe."""

import json
from typing import Annotated

import typer


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            help="audiovisual, bank, embedder, speech, speech_student, face, face_loss, "
            "face_judge, face_motion, text, motion, music_chords, music_dynamics, music_melody, "
            "music_emotion, music_emotion_judge or music_sound."
        ),
    ],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="A config .yaml first if wanted, then key=value ...")
    ] = None,
) -> None:
    """Train one recipe, on one CPU or under `accelerate launch -m affetto.apps.cli train ...`."""
    from affetto.apps.training import run

    print(json.dumps(run(recipe, overrides or []), indent=2))
