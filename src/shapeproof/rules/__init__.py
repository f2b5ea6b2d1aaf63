"""The rules: one small function an operation or family, from argument shapes to the shape that comes out.

To add one, write it in the module of its family, under ``@rule`` with PyTorch's own name, and see ``CONTRIBUTING.md``.
"""
