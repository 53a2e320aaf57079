"""Tracks of several modalities joined on one timeline."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from affetto.emotion import LABELS, EmotionTrack, Evidence
from affetto.emotion_bank.embedder import CrossModalEmbedder, load_embedder
from affetto.emotion_bank.space import ANCHOR_SPREAD, ANCHORS, embed
from affetto.recognizers.fuse import fuse


@pytest.fixture(scope="module")
def embedder() -> CrossModalEmbedder:
    torch.set_num_threads(1)
    return load_embedder()


def track(
    label: str, *, share=0.8, confidence=0.7, start_s=0.0, steps=9, rate_hz=2.0, kind="expressed"
) -> EmotionTrack:
    """`label` with `share`, the rest over the labels that a voice and a face both know."""
    others = [x for x in ("neutral", "happy", "sad", "angry", "fearful", "disgusted") if x != label]
    probs = np.zeros((steps, 11), dtype=np.float32)
    probs[:, LABELS.index(label)] = share
    for other in others:
        probs[:, LABELS.index(other)] = (1 - share) / len(others)
    vad = probs @ ANCHORS
    var = probs @ ANCHORS**2 - vad**2 + ANCHOR_SPREAD**2
    mean, log_var = embed(vad, probs, var)
    return EmotionTrack(
        times=start_s + np.arange(steps) / rate_hz,
        mean=mean,
        log_var=log_var,
        vad=vad,
        vad_var=var,
        probs=probs,
        confidence=np.full(steps, confidence),
        kind=kind,
        evidence=(Evidence(f"{label} {start_s:g}", start_s, start_s + 1.0, 0.5),),
    )


def best(fused: EmotionTrack) -> list[str]:
    return [LABELS[k] for k in fused.probs.argmax(axis=1)]


def test_one_track_keeps_its_labels_and_confidence(embedder):
    sad = track("sad")
    fused = fuse({"voice": sad}, embedder=embedder, rate_hz=2.0)
    assert best(fused) == ["sad"] * 9
    assert fused.kind == "expressed"
    np.testing.assert_allclose(fused.times, sad.times)
    assert (fused.confidence <= sad.confidence + 1e-6).all()


def test_agreement_is_surer_than_conflict(embedder):
    """As CREMA-D's voters: two who agree are about as sure as one, two who do not are less so."""
    angry = LABELS.index("angry")
    both = fuse(
        {"voice": track("angry", share=0.6), "face": track("angry", share=0.6)}, embedder=embedder
    )
    conflict = fuse(
        {"voice": track("angry", share=0.6), "face": track("happy", share=0.6)}, embedder=embedder
    )
    assert set(best(both)) == {"angry"}
    assert both.probs[:, angry].min() > 0.45
    assert both.probs[:, angry].min() > conflict.probs[:, angry].max()
    assert conflict.confidence.max() < both.confidence.min()


def test_rates_and_extents_meet_on_one_timeline(embedder):
    fused = fuse(
        {
            "voice": track("sad", start_s=0.0, steps=5, rate_hz=1.0),  # 0..4 s
            "face": track("happy", start_s=6.0, steps=41, rate_hz=10.0),  # 6..10 s
        },
        embedder=embedder,
        rate_hz=2.0,
    )
    assert fused.times[0] == 0.0
    assert fused.times[-1] == 10.0
    said = best(fused)
    assert set(said[:9]) == {"sad"}
    assert set(said[12:]) == {"happy"}
    assert said[10] == "neutral"  # 5 s: nobody speaks
    assert fused.confidence[10] == 0.0
    np.testing.assert_allclose(fused.log_var[10], 0.0, atol=1e-5)  # wide
    assert [item.cue for item in fused.evidence] == ["sad 0", "happy 6"]


def test_confidence_zero_drops_out(embedder):
    face = track("happy")
    silent = replace(track("angry", share=0.99), confidence=np.zeros(9, np.float32))
    alone = fuse({"face": face}, embedder=embedder)
    both = fuse({"voice": silent, "face": face}, embedder=embedder)
    for name in ("mean", "log_var", "probs", "confidence"):
        np.testing.assert_allclose(getattr(both, name), getattr(alone, name), atol=1e-5)


def test_scene_speaks_only_where_nobody_expresses(embedder):
    face = track("happy", start_s=0.0, steps=5, rate_hz=1.0)
    scene = track("fearful", steps=11, rate_hz=1.0, confidence=0.3, kind="evoked")
    fused = fuse({"face": face, "scene": scene}, embedder=embedder, rate_hz=1.0)
    alone = fuse({"face": face}, embedder=embedder, rate_hz=1.0)
    np.testing.assert_allclose(fused.mean[:5], alone.mean, atol=1e-6)
    assert fused.probs[6, LABELS.index("fearful")] > fused.probs[2, LABELS.index("fearful")]
    assert fused.kind == "expressed"
    assert fuse({"scene": scene}, embedder=embedder).kind == "evoked"


def test_order_of_tracks_does_not_matter(embedder):
    voice, face = track("sad", share=0.5), track("angry", share=0.7)
    one = fuse({"voice": voice, "face": face}, embedder=embedder)
    other = fuse({"face": face, "voice": voice}, embedder=embedder)
    np.testing.assert_array_equal(one.mean, other.mean)


def test_one_step_makes_a_track(embedder):
    fused = fuse({"text": track("tender", steps=1)}, embedder=embedder)
    assert len(fused.times) == 1
    assert best(fused) == ["tender"]


@pytest.mark.parametrize(
    ("tracks", "rate_hz", "message"),
    [
        ({}, 1.0, "nothing to fuse"),
        ({"smell": track("sad")}, 1.0, "unknown modality 'smell'"),
        ({"request": track("sad")}, 1.0, "no evidence"),
        ({"voice": track("sad", kind="requested")}, 1.0, "no evidence"),
        ({"voice": track("sad")}, 0.0, "rate_hz"),
        ({"voice": track("sad")}, float("nan"), "rate_hz"),
        ({"voice": track("sad"), "face": track("sad", start_s=1e6)}, 9.0, "too many"),
    ],
)
def test_bad_input_is_refused(embedder, tracks, rate_hz, message):
    with pytest.raises(ValueError, match=message):
        fuse(tracks, embedder=embedder, rate_hz=rate_hz)


def test_who_hears_and_sees_speaks_for_both_and_only_where_it_does(embedder):
    voice, face = track("sad"), track("angry")
    both = track("happy", steps=3, start_s=1.0, rate_hz=1.0)  # from .5 to 3.5 s
    alone = fuse({"voice": voice, "face": face}, embedder=embedder, rate_hz=2.0)
    fused = fuse(
        {"voice": voice, "face": face, "audiovisual": both}, embedder=embedder, rate_hz=2.0
    )
    assert best(fused)[1:8] == ["happy"] * 7
    np.testing.assert_allclose(fused.probs[8], alone.probs[8], atol=1e-6)
    np.testing.assert_allclose(fused.confidence[3], 0.7, atol=1e-6)
    assert len(fused.evidence) == 3
