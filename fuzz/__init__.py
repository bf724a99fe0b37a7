"""Hostile input for every place where bytes from outside become values: `python -m fuzz --seconds 60`.

Each target states one law and checks it on inputs that are mutated from good ones. A run is bounded by time; the n-th
input of a target depends on the seed and n alone.
"""
