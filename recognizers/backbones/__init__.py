"""Public networks by name: they come from the user's disk or a model hub, never with us."""
