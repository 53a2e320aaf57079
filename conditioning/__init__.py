"""Every input a generator reads, as a ConditionTrack."""
