"""The words people use for emotions, led back to the canonical labels."""

import difflib

from affetto.emotion import LABELS

# Word -> the label or labels it stands for, in equal shares. Everyday synonyms, the nouns of the
# labels, and Video2Music's words; "tense" as in recognizers/taxonomy.py.
ALIASES: dict[str, tuple[str, ...]] = {
    "none": ("neutral",),
    "joy": ("happy",), "joyful": ("happy",), "happiness": ("happy",), "glad": ("happy",),
    "cheerful": ("happy",), "delighted": ("happy",), "amused": ("happy",),
    "sadness": ("sad",), "sorrow": ("sad",), "sorrowful": ("sad",), "unhappy": ("sad",),
    "gloomy": ("sad",), "melancholic": ("sad",), "melancholy": ("sad",), "depressed": ("sad",),
    "anger": ("angry",), "mad": ("angry",), "furious": ("angry",), "rage": ("angry",),
    "annoyed": ("angry",), "irritated": ("angry",),
    "fear": ("fearful",), "afraid": ("fearful",), "scared": ("fearful",), "anxious": ("fearful",),
    "frightened": ("fearful",), "terrified": ("fearful",), "scary": ("fearful",),
    "disgust": ("disgusted",), "disgusting": ("disgusted",), "revolted": ("disgusted",),
    "surprise": ("surprised",), "astonished": ("surprised",), "amazed": ("surprised",),
    "shocked": ("surprised",),
    "contempt": ("contemptuous",), "scornful": ("contemptuous",), "disdain": ("contemptuous",),
    "relaxed": ("calm",), "relaxing": ("calm",), "peaceful": ("calm",), "serene": ("calm",),
    "content": ("calm",), "contentment": ("calm",), "calmness": ("calm",), "tranquil": ("calm",),
    "excitement": ("excited",), "exciting": ("excited",), "energetic": ("excited",),
    "thrilled": ("excited",), "enthusiastic": ("excited",),
    "tenderness": ("tender",), "love": ("tender",), "loving": ("tender",), "romantic": ("tender",),
    "affectionate": ("tender",), "warm": ("tender",),
    "tense": ("fearful", "angry"), "tension": ("fearful", "angry"),
    "bittersweet": ("happy", "sad"), "bitter-sweet": ("happy", "sad"),
    "nostalgic": ("tender", "sad"), "nostalgia": ("tender", "sad"),
}  # fmt: skip

# Two emotions at once as adverb and adjective. Neutral has no adverb.
ADVERBS: dict[str, str] = {
    "happily": "happy", "sadly": "sad", "angrily": "angry", "fearfully": "fearful",
    "disgustedly": "disgusted", "contemptuously": "contemptuous", "calmly": "calm",
    "excitedly": "excited", "tenderly": "tender",
}  # fmt: skip
# The seven compound emotions of C-EXPR-DB (Kollias 2023).
COMPOUNDS: dict[str, tuple[str, str]] = {
    "fearfully surprised": ("fearful", "surprised"),
    "happily surprised": ("happy", "surprised"),
    "sadly surprised": ("sad", "surprised"),
    "disgustedly surprised": ("disgusted", "surprised"),
    "angrily surprised": ("angry", "surprised"),
    "sadly fearful": ("sad", "fearful"),
    "sadly angry": ("sad", "angry"),
}


def labels_of(word: str) -> tuple[str, ...]:
    """The canonical labels a word stands for in equal shares; empty for an unknown word.

    A compound is an adverb of `ADVERBS` and a label, such as "sadly angry".
    """
    word = word.casefold()
    adverb, _, label = word.partition(" ")
    if adverb in ADVERBS and label.strip() in LABELS:
        pair = (ADVERBS[adverb], label.strip())
        return pair if pair[0] != pair[1] else ()
    return (word,) if word in LABELS else ALIASES.get(word, ())


def nearest_words(word: str) -> list[str]:
    """Up to three known words spelled like `word`, nearest first."""
    return difflib.get_close_matches(
        word.casefold(), (*LABELS, *ALIASES, *COMPOUNDS), n=3, cutoff=0.6
    )
