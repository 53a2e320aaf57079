"""Motion of a talking face: from speech and an emotion over time."""
