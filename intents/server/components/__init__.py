"""Rasa graph components, imported by Rasa as ``components.…`` (this folder is on its PYTHONPATH)."""
