"""Malformed and hostile input, made by hypothesis, for every way into the desk.

``make test`` brings some hundreds of each, always the same ones. ``python -m benchmarks.fuzz`` brings as many as it is
told, of any seed.
"""
