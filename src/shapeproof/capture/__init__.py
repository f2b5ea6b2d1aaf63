"""Running a model once and noting each tensor operation: what ran, where, with which arguments, and what came out."""
