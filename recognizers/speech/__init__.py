"""A voice: waveform to emotion."""
