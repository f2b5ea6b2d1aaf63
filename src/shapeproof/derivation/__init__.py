"""A derivation: every step of a model's run, derived by rule and compared with PyTorch, as frozen plain data."""
