"""What the text recognizer reaches: EmoBank's test, Warriner's words, our phrases, the 40 requests.

python benchmarks/text.py --data ../shared/data
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from result_file import write_result

from affetto.recognizers.metrics import bootstrap, calibration_error, ccc, confusion, pearson, uar
from affetto.recognizers.text.encoder import Tokens, read_minilm
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.recognizer import TextRecognizer, load_text, read_texts
from affetto.recognizers.text.request import resolve_text
from affetto.train.data.emobank import RatedTexts, read_emobank
from affetto.train.data.phrases import TEST_FOLD, Phrases, read_phrases
from affetto.train.data.sentiment_words import read_sentiment_words, stem
from affetto.train.data.warriner import RatedWords, read_warriner
from affetto.train.text_calibration import coverage

AXES = ("valence", "arousal", "dominance")
PROTOCOL = Path(__file__).parent / "protocols" / "text_requests.csv"
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", default="text")
    given = parser.parse_args()
    torch.set_num_threads(1)
    recognizer = load_text(given.weights)
    emobank = {part: read_emobank(given.data, part) for part in ("train", "dev", "test")}
    phrases = read_phrases()
    raw = {part: raw_means(texts.texts) for part, texts in emobank.items()}
    ridge = fitted_ridge(raw, emobank)
    lines = [
        "# Text: labels, valence, arousal, dominance",
        "",
        f"Weights sha256 {recognizer.fingerprint[:16]}, trained on {', '.join(recognizer.trained_on)}. Intervals: 95 %,",
        "bootstrap over documents (EmoBank), words, groups (phrases) or requests, 1000 draws, seed 0.",
        *emobank_lines(recognizer, emobank, ridge.predict(raw["test"])),
        *word_lines(recognizer, given.data, phrases, ridge),
        *sentiment_lines(recognizer, phrases),
        *phrase_lines(recognizer, phrases),
        *request_lines(recognizer),
    ]
    write_result(
        "text", "\n".join(lines), command="python benchmarks/text.py --data ../shared/data"
    )


@torch.no_grad()
def raw_means(texts: tuple[str, ...]) -> np.ndarray:
    """(N, 384) MiniLM as it is in its wheel: the mean over the tokens of its last layer."""
    encoder, _ = read_minilm()
    tokens = Tokens()
    order = np.argsort([len(text) for text in texts], kind="stable")
    means = np.zeros((len(texts), 384), dtype=np.float32)
    for places in np.array_split(order, max(1, len(order) // 64)):
        ids, mask = tokens([to_english(texts[i]) for i in places])
        states = encoder(encoder.embed(ids), mask) * mask[..., None]
        means[places] = torch.nn.functional.normalize(states.sum(dim=1), dim=-1).numpy()
    return means


def emobank_lines(
    recognizer: TextRecognizer, parts: dict[str, RatedTexts], ridge: np.ndarray
) -> list[str]:
    test = parts["test"]
    read = read_texts(recognizer, test.texts)
    rng = np.random.default_rng(0)
    rows = {
        "**text (shipped), rated VAD**": read.vad,
        "raw MiniLM mean embedding, ridge": ridge,
        "bag of words, ridge": words_ridge(parts),
        "another sentence's reading (shuffled)": read.vad[rng.permutation(len(read.vad))],
        "constant (mean of train)": np.tile(parts["train"].vad.mean(axis=0), (len(test.vad), 1)),
    }
    lines = [
        "",
        "## EmoBank, its own test part",
        "",
        f"{len(test.texts)} sentences, {len(set(test.document))} documents; the ridge's penalty is chosen on dev. Documents are on",
        "both sides of EmoBank's split: neighbouring sentences of one text train and test.",
        "",
        "| | valence r | arousal r | dominance r | valence CCC | arousal CCC |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, said in rows.items():
        cells = []
        for i in range(3):
            r = pearson(test.vad[:, i], said[:, i])
            low, high = bootstrap(pearson, test.vad[:, i], said[:, i], groups=test.document)
            cells.append(f"{r:.3f} [{low:.3f}, {high:.3f}]")
        cells += [f"{ccc(test.vad[:, i], said[:, i]):.3f}" for i in range(2)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    covered = coverage(read.vad, read.vad_var, test.vad)
    lines += [
        "",
        "Intervals at nominal 90 % (scaled on dev) cover of the test's ratings: "
        + ", ".join(
            f"{axis} {100 * share:.1f} %" for axis, share in zip(AXES, covered, strict=True)
        ),
    ]
    return lines


def words_ridge(parts: dict[str, RatedTexts]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    counter = TfidfVectorizer(min_df=2, sublinear_tf=True)
    counter.fit(parts["train"].texts)
    inputs = {part: counter.transform(texts.texts) for part, texts in parts.items()}
    return fitted_ridge(inputs, parts).predict(inputs["test"])


def fitted_ridge(inputs: dict, parts: dict[str, RatedTexts]):
    """Ridge on train, its penalty chosen on dev."""
    from sklearn.linear_model import Ridge

    models = [Ridge(alpha=p).fit(inputs["train"], parts["train"].vad) for p in PENALTIES]
    return max(models, key=lambda m: dev_score(m.predict(inputs["dev"]), parts["dev"].vad))


def dev_score(said: np.ndarray, vad: np.ndarray) -> float:
    return sum(pearson(vad[:, i], said[:, i]) for i in range(3))


def word_lines(recognizer: TextRecognizer, data: Path, phrases: Phrases, ridge) -> list[str]:
    words = read_warriner(data)
    words = RatedWords(words.words[::4], words.vad[::4])  # the list is in alphabetical order
    groups = word_groups(words, phrases)
    sizes = ", ".join(f"{int(chosen.sum())} {name}" for name, chosen in groups.items())
    lines = [
        "",
        "## Warriner's words, whose ratings were never trained on",
        "",
        f"Single words, every fourth of the list: {sizes}. VADER's lexicon, which is trained on, has valence of its own raters for the rest.",
        "Of one stem: the first five letters are the same. Measuring only.",
        "",
        "| | words | valence r | arousal r | dominance r |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, said in (
        ("asked VAD", read_texts(recognizer, words.words, asked=True).vad),
        ("rated VAD", read_texts(recognizer, words.words).vad),
        ("raw MiniLM mean embedding, ridge on EmoBank", ridge.predict(raw_means(words.words))),
    ):
        for kind, chosen in groups.items():
            cells = []
            for i in range(3):
                a, b = words.vad[chosen, i], said[chosen, i]
                low, high = bootstrap(pearson, a, b, groups=np.arange(len(a)), rounds=100)
                cells.append(f"{pearson(a, b):.3f} [{low:.3f}, {high:.3f}]")
            lines.append(f"| {name} | {kind} | {' | '.join(cells)} |")
    return lines


def word_groups(words: RatedWords, phrases: Phrases) -> dict[str, np.ndarray]:
    """(N,) masks from all words to those that the net has met in no form."""
    in_phrases = {
        token.strip(",.;:!?'") for text in phrases.texts for token in text.casefold().split()
    }
    vader = read_sentiment_words()
    learned = {vader.words[i] for i in vader.learned} | in_phrases
    stems = {stem(word) for word in learned}
    plain = [word.casefold() for word in words.words]
    return {
        "all": np.ones(len(plain), bool),
        "in none of our phrases": np.array([word not in in_phrases for word in plain]),
        "neither there nor learned from VADER (unseen)": np.array(
            [word not in learned for word in plain]
        ),
        "unseen, nor any of their stem": np.array([stem(word) not in stems for word in plain]),
    }


def sentiment_lines(recognizer: TextRecognizer, phrases: Phrases) -> list[str]:
    vader = read_sentiment_words(without={text.casefold() for text in phrases.texts})
    texts = [vader.words[i] for i in vader.tested]
    wanted = vader.valence[vader.tested]
    said = read_texts(recognizer, texts, asked=True).vad[:, 0]
    groups = np.array([stem(word) for word in texts])
    low, high = bootstrap(pearson, wanted, said, groups=groups)
    return [
        "",
        f"VADER's own words, held-out tenth ({len(texts)}, no stem on both sides): asked valence r {pearson(wanted, said):.3f} [{low:.3f}, {high:.3f}].",
    ]


def phrase_lines(recognizer: TextRecognizer, phrases: Phrases) -> list[str]:
    held = phrases.where(phrases.fold == TEST_FOLD)
    read = read_texts(recognizer, held.texts, asked=True)
    clear = held.shares.max(axis=1) > 0.5
    wanted, got = held.shares.argmax(axis=1), read.probs.argmax(axis=1)
    most = np.bincount(phrases.shares[phrases.fold != TEST_FOLD].argmax(axis=1)).argmax()
    shuffled = got[np.random.default_rng(0).permutation(len(got))]
    lines = [
        "",
        "## Our phrases, held-out groups",
        "",
        f"{len(held.texts)} phrases and words of {len(set(held.group))} groups; labels on the {int(clear.sum())} with one label over half.",
        "The judgements are one author's.",
        "",
        "| | label accuracy | UAR |",
        "| --- | --- | --- |",
    ]
    for name, said in (
        ("**text**", got),
        ("constant", np.full_like(got, most)),
        ("shuffled", shuffled),
    ):
        hits = (said[clear] == wanted[clear]).astype(float)
        low, high = bootstrap(np.mean, hits, groups=held.group[clear])
        share = f"{hits.mean():.3f} [{low:.3f}, {high:.3f}]"
        lines.append(f"| {name} | {share} | {uar(wanted[clear], said[clear]):.3f} |")
    for language in ("en", "de", "fr", "es"):
        some = clear & (held.language == language)
        if some.any():
            hits = (got[some] == wanted[some]).mean()
            lines.append(f"| {language} only, n {int(some.sum())} | {hits:.3f} | |")
    r = [pearson(held.vad[:, i], read.vad[:, i]) for i in range(2)]
    lines += [
        "",
        *calibration_lines(held.shares, read.probs),
        f"Asked VAD: valence r {r[0]:.3f}, arousal r {r[1]:.3f}. Intervals at nominal 90 % cover "
        + ", ".join(
            f"{100 * share:.1f} %"
            for share in coverage(read.vad[:, :2], read.vad_var[:, :2], held.vad[:, :2])
        )
        + " (valence, arousal).",
        "",
        "Confusions (rows wanted), labels in the order of LABELS:",
        "```",
        str(confusion(wanted[clear], got[clear], 11)),
        "```",
    ]
    return lines


def calibration_lines(shares: np.ndarray, probs: np.ndarray) -> list[str]:
    """As single labels, as the label shares that are learned, and what chance alone would give."""
    clear, labelled = shares.max(axis=1) > 0.5, shares.max(axis=1) > 0
    single = shares[clear].argmax(axis=1)
    rng = np.random.default_rng(0)
    drawn = [
        [rng.choice(11, p=row / row.sum()) for row in probs[clear].astype(np.float64)]
        for _ in range(200)
    ]
    chance = np.mean([calibration_error(np.array(one), probs[clear]) for one in drawn])
    top, sure = probs.argmax(axis=1), probs.max(axis=1)
    given = shares[np.arange(len(top)), top]
    place = np.minimum((sure * 15).astype(int), 14)[labelled]
    gaps = [abs((sure - given)[labelled][place == bin_].sum()) for bin_ in set(place)]
    return [
        f"Calibration error of labels, 15 bins: {calibration_error(single, probs[clear]):.3f} taking the label over half as the only right one "
        f"(mean highest probability {sure[clear].mean():.3f}, {(top[clear] == single).mean():.3f} right; a perfectly calibrated reader would come to {chance:.3f} on so few);",
        f"{sum(gaps) / labelled.sum():.3f} against the label's given share, all {labelled.sum()} with labels (mean {sure[labelled].mean():.3f}, share {given[labelled].mean():.3f}).",
    ]


def request_lines(recognizer: TextRecognizer) -> list[str]:
    with PROTOCOL.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = tuple(row["request"] for row in rows)
    wanted = np.array([row["quadrant"] for row in rows])
    by_rule = np.array([quadrant(resolved(recognizer, text)) for text in texts])
    bare = np.array([quadrant(vad) for vad in read_texts(recognizer, texts, asked=True).vad])
    rated = np.array([quadrant(vad) for vad in read_texts(recognizer, texts).vad])
    shuffled = by_rule[np.random.default_rng(0).permutation(len(by_rule))]
    lines = [
        "",
        "## 40 requests in the right quadrant of valence and arousal",
        "",
        "| | right |",
        "| --- | --- |",
    ]
    for name, got in (
        ("**resolve_text**", by_rule),
        ("asked VAD without the rules", bare),
        ("rated VAD", rated),
        ("shuffled", shuffled),
    ):
        hits = (got == wanted).astype(float)
        low, high = bootstrap(np.mean, hits, groups=np.arange(len(hits)))
        lines.append(f"| {name} | {100 * hits.mean():.1f} % [{100 * low:.0f}, {100 * high:.0f}] |")
    wrong = [
        f"{text!r} ({a}, got {b})"
        for text, a, b in zip(texts, wanted, by_rule, strict=True)
        if a != b
    ]
    return [*lines, "", "Wrong: " + ("; ".join(wrong) or "none") + "."]


def resolved(recognizer: TextRecognizer, text: str) -> np.ndarray:
    return resolve_text(text, duration_s=1.0, recognizer=recognizer).vad[0]


def quadrant(vad: np.ndarray) -> str:
    if vad[1] > 0:
        return "Q1" if vad[0] > 0 else "Q2"
    return "Q4" if vad[0] > 0 else "Q3"


if __name__ == "__main__":
    main()
