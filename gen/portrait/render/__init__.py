"""From a photo and a motion to frames: the photo's own pixels, warped in 2.5-D."""
