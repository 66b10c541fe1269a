"""Sentences for the plots that describe the mood of a scene in the words of a summary.

The records hold the story; most paragraphs get a closing sentence on the mood of the scene or of the film. Sentences do
not mention music.
"""

from numpy.random import Generator

SENTENCES = {
    "comic": (
        "The mishaps pile up in cheerful confusion.",
        "Everything is played for laughter, with a straight face and perfect timing.",
        "The scene is a string of pranks, pratfalls and near misses.",
        "Dignity is the first thing lost, to general amusement.",
        "The fun is light, mischievous and quick.",
        "Absurdity follows absurdity, and nobody comes to harm.",
    ),
    "love": (
        "The scene is tender and warm, all shy glances and soft light.",
        "Affection grows quietly between them.",
        "It is a gentle idyll of courtship and longing.",
        "Nothing matters to the two lovers but each other.",
        "Their happiness is intimate and hushed.",
        "A kiss says what neither has dared to say.",
    ),
    "sorrow": (
        "Grief settles over everything, slow and grey.",
        "The scene is one of loss, loneliness and quiet tears.",
        "There is nothing left to hope for, only mourning.",
        "Poverty and regret weigh on every gesture.",
        "The farewell is heartbreaking in its silence.",
        "Sadness hangs over the empty room.",
    ),
    "mystery": (
        "Suspicion lurks in every shadow of the night.",
        "The scene is uneasy, dim and full of secrets.",
        "Someone is watching, and no one knows who.",
        "Footsteps, whispers and half-open doors keep the truth hidden.",
        "A strange riddle hangs in the fog.",
        "What is concealed in the dark remains unexplained.",
    ),
    "terror": (
        "Horror seizes everyone who sees it.",
        "The scene is a nightmare of dread, madness and the monstrous.",
        "A scream breaks out, and terror takes hold.",
        "Death itself seems to stand in the doorway.",
        "The ghastly thing draws near, and there is no escape.",
        "Fear turns into frenzy.",
    ),
    "battle": (
        "The fighting is savage and deafening, with fire and smoke on all sides.",
        "The scene is all violence: blows, charges, storm and ruin.",
        "Men fall by the score in the fury of the struggle.",
        "War rages without mercy.",
        "The assault breaks with the force of a tempest.",
        "Flames and shouting fill the field of combat.",
    ),
    "festive": (
        "The crowd dances and drinks through a dazzling night.",
        "The scene is a whirl of lights, laughter and celebration.",
        "There is a party, and the whole town seems to be at it.",
        "Carnival spirits sweep everyone along.",
        "Glasses are raised, lanterns are lit, couples waltz.",
        "The fair is gay, noisy and bright.",
    ),
    "pastoral": (
        "The scene is calm and sunlit, among meadows, trees and water.",
        "Nature is at peace, and life goes by unhurried.",
        "It is a quiet country morning, fresh and innocent.",
        "Children and animals wander through the fields.",
        "The landscape lies open and serene under a wide sky.",
        "Simple days pass in the fresh air.",
    ),
    "noble": (
        "The moment is solemn and exalted, as if before an altar.",
        "The scene is grand and dignified, full of faith and sacrifice.",
        "Honour and duty prevail over every private wish.",
        "The people kneel in reverence.",
        "It is a vision of majesty, vast and ceremonial.",
        "The hero accepts his fate with lofty calm.",
    ),
    "hurry": (
        "The pursuit is breathless, with no second to lose.",
        "The scene is a headlong race of horses, cars and trains.",
        "Everyone runs; the clock is against them.",
        "The chase grows faster and faster until it seems it cannot stop.",
        "Engines roar and wheels spin at full speed.",
        "It is a dash for life, over every obstacle.",
    ),
}
SENTENCE_SHARE = 0.75  # share of paragraphs with a closing sentence on the mood
MAIN_MOOD_SHARE = 0.6  # share of these on the film's mood; the others are on the scene's


def plot_with_moods(film: dict, rng: Generator) -> list[str]:
    """Return the plot's paragraphs, most of them with a closing sentence, all different."""
    unused = {mood: list(rng.permutation(sentences)) for mood, sentences in SENTENCES.items()}
    paragraphs = []
    for number, paragraph in enumerate(film["plot"]):
        scene = film["scenes"][number * len(film["scenes"]) // len(film["plot"])]
        mood = film["mood"] if rng.random() < MAIN_MOOD_SHARE else scene
        closing = f" {unused[mood].pop()}" if rng.random() < SENTENCE_SHARE else ""
        paragraphs.append(paragraph + closing)
    return paragraphs
