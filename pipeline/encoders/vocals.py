"""Whether somebody sings, by the tags that a music encoder gives.

Taggers learn from people who name a few things that they hear and leave out others, so that the probability of every
tag is low. What counts is which tags are likelier: with v the highest probability of a tag for voices and i of one for
music without, v / (v + i). A vocabulary with no tag for music without voices has v itself.

The names are those of MagnaTagATune and of the Million Song Dataset, whose tags `pipeline.encoders.musicnn` gives, and
of AudioSet's ontology, in small letters.
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
    *("vocal music", "a capella", "chant", "mantra", "rapping", "humming"),  # AudioSet, which has singing and choir too
    *("male singing", "female singing", "child singing", "synthetic singing"),
}
NO_VOICES = {"no vocal", "no vocals", "no voice", "instrumental"}  # the last: Million Song Dataset


def vocals_of(probabilities: Mapping[str, float]) -> float | None:
    """Return the probability of a voice, of those of all tags by name; None where no tag is for voices."""
    voices = [probability for tag, probability in probabilities.items() if tag in VOICES]
    if not voices:
        return None
    without = [probability for tag, probability in probabilities.items() if tag in NO_VOICES]
    if not without or max(voices) == max(without) == 0.0:
        return max(voices)
    return max(voices) / (max(voices) + max(without))
