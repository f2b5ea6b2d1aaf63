"""Renderers: a derivation as text, Markdown and more. They know the plain data and nothing of torch."""
