"""Times in words."""

UNITS = (("hour", 3_600_000), ("minute", 60_000))


def time_words(milliseconds: float) -> str:
    """A time, to its two largest units.

    >>> [time_words(ms) for ms in (28_800_000, 5_400_000, 90_000, 1_500, 0, 7_325_000)]
    ['8 hours', '1 hour 30 minutes', '1 minute 30 seconds', '1.5 seconds', '0 seconds', '2 hours 2 minutes']
    """
    left, words = round(milliseconds), []
    for unit, length in UNITS:
        number, left = divmod(left, length)
        if number:
            words.append(f"{number:,} {unit}{'' if number == 1 else 's'}")
    if (left and len(words) < 2) or not words:
        seconds = left / 1000 if not words else round(left / 1000)
        words.append(f"{seconds:.4g} second{'' if seconds == 1 else 's'}")
    return " ".join(words[:2])


def at(clock: str, t: int) -> str:
    """A place in a run: "step 1,000", "epoch 5", "8 hours".

    >>> at("step", 1000), at("time", 60_000)
    ('step 1,000', '1 minute')
    """
    return time_words(t) if clock == "time" else f"{clock} {t:,}"
