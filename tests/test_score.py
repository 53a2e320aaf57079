"""Scores with controls: what is right scores, what proves nothing is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from affetto.apps.judges import Nets
from affetto.apps.score import Job, run
from affetto.apps.score_report import table
from affetto.emotion import LABELS, EmotionTrack
from affetto.emotion_bank.bank import embed, probs_from_vad, request_to_track
from affetto.errors import BadInput, EngineError
from affetto.recognizers.score import (
    Dependent,
    Net,
    check_judge,
    check_split,
    losses_of,
    score_track,
)
from affetto.request import parse_request
from affetto.weights import SHIPPED, save_weights

DURATION_S = 60.0
SAMPLES = Path(__file__).parent.parent / "samples"


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """Fewer draws than in earnest, which take most of the time and change no verdict here."""
    monkeypatch.setattr("affetto.recognizers.score.ROUNDS", 200)
    monkeypatch.setattr("affetto.recognizers.score.SHUFFLES", 100)


def asked(text, duration_s=DURATION_S):
    return request_to_track(parse_request(text), duration_s=duration_s, rate_hz=4.0)


def course(valence, arousal, confidence=1.0):
    """A recognized course at 2 Hz from VA."""
    vad = np.stack([valence, arousal, np.zeros_like(valence)], axis=1)
    variance = np.full_like(vad, 0.02)
    probs = probs_from_vad(vad, variance)
    mean, log_var = embed(vad, probs, variance)
    times = np.arange(len(vad)) / 2
    sure = np.full(len(vad), confidence)
    return EmotionTrack(times, mean, log_var, vad, variance, probs, sure, "expressed")


def noisy(track, spread, seed=0):
    at = track.at(np.arange(int(DURATION_S * 2)) / 2)
    rng = np.random.default_rng(seed)
    vad = np.clip(at.vad + rng.normal(0, spread, at.vad.shape), -1, 1)
    return course(vad[:, 0], vad[:, 1])


def by_name(score):
    return {metric.name: metric for metric in score.metrics}


TIMELINE = "0=sad; 15=happy; 30=angry; 45=calm; 60=excited"


def test_the_wanted_course_itself_is_the_best_and_beats_all_controls():
    wanted = asked(TIMELINE)
    found = by_name(score_track(wanted, wanted, duration_s=DURATION_S))
    for name, metric in found.items():
        assert metric.score == pytest.approx(metric.best_possible), name
        assert metric.beats_controls, name
    assert found["valence_ccc"].score == pytest.approx(1.0)
    assert abs(found["valence_ccc"].controls["constant neutral"]) < 1e-9
    assert found["valence_ccc"].controls["shuffled in time"] < 0.5
    assert found["va_distance"].score == 0


def test_noise_lowers_the_score_and_the_interval_holds_it():
    wanted = asked(TIMELINE)
    little, much = (
        by_name(score_track(noisy(wanted, spread), wanted, duration_s=DURATION_S))
        for spread in (0.1, 0.6)
    )
    assert little["valence_ccc"].score > much["valence_ccc"].score
    for metric in little.values():
        low, high = metric.interval
        assert low <= metric.score <= high


def test_noise_alone_beats_nothing():
    rng = np.random.default_rng(3)
    wanted = asked(TIMELINE)
    got = course(*np.clip(rng.normal(0, 0.4, (2, 120)), -1, 1))
    found = score_track(got, wanted, duration_s=DURATION_S).metrics
    assert not any(metric.beats_controls for metric in found)


def test_concordance_with_a_constant_is_not_usable():
    found = by_name(score_track(noisy(asked("sad"), 0.1), asked("sad"), duration_s=DURATION_S))
    for name in ("valence_ccc", "arousal_ccc"):
        assert found[name].score is None
        assert "not usable here" in found[name].note
    assert found["label_accuracy"].score > 0.9
    assert found["label_accuracy"].beats_controls


def test_the_wrong_emotion_does_not_beat_the_other_requests():
    found = by_name(score_track(noisy(asked("happy"), 0.1), asked("sad"), duration_s=DURATION_S))
    assert found["label_accuracy"].score < 0.1
    assert found["label_accuracy"].controls["best of other emotions"] > 0.4
    assert found["label_accuracy"].beats_controls is False


def test_a_request_for_neutral_cannot_be_told_from_the_neutral_control():
    found = score_track(asked("neutral"), asked("neutral"), duration_s=DURATION_S).metrics
    assert all(metric.score is None for metric in found)


def test_a_label_without_a_word_in_the_judge_is_not_usable():
    known = [label != "tender" for label in LABELS]
    found = by_name(
        score_track(asked("tender"), asked("tender"), duration_s=DURATION_S, known=known)
    )
    assert found["label_accuracy"].note == "not usable here: the judge has no word for tender"
    blend = asked("tender+happy")
    assert (
        by_name(score_track(blend, blend, duration_s=DURATION_S, known=known))[
            "label_accuracy"
        ].score
        == 1
    )


def test_nothing_judged_has_no_score():
    silent = course(np.full(120, 0.1), np.zeros(120), confidence=0.0)
    found = score_track(silent, asked("sad"), duration_s=DURATION_S)
    assert found.judged == 0
    assert all(metric.score is None for metric in found.metrics)


def test_a_short_recording_has_no_interval():
    found = score_track(asked("sad", 2.0), asked("sad", 2.0), duration_s=2.0)
    assert all(metric.interval is None for metric in found.metrics)
    assert found.num_steps == 4


def test_same_seed_same_figures():
    wanted = asked(TIMELINE)
    one, two = (score_track(noisy(wanted, 0.3), wanted, duration_s=DURATION_S) for _ in "ab")
    assert one == two


def test_split_refuses_names_on_both_sides():
    check_split(["a", "b"], ["c"], by="speaker")
    with pytest.raises(Dependent, match=r"1 speaker.*: b"):
        check_split(["a", "b", "b"], ["b", "c"], by="speaker")
    with pytest.raises(ValueError, match="both sides"):
        check_split([], ["c"], by="speaker")


def test_a_loss_may_not_judge():
    judge = Net("face", "a" * 64, ("FER+ (even fer_index)",))
    check_judge(judge, [Net("other", "b" * 64, ("FER+ (odd fer_index)",))])
    with pytest.raises(Dependent, match="was a loss"):
        check_judge(judge, [Net("face", "a" * 64, ())])
    with pytest.raises(Dependent, match="learned from"):
        check_judge(judge, [Net("other", "b" * 64, ("FER+ (even fer_index)",))])
    with pytest.raises(Dependent, match="learned from"):
        check_judge(judge, [Net("other", "b" * 64, ("FER+",))])


def test_losses_are_read_from_recipes_and_weights(tmp_path):
    name, digest = next(iter(SHIPPED.items()))
    recipe = tmp_path / "recipe.json"
    recipe.write_text(json.dumps({"losses": [digest], "weights": [{"name": "x", "sha256": "0"}]}))
    (found,) = losses_of(recipe)
    assert found.name == name
    assert found.trained_on
    save_weights(
        tmp_path / "net",
        config={"losses": [{"sha256": "f" * 64, "name": "voice", "trained_on": ["RAVDESS"]}]},
        tensors={},
        licence="none",
        commercial=True,
        trained_on=("CREMA-D",),
    )
    assert losses_of(tmp_path / "net") == (Net("voice", "f" * 64, ("RAVDESS",)),)


@pytest.mark.parametrize("text", ["[]", "{", '{"losses": 3}', '{"losses": [4]}'])
def test_broken_records_are_refused(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    with pytest.raises(BadInput):
        losses_of(tmp_path / "recipe.json")


# The app


@pytest.fixture(scope="module")
def nets():
    return Nets()


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("I am so happy! What a wonderful day. I love it so much! Everything is great.")
    return path


def test_a_happy_letter_is_happy_and_not_sad(letter, nets, tmp_path):
    result = run(Job(letter, request="happy", judge="text", out=tmp_path / "report"), nets=nets)
    happy = by_name(result.comparisons[0].score)
    sad = by_name(run(Job(letter, request="sad", judge="text"), nets=nets).comparisons[0].score)
    assert happy["shared_probability"].score > sad["shared_probability"].score + 0.2
    assert happy["va_distance"].score < sad["va_distance"].score
    assert "No recipe.json" in table(result)
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "request.png",
        "scores.json",
        "scores.md",
    ]
    record = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert record["comparisons"][0]["metrics"][3]["score"] is None
    assert record["judges"][0]["name"] == "text"


def test_the_recording_against_itself_is_perfect(letter, nets):
    result = run(Job(letter, reference=letter, judge="text"), nets=nets)
    for metric in result.comparisons[0].score.metrics:
        assert metric.score is None or metric.score == pytest.approx(metric.best_possible)


def test_the_app_refuses_a_judge_that_was_a_loss(letter, nets):
    digest = SHIPPED["text"]
    (letter.parent / "recipe.json").write_text(json.dumps({"losses": [digest]}))
    with pytest.raises(Dependent, match="was a loss"):
        run(Job(letter, request="happy", judge="text"), nets=nets)
    (letter.parent / "recipe.json").write_text(json.dumps({"losses": ["0" * 64]}))
    result = run(Job(letter, request="happy", judge="text"), nets=nets)
    assert result.losses[0].sha256 == "0" * 64
    assert "the judge is none of them" in table(result)


@pytest.fixture
def still(tmp_path):
    """A painted face with the record of a talking portrait beside it."""
    path = tmp_path / "still.jpg"
    path.write_bytes((SAMPLES / "mona_lisa.jpg").read_bytes())
    (tmp_path / "recipe.json").write_text(json.dumps({"losses": [SHIPPED["face_motion"]]}))
    return path


def test_another_net_judges_a_face_that_the_usual_one_may_not(still, nets, tmp_path):
    result = run(Job(still, request="happy", out=tmp_path / "report"), nets=nets)
    assert [net.name for net in result.judges] == ["face_judge"]
    asked = run(Job(still, request="happy", judge="face-judge"))
    np.testing.assert_array_equal(result.found.track.probs, asked.found.track.probs)
    assert not asked.notices
    for text in (table(result), (tmp_path / "report" / "scores.md").read_text()):
        assert "judged by face_judge" in text
    with pytest.raises(Dependent, match="choose another with --judge"):
        run(Job(still, request="happy", judge="face"), nets=nets)
    (still.parent / "recipe.json").unlink()
    again = run(Job(still, request="happy"), nets=nets)
    assert [net.name for net in again.judges] == ["face"]
    assert not again.notices


def test_where_the_other_net_may_not_judge_either_it_is_refused(still, nets):
    losses = [SHIPPED["face_motion"], SHIPPED["face_judge"]]
    (still.parent / "recipe.json").write_text(json.dumps({"losses": losses}))
    with pytest.raises(Dependent, match="face_judge was a loss"):
        run(Job(still, request="happy"), nets=nets)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "--request"),
        ({"request": "auto"}, "name an emotion"),
        ({"request": "nonsense"}, "unknown emotion"),
        ({"request": "happy", "judge": "mother"}, "face-judge"),
        ({"request": "happy", "judge": "face"}, "asked for was face"),
        ({"reference": Path("nowhere.json")}, "nowhere"),
    ],
)
def test_bad_jobs_say_what_to_do(letter, nets, options, said):
    with pytest.raises(EngineError, match=said):
        run(Job(letter, **options), nets=nets)
