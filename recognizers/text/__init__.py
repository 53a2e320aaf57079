"""Text: free text and transcripts to labels and VAD; words of a request to a track."""
