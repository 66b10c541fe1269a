"""Windows of a fixed grid."""


def window_starts(length: int, window: int, hop: int) -> list[int]:
    """Return where the windows of a recording of `length` begin: every `hop`, the last one ending with it."""
    last = max(length - window, 0)
    return sorted({*range(0, last + 1, hop), last})
