"""`affetto train RECIPE [config.yaml] [key=value ...]`: which recipe, which configuration."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affetto.config import load_config
from affetto.errors import ConfigError

# name -> (module, its configuration dataclass)
RECIPES = {
    "audiovisual": ("affetto.train.audiovisual", "AudioVisualRecipe"),
    "bank": ("affetto.train.bank", "BankRecipe"),
    "embedder": ("affetto.train.embedder", "EmbedderRecipe"),
    "music_chords": ("affetto.train.music_chords", "ChordsRecipe"),
    "face": ("affetto.train.face", "FaceRecipe"),
    "face_loss": ("affetto.train.face", "LossRecipe"),
    "face_judge": ("affetto.train.face", "JudgeRecipe"),
    "face_motion": ("affetto.train.face_motion", "MotionRecipe"),
    "motion": ("affetto.train.motion", "MotionRecipe"),
    "music_dynamics": ("affetto.train.music_dynamics", "DynamicsRecipe"),
    "music_melody": ("affetto.train.music_melody", "MelodyRecipe"),
    "music_emotion": ("affetto.train.music_emotion", "MusicRecipe"),
    "music_emotion_judge": ("affetto.train.music_emotion", "MusicRecipe"),
    "music_sound": ("affetto.train.music_sound", "SoundRecipe"),
    "text": ("affetto.train.text", "TextRecipe"),
    "speech": ("affetto.train.speech", "SpeechRecipe"),
    "speech_student": ("affetto.train.speech_student", "StudentRecipe"),
}
CONFIGS = Path(__file__).parent.parent / "train" / "configs"


def run(recipe: str, words: Sequence[str]) -> dict[str, Any]:
    """Train `recipe`; gives its final figures.

    Args:
        recipe: a name in RECIPES.
        words: at most one YAML file (default: the recipe's own), then key=value overrides.

    Raises:
        ConfigError: unknown recipe, or a configuration that does not fit.
    """
    if recipe not in RECIPES:
        raise ConfigError(f"unknown recipe {recipe!r}: there is {', '.join(RECIPES)}")
    module_name, config_name = RECIPES[recipe]
    module = importlib.import_module(module_name)
    files = [Path(word) for word in words if word.endswith((".yaml", ".yml")) and "=" not in word]
    overrides = [word for word in words if "=" in word]
    if len(files) > 1 or len(files) + len(overrides) != len(words):
        raise ConfigError(
            f"expected at most one .yaml file and key=value words, got {' '.join(words)}"
        )
    config = load_config(
        getattr(module, config_name), files[0] if files else CONFIGS / f"{recipe}.yaml", overrides
    )
    figures: dict[str, Any] = module.run(config)
    return figures
