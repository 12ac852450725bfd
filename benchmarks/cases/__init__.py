"""Simulated customers, who judge a desk by whether their case is solved: see README.md."""
