"""The emotion words of other systems and what they mean in our eleven labels.

Only the rows that name one label are facts; every split (tense, awe, boredom, the moods and music
emotions, the quadrants) is our design choice, made from the words' meaning and not measured.
benchmarks/bank.py sets the moods' places beside published ratings of the words.
"""

from affetto.emotion import LABELS

Row = dict[str, float]


def _one_to_one(**words: str) -> dict[str, Row]:
    return {word: {label: 1.0} for word, label in words.items()}


def _ekman(*labels: str) -> dict[str, Row]:
    return {label: {label: 1.0} for label in labels}


_EKMAN6 = ("happy", "sad", "angry", "fearful", "disgusted", "surprised")

# Taxonomy -> native label -> shares of canonical labels; the order of a table is that of its
# columns.
TABLES: dict[str, dict[str, Row]] = {
    # Video2Music (Kang, Poria and Herremans 2023): CLIP's six words.
    "video2music6": {
        "exciting": {"excited": 1.0},
        "fearful": {"fearful": 1.0},
        "tense": {"fearful": 0.5, "angry": 0.5},
        "sad": {"sad": 1.0},
        "relaxing": {"calm": 1.0},
        "neutral": {"neutral": 1.0},
    },
    # The six of Ekman 1992; with neutral; with neutral and contempt.
    "ekman6": _ekman(*_EKMAN6),
    "ekman7": _ekman("neutral", *_EKMAN6),
    "ekman8": _ekman("neutral", *_EKMAN6, "contemptuous"),
    # RAVDESS (Livingstone and Russo 2018), by its emotion codes 01..08.
    "ravdess8": _one_to_one(
        neutral="neutral", calm="calm", happy="happy", sad="sad", angry="angry", fearful="fearful",
        disgust="disgusted", surprised="surprised",
    ),
    # EMO-DB (Burkhardt et al. 2005), alphabetical; boredom lies low and a little to the bad.
    "emodb7": {
        **_one_to_one(anger="angry"),
        "boredom": {"sad": 0.5, "neutral": 0.5},
        **_one_to_one(
            disgust="disgusted", fear="fearful", happiness="happy", neutral="neutral", sadness="sad"
        ),
    },
    # CREMA-D (Cao et al. 2014), by the letters of its vote tables A D F H N S.
    "cremad6": _one_to_one(
        anger="angry", disgust="disgusted", fear="fearful", happy="happy", neutral="neutral",
        sad="sad",
    ),
    # FER+ (Barsoum et al. 2016), the eight emotion columns of its vote table.
    "ferplus8": _one_to_one(
        neutral="neutral", happiness="happy", surprise="surprised", sadness="sad", anger="angry",
        disgust="disgusted", fear="fearful", contempt="contemptuous",
    ),
    # MEAD (Wang et al. 2020).
    "mead8": _one_to_one(
        neutral="neutral", angry="angry", contempt="contemptuous", disgusted="disgusted",
        fear="fearful", happy="happy", sad="sad", surprised="surprised",
    ),
    # Our own eleven.
    "canonical11": {label: {label: 1.0} for label in LABELS},
    # Mikels et al. 2005, alphabetical as in EmoSet.
    "mikels8": {
        "amusement": {"excited": 0.6, "happy": 0.4},
        "anger": {"angry": 1.0},
        "awe": {"tender": 0.7, "surprised": 0.3},
        "contentment": {"calm": 0.7, "happy": 0.3},
        "disgust": {"disgusted": 1.0},
        "excitement": {"excited": 1.0},
        "fear": {"fearful": 1.0},
        "sadness": {"sad": 1.0},
    },
    # Russell's quadrants as in EMOPIA: valence and arousal +/+, -/+, -/-, +/-.
    "va_quadrants": {
        "Q1": {"happy": 0.5, "excited": 0.5},
        "Q2": {"angry": 0.5, "fearful": 0.5},
        "Q3": {"sad": 1.0},
        "Q4": {"calm": 0.5, "tender": 0.5},
    },
    # Emotions that music wakes: the nine factors of GEMS (Zentner, Grandjean and Scherer 2008).
    "gems9": {
        "wonder": {"surprised": 0.4, "happy": 0.3, "tender": 0.3},
        "transcendence": {"tender": 0.4, "calm": 0.3, "excited": 0.3},
        "tenderness": {"tender": 1.0},
        "nostalgia": {"tender": 0.5, "sad": 0.5},
        "peacefulness": {"calm": 1.0},
        "power": {"excited": 1.0},
        "joyful activation": {"happy": 0.5, "excited": 0.5},
        "tension": {"fearful": 0.5, "angry": 0.5},
        "sadness": {"sad": 1.0},
    },
    # The affective ones among the 56 mood and theme tags of MTG-Jamendo (Bogdanov et al. 2019); the
    # other 26 name a use, a form or a place (film, corporate, ballad, space) and map to nothing.
    "jamendo_moods30": {
        "action": {"excited": 0.6, "fearful": 0.4},
        "adventure": {"excited": 0.8, "surprised": 0.2},
        "calm": {"calm": 1.0},
        "dark": {"fearful": 0.5, "sad": 0.5},
        "drama": {"sad": 0.5, "fearful": 0.5},
        "dramatic": {"fearful": 0.5, "excited": 0.3, "angry": 0.2},
        "dream": {"calm": 0.5, "tender": 0.5},
        "emotional": {"tender": 0.5, "sad": 0.5},
        "energetic": {"excited": 1.0},
        "epic": {"excited": 0.6, "tender": 0.2, "surprised": 0.2},
        "fun": {"happy": 0.6, "excited": 0.4},
        "funny": {"happy": 0.8, "surprised": 0.2},
        "happy": {"happy": 1.0},
        "heavy": {"angry": 0.7, "sad": 0.3},
        "hopeful": {"happy": 0.5, "tender": 0.5},
        "inspiring": {"excited": 0.5, "happy": 0.25, "tender": 0.25},
        "love": {"tender": 1.0},
        "meditative": {"calm": 0.9, "tender": 0.1},
        "melancholic": {"sad": 0.8, "tender": 0.2},
        "motivational": {"excited": 0.7, "happy": 0.3},
        "party": {"excited": 0.6, "happy": 0.4},
        "positive": {"happy": 0.8, "calm": 0.2},
        "powerful": {"excited": 0.7, "angry": 0.3},
        "relaxing": {"calm": 1.0},
        "romantic": {"tender": 1.0},
        "sad": {"sad": 1.0},
        "sexy": {"excited": 0.5, "tender": 0.5},
        "soft": {"calm": 0.6, "tender": 0.4},
        "upbeat": {"happy": 0.5, "excited": 0.5},
        "uplifting": {"happy": 0.6, "excited": 0.4},
    },
}  # fmt: skip
