"""What a picture makes people feel, from colour and motion."""
