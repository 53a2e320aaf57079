"""The bank turns requests into embeddings and tracks in the shared emotion space."""
