"""Speech by flite, whose phone times are known.

flite (Black and Lenzo 2001; permissive licence; a program of the system, used in development only)
says any text in several voices and prints when each phone ends. Each utterance gets a rate and a
pitch of its own.
"""

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affetto.conditioning.arpabet import to_ipa
from affetto.conditioning.phones import SpokenPhone, SpokenPhones
from affetto.errors import BadInput

RATE_HZ = 16000
VOICES = ("slt", "awb", "kal16", "rms")
USUAL_PITCH_HZ = {"slt": 175.0, "awb": 125.0, "kal16": 105.0, "rms": 95.0}
WORDS_IN_A_LIST = (5, 9)
PAUSE_S = (0.1, 0.7)  # of silence at either end
_WORD = re.compile(r"[a-z]{3,11}")
Sound = NDArray[np.float32]


@dataclass(frozen=True)
class Synthesized:
    """An utterance.

    Attributes:
        key: unique.
        voice: flite's name of it.
        text: what is said.
        wav: (S,) at 16 kHz.
        phones: with flite's own times.
    """

    key: str
    voice: str
    text: str
    wav: Sound
    phones: SpokenPhones


def synthesize(
    text: str, *, voice: str, key: str, stretch: float | None = 1.0, pitch_hz: float | None = None
) -> Synthesized:
    """Say a text.

    Args:
        text: English.
        voice: one of VOICES.
        key: the utterance's name.
        stretch: of durations; above 1 is slower, None is the voice's own (kal16's is 1.1).
        pitch_hz: mean F0; None is the voice's own.

    Raises:
        BadInput: flite is not installed or fails.
    """
    import soundfile
    import soxr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        command = ["flite", "-voice", voice]
        if stretch is not None:
            command += ["--setf", f"duration_stretch={stretch:.3f}"]
        if pitch_hz is not None:
            command += ["--setf", f"int_f0_target_mean={pitch_hz:.1f}"]
        command += ["-psdur", "-t", text, "-o", str(path)]
        try:
            said = subprocess.run(command, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise BadInput(f"flite cannot say this: {error}; is it installed?") from error
        wav, rate = soundfile.read(path, dtype="float32")
    if rate != RATE_HZ:
        wav = soxr.resample(wav, rate, RATE_HZ)
    return Synthesized(key, voice, text, wav.astype(np.float32), voiced_phones(said.stdout))


def spoken_texts(*, seed: int, voices: tuple[str, ...], num_each: int) -> Iterator[Synthesized]:
    """Utterances of sentences and of lists of random dictionary words, by each voice.

    Args:
        seed: of all choices.
        voices: of VOICES.
        num_each: utterances a voice.
    """
    words = dictionary_words()
    for voice in voices:
        place = int.from_bytes(hashlib.sha256(voice.encode()).digest()[:4])
        rng = np.random.default_rng([seed, place])
        for number in range(num_each):
            if rng.random() < 0.5:
                text = SENTENCES[int(rng.integers(len(SENTENCES)))]
            else:
                count = int(rng.integers(*WORDS_IN_A_LIST))
                text = " ".join(rng.choice(words, count)) + "."
            yield synthesize(
                text,
                voice=voice,
                key=f"{voice}_{seed}_{number:04d}",
                stretch=float(rng.uniform(0.85, 1.3)),
                pitch_hz=USUAL_PITCH_HZ[voice] * float(rng.uniform(0.85, 1.2)),
            )


def dictionary_words() -> list[str]:
    """English words of the pronouncing dictionary that pocketsphinx brings."""
    from pocketsphinx import get_model_path

    table = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8")
    found = (line.partition(" ")[0] for line in table.splitlines())
    return [word for word in found if _WORD.fullmatch(word)]


def voiced_phones(table: str) -> SpokenPhones:
    """Sounds and times from flite's list of "name:end"; pauses are left out."""
    phones, start = [], 0.0
    for entry in table.split():
        name, _, ends = entry.rpartition(":")
        end = float(ends)
        if to_ipa(name):
            phones.append(SpokenPhone(to_ipa(name), start, end, 1.0))
        start = end
    return tuple(phones)


SENTENCES = (
    "My baby brother found five fishes by the pool, and Bob made a promise.",
    "Would you move the blue moon boat over to the old stone bridge?",
    "Seven famous women visited the village and bought very fine vases.",
    "She should choose a cheap washing machine, I suppose.",
    "Thank you for everything, both of you; this means the world to me.",
    "Please keep the green leaves near the sea until Peter sees them.",
    "How now, brown cow? The loud crowd found the house by the mountain.",
    "We were away one winter week, and we wanted warm water.",
    "Papa made pancakes; mama baked a big plum pie with apples.",
    "The quick brown fox jumps over the lazy dog.",
    "I never thought it would happen, but here we are at last.",
    "Open the window, close the door, and go home before it snows.",
    "Joy enjoyed the noise of the toy, but the boy was annoyed.",
    "Red roses rarely grow around the rough road near the river.",
    "Just a moment, I have to measure the usual treasure again.",
    "What on earth have you done with all of my money?",
    "Good books could look good, but nobody took them.",
    "Few people knew the new music was due on Tuesday at two.",
    "Half of the calm palm trees fell far behind the farm.",
    "Every evening Eleven elephants enter the empty desert.",
    "It is simply a bit bigger than this little kitchen.",
    "Put the cup and the spoon up on the shelf above the stove.",
    "Who knew that the shoe was too loose for you?",
    "Bring me the paper from the top of the cupboard, please.",
    "I am so happy that you could come to my birthday party.",
    "Leave me alone, I do not want to hear another word.",
    "They say the weather will be wonderful for both of the brothers.",
    "Mister Fisher offers fifty five free coffees on Friday.",
    "Have a very nice evening, and give my love to everybody.",
    "Maybe we may meet again in the middle of May.",
    "The police stopped a purple bus full of people from Poland.",
    "Oh no, the phone is broken and the photo is gone forever.",
    "Sugar, sherry and fresh fish should be on the shopping list.",
    "Watch out, which witch would want a wet white wig?",
    "Our hour is over; our power went out hours ago.",
    "Call the small tall man who walked all along the wall.",
    "Nine kind guides drive five miles on a fine night in July.",
    "Ask the class to pass the glass, fast and at last.",
    "Tomorrow morning the orchestra will perform a short opera.",
    "I believe you, but nobody else in this room ever will.",
    "Mom and Bob, come up and hop on the bumpy pony.",
    "Through thick and thin, three thousand thoughts went forth.",
    "Could you show me how the show goes, slowly?",
    "The government of the province improved the environment.",
    "Above the bay a brave pilot flew above a bank of fog.",
    "Somebody must have moved the map of Memphis.",
    "Every voice above the river gave a valley its flavour.",
    "A whole bowl of cold oatmeal, and no one wanted more.",
)
