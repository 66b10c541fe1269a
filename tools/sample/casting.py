"""Which band plays for a film, and which scenes get which mood: what decides the music, and with how much noise.

Idea: a film's tags tell its country and genre, by which a cinema had its band; the plot and the poster tell its moods,
by which the band chose what to play and how. Each of image, tags and plot so carries a part of what decides the music.
Shares below one keep any of them from being a code for it.
"""

from ensembles import ENSEMBLES
from numpy.random import Generator

LOCAL_BANDS = {  # country: what its cinemas had at hand
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
BANDS = {  # genre: the band that suits it, elsewhere
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
OTHER_BAND_SHARE = 0.05  # of the films, shown in a cinema with any other band
GUEST_SHARE = 0.05  # of the cues, played by any other band
THEME_SHARE = 0.75  # of the scenes in another mood than the film's, in which its main theme returns instead
WRONG_MOOD_SHARE = 0.05  # of the cues, in another mood than they should
POSTER_MOOD_SHARE = 0.85  # of the posters, after the film's main mood; the others after another scene's

NEIGHBOURS = {  # moods that accompanists took one for another
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
    """Return the band of the cinema that shows `film`."""
    if rng.random() < OTHER_BAND_SHARE:
        return str(rng.choice(sorted(ENSEMBLES)))
    return usual_band(film)


def usual_band(film: dict) -> str:
    """Return the band that country and genre of `film` call for."""
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
    """Return the mood that the poster is drawn after."""
    return film["mood"] if rng.random() < POSTER_MOOD_SHARE else str(rng.choice(film["scenes"]))
