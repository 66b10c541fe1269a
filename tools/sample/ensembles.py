"""The house bands: the instruments of a cinema.

An ensemble assigns every role of an arrangement to one of its instruments; the melody goes to the instrument whose
range fits its register. Notes outside a range are moved into it by octaves.

Conventions: programs are General MIDI numbers from 0; a level multiplies velocities.
"""

from typing import NamedTuple


class Instrument(NamedTuple):
    program: int
    low: int
    high: int
    level: float = 1.0


class Ensemble(NamedTuple):
    lead: tuple[Instrument, ...]
    double: tuple[Instrument, ...]
    chords: Instrument
    plucked: Instrument
    pad: Instrument
    tremolo: Instrument
    bass: Instrument
    kit: int | None = None  # program of the percussion channel; None: no drummer


PIANO, HONKY_TONK = Instrument(0, 21, 105), Instrument(3, 28, 96)
CHURCH_ORGAN, DRAWBAR_ORGAN = Instrument(19, 28, 96), Instrument(16, 36, 96, 0.9)
VIOLIN, CELLO, CONTRABASS = Instrument(40, 55, 98), Instrument(42, 36, 70), Instrument(43, 28, 55)
VIOLINS, CELLOS, STRING_SECTION = Instrument(48, 55, 96), Instrument(48, 36, 67), Instrument(48, 40, 84)
PIZZICATO, SLOW_STRINGS, TREMOLO_STRINGS = Instrument(45, 36, 90), Instrument(49, 36, 90), Instrument(44, 33, 84)
TRUMPET, HORN, TROMBONE = Instrument(56, 55, 86), Instrument(60, 40, 74), Instrument(57, 38, 68)
TUBA, BRASS_SECTION, TIMPANI = Instrument(58, 26, 55), Instrument(61, 43, 84, 0.9), Instrument(47, 34, 57)
FLUTE, OBOE, CLARINET = Instrument(73, 65, 98), Instrument(68, 58, 88), Instrument(71, 50, 88)
BASSOON, HARP, BANJO = Instrument(70, 34, 67), Instrument(46, 31, 96, 1.1), Instrument(105, 48, 84)
ACCORDION, FIDDLE, GUITAR = Instrument(21, 41, 94), Instrument(110, 55, 98), Instrument(25, 38, 84, 1.1)

ENSEMBLES = {
    "piano": Ensemble((PIANO,), (PIANO,), PIANO, PIANO, PIANO, PIANO, PIANO),
    "ragtime_band": Ensemble((CLARINET,), (HONKY_TONK,), BANJO, BANJO, HONKY_TONK, HONKY_TONK, TUBA, kit=0),
    "salon": Ensemble((VIOLIN, CELLO), (VIOLIN, CELLO), PIANO, PIANO, PIANO, PIANO, CELLO),
    "strings": Ensemble(
        (VIOLINS, CELLOS), (VIOLINS, CELLOS), STRING_SECTION, PIZZICATO, SLOW_STRINGS, TREMOLO_STRINGS, CONTRABASS
    ),
    "organ": Ensemble(
        (DRAWBAR_ORGAN,), (CHURCH_ORGAN,), CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN, CHURCH_ORGAN
    ),
    "brass": Ensemble(
        (TRUMPET, HORN, TROMBONE), (TRUMPET, TROMBONE), BRASS_SECTION, BRASS_SECTION, HORN, TIMPANI, TUBA, kit=48
    ),
    "winds": Ensemble((FLUTE, OBOE, CLARINET, BASSOON), (OBOE, BASSOON), HARP, HARP, CLARINET, BASSOON, BASSOON),
    "folk": Ensemble((FIDDLE, ACCORDION), (ACCORDION,), GUITAR, GUITAR, ACCORDION, ACCORDION, GUITAR),
}
