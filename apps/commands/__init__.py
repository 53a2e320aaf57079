"""One command a file: its options, its help, what it prints."""
