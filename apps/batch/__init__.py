"""Many jobs from one manifest: any engine may die at any point, a re-run does what is missing."""
