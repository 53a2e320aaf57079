"""What is heard and seen of a person at once, as in HiCMAE."""
