"""For continuous integration: the models of ``pyproject.toml``, each derived and held against what it should give."""
