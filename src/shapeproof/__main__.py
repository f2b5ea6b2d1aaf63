"""``python -m shapeproof`` is the command line."""

from shapeproof.cli import main

main()
