"""The crash campaign: what customers and agents write, while everything under the desk is killed, frozen and cut.

``python -m benchmarks.crash --help`` runs it; docs/reliability.md says what it proves.
"""
