"""What people touch: the command line and the jobs behind it."""
