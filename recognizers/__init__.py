"""Media in, EmotionTrack out."""
