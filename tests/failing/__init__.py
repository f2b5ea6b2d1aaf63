"""Models that cannot run on their input, as people write them, each with the edit that a good engineer makes.

A model's failing line ends in the comment ``# fails``. ``CASES`` of each file gives, for each model: its name, its
inputs, the diagnosis code, and the first edits that are right, each as ``kind module attribute new``; edits that are
needed together are joined by `` + ``.
"""
