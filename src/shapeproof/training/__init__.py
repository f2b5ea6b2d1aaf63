"""Training: recipes, the loop, checkpoints, runs and their evaluation. Importing this package alone loads no torch."""
