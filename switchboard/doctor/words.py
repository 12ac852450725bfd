"""Sizes and times in a finding's words."""

from __future__ import annotations

MB = 1024 * 1024


def size_in_words(size: int) -> str:
    return (
        f"{size / 1024 / MB:.1f} GB"
        if size >= 1024 * MB
        else f"{size / MB:.0f} MB"
        if size >= MB
        else f"{size // 1024} KB"
    )


def duration_in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
