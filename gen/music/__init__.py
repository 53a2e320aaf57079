"""The affective soundtrack: chords, dynamics, arrangement, sound."""
