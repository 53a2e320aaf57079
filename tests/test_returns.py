"""Chords that come again: the form, and that the composer follows it."""

import numpy as np
import torch

from affetto.gen.music.returns import PHRASE_BARS, returning_steps
from affetto.gen.music.selection import sample_chords
from affetto.gen.music.transformer import MusicTransformer, MusicTransformerConfig
from affetto.soundtrack import Bar


def returning(pieces, valence=None):
    even = np.zeros(3 * len(pieces)) if valence is None else valence
    return returning_steps(pieces, even)


def bars(beats):
    edges = np.cumsum([0.0, *(0.5 * count for count in beats)])
    return [Bar(float(a), float(b), n) for a, b, n in zip(edges, edges[1:], beats, strict=False)]


def test_the_second_and_the_last_phrase_of_four_are_the_first():
    returns = np.array(returning(bars([4] * (6 * PHRASE_BARS))))
    back = np.arange(len(returns)) - returns
    phrases = [set(part.tolist()) for part in np.split(back, 6)]
    size = 2 * PHRASE_BARS
    assert (returns[:size] == -1).all()
    assert (returns[2 * size : 3 * size] == -1).all()
    assert [phrases[1], phrases[3], phrases[4], phrases[5]] == [{size}, {2 * size}, {size}, {size}]


def test_bars_meet_bars_whatever_their_length():
    # Bar 1 has one chord, bar 9 two: both mean that one. Bar 10 has one and means bar 2's first.
    returns = returning(bars([4, 2, 4, 4, 4, 4, 4, 4, 4, 4, 2, 4, 4, 4, 4, 4]))
    assert returns[:15] == [-1] * 15
    assert returns[15:] == [0, 1, 2, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]


def test_another_feeling_has_chords_of_its_own():
    valence = np.repeat([0.5, -0.5, 0.0, 0.4], 2 * PHRASE_BARS)
    returns = np.split(np.array(returning(bars([4] * (4 * PHRASE_BARS)), valence)), 4)
    assert (returns[1] == -1).all()
    assert (returns[3] == -1).all()  # the phrase before of its letter is the second


def test_chords_do_come_again():
    torch.manual_seed(0)
    net = MusicTransformer(MusicTransformerConfig(dim=32, ff_dim=32, num_decoder_layers=1)).eval()
    returns = returning(bars([4] * (2 * PHRASE_BARS)))
    bias = torch.zeros(len(returns), 159)
    free = sample_chords(net, {}, bias, minor=False, seed=1)
    formed = sample_chords(net, {}, bias, minor=False, seed=1, returns=returns)
    size = 2 * PHRASE_BARS
    again = [np.mean(one[size:] == one[:size]) for one in (formed, free)]
    assert again[0] > again[1] + 0.1
