"""What every kind of content has in common: how a mistake is told."""

from __future__ import annotations


class ContentError(Exception):
    """A content file cannot be used; the message names the file and the fix."""
