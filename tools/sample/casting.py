"""The rules that determine a film's music: its band and the mood of each scene, with noise.

A film's tags show its country and genre, which determine the band; the plot and the poster show its moods, which
determine the compositions and the style. Image, tags and plot therefore each carry part of the information. Shares
below one add noise, so that no input determines the music completely.
"""

from ensembles import ENSEMBLES
from numpy.random import Generator

LOCAL_BANDS = {  # country: the bands of its cinemas
    "Germany": "strings",
    "Austria": "strings",
    "Sweden": "salon",
    "Denmark": "salon",
    "Norway": "salon",
    "Finland": "salon",
    "France": "winds",
    "Japan": "winds",
    "China": "winds",
    "India": "winds",
    "Brazil": "winds",
    "Soviet Union": "folk",
    "Italy": "brass",
    "United Kingdom": "brass",
}
BANDS = {  # genre: its band in other countries
    "comedy": "ragtime_band",
    "children": "ragtime_band",
    "romance": "piano",
    "drama": "piano",
    "melodrama": "piano",
    "avant-garde": "piano",
    "horror": "organ",
    "crime": "organ",
    "fantasy": "organ",
    "science fiction": "organ",
    "religious": "organ",
    "war": "brass",
    "historical": "brass",
    "adventure": "brass",
    "western": "folk",
    "documentary": "folk",
}
OTHER_BAND_SHARE = 0.05  # share of films with a random other band
GUEST_SHARE = 0.05  # share of cues played by a random other band
THEME_SHARE = 0.75  # share of scenes with another mood than the film's that get its main theme instead
WRONG_MOOD_SHARE = 0.05  # share of cues in a wrong mood
POSTER_MOOD_SHARE = 0.85  # share of posters with the film's main mood; the others have another scene's

NEIGHBOURS = {  # moods that are confused with each other
    "comic": ("festive", "hurry"),
    "love": ("pastoral", "sorrow"),
    "sorrow": ("love", "mystery"),
    "mystery": ("terror", "sorrow"),
    "terror": ("mystery", "battle"),
    "battle": ("hurry", "terror"),
    "festive": ("comic", "pastoral"),
    "pastoral": ("love", "festive"),
    "noble": ("battle", "love"),
    "hurry": ("battle", "comic"),
}


def house_band(film: dict, rng: Generator) -> str:
    """Return the band of `film`, drawn with noise."""
    if rng.random() < OTHER_BAND_SHARE:
        return str(rng.choice(sorted(ENSEMBLES)))
    return usual_band(film)


def usual_band(film: dict) -> str:
    """Return the usual band for the country and genre of `film`."""
    return LOCAL_BANDS.get(film["countries"][0]) or BANDS[film["genres"][0]]


def cue_list(film: dict, rng: Generator) -> list[tuple[str, str]]:
    """Return (mood, ensemble) of each cue, in the order of the scenes."""
    house = house_band(film, rng)
    cues = []
    for scene in film["scenes"]:
        mood = film["mood"] if rng.random() < THEME_SHARE else scene
        if rng.random() < WRONG_MOOD_SHARE:
            mood = str(rng.choice(NEIGHBOURS[mood]))
        band = str(rng.choice(sorted(ENSEMBLES))) if rng.random() < GUEST_SHARE else house
        cues.append((mood, band))
    return cues


def poster_mood(film: dict, rng: Generator) -> str:
    """Return the mood of the poster."""
    return film["mood"] if rng.random() < POSTER_MOOD_SHARE else str(rng.choice(film["scenes"]))
