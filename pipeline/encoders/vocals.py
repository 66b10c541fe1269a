"""The probability of vocals from the tags of a music encoder.

Taggers are trained on incomplete human annotations, so that all probabilities are low; only their ratio is informative.
With v the highest probability of a vocal tag and i that of an instrumental one, the result is v / (v + i), or v if the
vocabulary has no instrumental tags.

Tag names are those of MagnaTagATune and the Million Song Dataset (`pipeline.encoders.musicnn`) and of AudioSet's
ontology, in lower case.
"""

from collections.abc import Mapping

VOICES = {
    *(
        "vocal",
        "vocals",
        "voice",
        "singing",
        "female vocal",
        "male vocal",
        "female voice",
        "male voice",
    ),  # MagnaTagATune
    *("choir", "choral", "opera", "female", "male", "woman", "man"),
    *("female vocalist", "female vocalists", "male vocalists"),  # Million Song Dataset
    *("vocal music", "a capella", "chant", "mantra", "rapping", "humming"),  # AudioSet, also: singing, choir
    *("male singing", "female singing", "child singing", "synthetic singing"),
}
NO_VOICES = {"no vocal", "no vocals", "no voice", "instrumental"}  # the last one is in the Million Song Dataset


def vocals_of(probabilities: Mapping[str, float]) -> float | None:
    """Return the probability of vocals from those of all tags by name, or None if there are no vocal tags."""
    voices = [probability for tag, probability in probabilities.items() if tag in VOICES]
    if not voices:
        return None
    without = [probability for tag, probability in probabilities.items() if tag in NO_VOICES]
    if not without or max(voices) == max(without) == 0.0:
        return max(voices)
    return max(voices) / (max(voices) + max(without))
