"""Layouts of the generated posters for the lively moods: battle, hurry, festive, comic.

A layout defines the subject (a locomotive, a Ferris wheel, a burning town); the sheet's generator chooses positions,
sizes, numbers and colours of the palette. Conventions are those of poster_sheet.
"""

import numpy as np
from poster_sheet import GOWN, TAU, Sheet

CAR = ((-0.5, 0), (-0.52, -0.16), (-0.2, -0.2), (-0.14, -0.36), (0.12, -0.36), (0.2, -0.2), (0.5, -0.17), (0.53, 0))


def battle_burst(s: Sheet) -> None:
    p, x, y = s.palette, s.u(0.3, 0.7), s.u(0.28, 0.5)
    s.gradient(p.haze, p.sky, (x, y), 0.7)
    for _ in range(s.n(18, 34)):
        s.wedge(
            x, y, s.u(0, TAU), s.u(0.02, 0.15), s.u(0.05, 0.2), s.u(0.4, 1.6), s.pick(p.mid, p.accent, p.light, p.dark)
        )
    s.star(x, y, s.u(0.12, 0.22), s.n(9, 15), p.light)
    for _ in range(s.n(14, 22)):
        s.disc(s.u(0, 1), s.u(0.82, 1.02), s.u(0.06, 0.15), s.pick(p.dark, p.dark, p.mid))
    lean = s.u(-0.35, 0.35)
    for _ in range(s.n(6, 12)):
        pike(s, s.u(0, 1), s.u(0.9, 1.1), s.u(0.45, 0.8), lean + s.u(-0.15, 0.15))


def pike(s: Sheet, x: float, y: float, length: float, turn: float) -> None:
    p = s.palette
    s.shape(x, y, ((-0.008, 0), (-0.008, -length), (0.008, -length), (0.008, 0)), p.dark, 1, turn)
    s.shape(x, y, ((-0.025, -length), (0, -length - 0.1), (0.025, -length)), p.light, 1, turn)


def battle_charge(s: Sheet) -> None:
    p, way = s.palette, s.pick(-1, 1)
    s.gradient(p.sky, p.haze)
    for _ in range(s.n(4, 7)):
        x = s.u(-0.4, 1.2)
        beam = ((x, 0), (x + s.u(0.05, 0.2), 0), (x - way * 0.7, 1), (x - way * 0.8 - 0.1, 1))
        s.polygon(beam, s.pick(p.mid, p.accent, p.haze))
    for _ in range(s.n(2, 4)):
        x, y, r = s.u(0.1, 0.9), s.u(0.12, 0.45), s.u(0.08, 0.2)
        s.star(x, y, r, s.n(8, 13), p.accent)
        s.star(x, y, r * 0.6, s.n(8, 13), p.light)
    s.ridge(0.72, 0.04, p.mid)
    for x in np.linspace(0.05, 0.95, s.n(5, 8)):
        x, y, tall = x + s.u(-0.03, 0.03), s.u(0.84, 0.94), s.u(0.3, 0.42)
        s.figure(x, y, tall, p.dark, turn=way * s.u(0.15, 0.35))
        rifle = ((-0.006, 0.1), (-0.006, -0.34), (0.006, -0.34), (0.006, 0.1))
        s.shape(x, y - s.down(tall * 0.5), rifle, p.dark, 1, way * s.u(0.5, 0.9))
    s.ridge(0.9, 0.03, p.dark)
    x, top = s.u(0.35, 0.65), s.u(0.14, 0.26)
    s.line(((x - way * 0.12, 0.9), (x, top)), p.dark, 0.016)
    s.polygon(
        (
            (x, top),
            (x - way * 0.3, top + 0.02),
            (x - way * 0.24, top + 0.08),
            (x - way * 0.32, top + 0.15),
            (x - way * 0.025, top + 0.16),
        ),
        p.accent,
    )


def battle_fire(s: Sheet) -> None:
    p, way = s.palette, s.u(-0.15, 0.15)
    s.gradient(p.dark, p.sky)
    for _ in range(s.n(2, 4)):
        s.wedge(s.u(0, 1), 0.9, -TAU / 4 + s.u(-0.6, 0.6), s.u(0.06, 0.14), 0, 2, (*p.light, 70))
    for low, colour in ((0.45, p.mid), (0.62, p.haze), (0.74, p.accent)):
        for x in np.linspace(-0.05, 1.05, s.n(9, 14)):
            reach = s.u(0.2, 0.5) * (1.25 - low)
            s.polygon(
                (
                    (x - 0.1, 1),
                    (x - 0.08, low + 0.12),
                    (x + way - 0.03, low + 0.05 - reach),
                    (x + 0.03, low + 0.1),
                    (x + way + 0.06, low - reach * 0.5),
                    (x + 0.1, 1),
                ),
                colour,
            )
    s.roofs(s.u(0.88, 0.96), s.u(0.25, 0.4), p.dark, p.accent, gable=s.pick(0, 0.07))
    s.specks(s.n(30, 70), (p.accent, p.light), 0.003, 0.009, 0.8)


def hurry_train(s: Sheet) -> None:
    p, x, y = s.palette, s.u(0.35, 0.65), s.u(0.36, 0.46)
    s.gradient(p.sky, p.haze)
    s.rays(x, y, s.n(14, 26), (*p.light, 120), 0.4)
    for k in range(s.n(12, 18)):
        puff = (x + s.across(0.05 + 0.045 * k * s.pick(1, 1.2)), y - s.down(0.25 + 0.012 * k))
        s.disc(*puff, 0.05 + 0.008 * k, (*s.pick(p.light, p.mid), 190))
    s.polygon(((0, 1), (0, 0.8), (x, y), (1, 0.8), (1, 1)), p.mid)
    for k in range(1, 9):
        t = (k / 8) ** 1.8
        s.line(
            ((x - 0.55 * t - 0.05, y + (1 - y) * t), (x + 0.55 * t + 0.05, y + (1 - y) * t)), p.dark, 0.004 + 0.03 * t
        )
    for side in (-1, 1):
        s.polygon(((x, y), (x + side * 0.36, 1), (x + side * 0.44, 1)), p.light)
    r, y = s.u(0.2, 0.27), y + 0.1
    s.shape(x, y, ((-1.1, 1.1), (1.1, 1.1), (0.8, 1.9), (-0.8, 1.9)), p.accent, r)
    for k in np.linspace(-0.9, 0.9, 7):
        s.shape(x, y, ((k - 0.04, 1.15), (k + 0.04, 1.15), (k * 0.7 + 0.04, 1.85), (k * 0.7 - 0.04, 1.85)), p.dark, r)
    s.shape(x, y, ((-1.25, 0.95), (1.25, 0.95), (1.25, 1.2), (-1.25, 1.2)), p.dark, r)
    s.shape(x, y, ((-0.2, -0.9), (-0.35, -1.7), (0.35, -1.7), (0.2, -0.9)), p.dark, r)
    for size, colour in ((1, p.dark), (0.86, p.mid), (0.78, p.dark), (0.36, p.accent), (0.26, p.light)):
        s.disc(x, y, r * size, colour)


def hurry_road(s: Sheet) -> None:
    p, way, turn = s.palette, s.pick(-1, 1), s.u(-0.14, 0.02)
    s.gradient(p.sky, p.haze)
    s.disc(s.u(0.2, 0.8), s.u(0.2, 0.4), s.u(0.15, 0.28), p.light)
    s.ridge(0.6, 0.05, p.mid)
    s.polygon(((0, 0.72), (1, 0.72 + way * turn), (1, 1), (0, 1)), p.dark)
    for _ in range(s.n(30, 60)):
        x, y, length = s.u(-0.2, 1), s.u(0.05, 1), s.u(0.1, 0.6)
        streak = (*s.pick(p.light, p.accent, p.mid), 200)
        s.line(((x, y), (x + length, y + way * turn * length)), streak, s.u(0.003, 0.014))
    x, y, size = 0.5 + s.u(-0.08, 0.08), s.u(0.66, 0.74), s.u(0.7, 0.85)
    tilt = np.arctan(s.down(way * turn) / s.across(1))
    s.shape(x, y, [(way * a, b) for a, b in CAR], p.accent, size, tilt)
    s.shape(
        x,
        y,
        [(way * a, b) for a, b in ((-0.11, -0.22), (-0.08, -0.33), (0.1, -0.33), (0.16, -0.22))],
        p.light,
        size,
        tilt,
    )
    for offset in (-0.32, 0.33):
        wx, wy = x + s.across(offset * size), y + s.down(offset * size * np.sin(tilt))
        for r, colour in ((0.13, p.dark), (0.085, p.light), (0.03, p.dark)):
            s.disc(wx, wy, r * size, colour, 1.25 if r > 0.05 else 1)
    for k in range(s.n(8, 14)):
        s.disc(x - way * s.across(0.45 + 0.05 * k), y + s.u(-0.05, 0.05), 0.03 + 0.008 * k, (*p.haze, 150))


def hurry_wheels(s: Sheet) -> None:
    p, way = s.palette, s.pick(-1, 1)
    s.gradient(p.sky, p.haze)
    for _ in range(s.n(5, 9)):
        x, w = s.u(-0.6, 1.2), s.u(0.03, 0.16)
        band = ((x, 0), (x + w, 0), (x + w - way * 0.6, 1), (x - way * 0.6, 1))
        s.polygon(band, s.pick(p.light, p.haze, p.mid, p.accent))
    for _ in range(s.n(4, 6)):
        colours = s.pick((p.dark, p.accent), (p.mid, p.light), (p.accent, p.dark))
        gear(s, s.u(0.05, 0.95), s.u(0.08, 0.92), s.u(0.12, 0.3), *colours)
    x, y, r = s.u(0.35, 0.65), s.u(0.4, 0.6), s.u(0.27, 0.34)
    gear(s, x, y, r, p.dark, p.accent)
    for k in range(s.n(7, 12)):
        start = s.n(0, 360)
        s.arc(x, y, r * (1.2 + 0.09 * k), (*p.light, 200), 0.008, start, start + s.n(20, 80))


def gear(s: Sheet, x: float, y: float, r: float, rim: tuple, core: tuple) -> None:
    teeth = s.n(10, 16)
    for k in range(teeth):
        s.wedge(x, y, TAU * k / teeth, 3 / teeth, r * 0.5, r * 1.13, rim)
    s.disc(x, y, r, rim)
    s.disc(x, y, r * 0.72, core)
    for k in range(6):
        s.wedge(x, y, TAU * k / 6, 0.2, 0, r * 0.8, rim)
    s.disc(x, y, r * 0.26, rim)
    s.disc(x, y, r * 0.1, core)


def festive_lanterns(s: Sheet) -> None:
    p = s.palette
    s.gradient(p.sky, p.haze)
    for k in range(s.n(3, 5)):
        swag(s, 0.04 + 0.13 * k, s.u(0.08, 0.2))
    s.specks(s.n(60, 130), (p.accent, p.light, p.mid), 0.005, 0.013)
    s.ridge(0.84, 0.01, p.dark, 0.5)
    for x in np.linspace(0.12, 0.88, s.n(3, 4)):
        tall, way = s.u(0.34, 0.44), s.pick(-1, 1)
        s.figure(
            x - s.across(0.07), 0.88 + s.u(-0.02, 0.03), tall, p.dark, turn=way * s.u(0.05, 0.2), hat=bool(s.n(0, 1))
        )
        gown = s.pick(p.mid, p.accent, p.light)
        s.figure(x + s.across(0.09), 0.88 + s.u(-0.02, 0.03), tall * 0.94, gown, GOWN, turn=-way * s.u(0.05, 0.2))


def swag(s: Sheet, y: float, sag: float) -> None:
    p, count, phase = s.palette, s.n(6, 10), s.u(-0.1, 0.1)
    t = np.linspace(0, 1, 40)
    s.line([*zip(t, y + phase * (t - 0.5) + sag * 4 * t * (1 - t), strict=False)], p.light, 0.006)
    flags = s.n(0, 1)
    for k in range(count):
        x = (k + 0.5) / count
        top, colour = y + phase * (x - 0.5) + sag * 4 * x * (1 - x), s.pick(p.accent, p.mid, p.light, p.haze)
        if flags:
            s.shape(x, top, ((-0.5, 0), (0.5, 0), (0, 1.2)), colour, 0.09)
        else:
            s.disc(x, top + s.down(0.05), 0.075, (*p.light, 60))
            s.disc(x, top + s.down(0.05), 0.046, colour, 0.85)


def festive_fair(s: Sheet) -> None:
    p, x, y, r = s.palette, s.u(0.35, 0.65), s.u(0.5, 0.58), s.u(0.3, 0.38)
    s.gradient(p.sky, p.haze)
    for _ in range(s.n(3, 6)):
        firework(s, s.u(0.05, 0.95), s.u(0.05, 0.4), s.u(0.1, 0.24))
    s.arc(x, y, r, p.light, 0.016)
    s.arc(x, y, r * 0.86, p.accent, 0.01)
    turn, spokes = s.u(0, 1), s.n(8, 12)
    for k in range(spokes):
        a = turn + TAU * k / spokes
        end = (x + s.across(r * np.cos(a)), y + s.down(r * np.sin(a)))
        s.line(((x, y), end), p.light, 0.006)
        s.shape(*end, ((-0.5, 0), (0.5, 0), (0.35, 0.6), (-0.35, 0.6)), (p.mid, p.accent)[k % 2], 0.1)
    s.polygon(((x - 0.02, y), (x + 0.02, y), (x + 0.2, 1), (x - 0.2, 1)), (*p.dark, 150))
    s.roofs(0.92, 0.18, p.dark, p.accent)
    s.roofs(1, 0.1, p.dark, p.light)


def firework(s: Sheet, x: float, y: float, r: float) -> None:
    colour, count = s.pick(s.palette.accent, s.palette.light, s.palette.mid), s.n(12, 20)
    for k in range(count):
        s.wedge(x, y, TAU * k / count, 0.06, r * 0.25, r, colour)
        a = TAU * (k + 0.5) / count
        s.disc(x + s.across(1.15 * r * np.cos(a)), y + s.down(1.15 * r * np.sin(a)), 0.009, colour)


def festive_fans(s: Sheet) -> None:
    p, size = s.palette, s.u(0.16, 0.26)
    rows = int(1 / s.down(size * 0.5)) + 2
    for row in range(rows):
        for column_ in range(-1, int(1 / s.across(2 * size)) + 2):
            x, y = s.across(size) * (2 * column_ + row % 2), s.down(size * 0.5) * row
            for k, colour in enumerate((p.dark, p.sky, p.accent, p.haze, p.mid)):
                s.disc(x, y, size * (1 - 0.2 * k), colour)
    for x in (s.u(0.26, 0.36), s.u(0.64, 0.74)):
        turn, tall = s.u(0.08, 0.2) * (1 if x < 0.5 else -1), s.u(0.5, 0.62)
        glass = ((0, 0), (0.28, -0.9), (-0.28, -0.9))
        s.shape(
            x,
            0.6,
            ((-0.02, 0), (0.02, 0), (0.02, 0.55), (0.2, 0.6), (-0.2, 0.6), (-0.02, 0.55)),
            p.light,
            tall * 0.7,
            turn,
        )
        s.shape(x, 0.62, glass, p.light, tall * 0.8, turn)
        s.shape(x, 0.58, glass, p.accent, tall * 0.6, turn)
    for _ in range(s.n(20, 45)):
        s.disc(s.u(0.15, 0.85), s.u(0.02, 0.5), s.u(0.006, 0.024), s.pick(p.light, p.accent))


def comic_floor(s: Sheet) -> None:
    p, turn = s.palette, s.u(-0.25, 0.25)
    s.gradient(p.sky, p.haze)
    for k in range(-2, 14, 2):
        s.polygon(((0.1 * k + turn, 0), (0.1 * k + 0.1 + turn, 0), (0.1 * k + 0.1, 0.7), (0.1 * k, 0.7)), p.haze)
    rows, columns, top = 5, 10, 0.7
    s.box(0, top, 1, 1, p.light)
    for row in range(rows):
        y0, y1 = top + (1 - top) * (row / rows) ** 1.5, top + (1 - top) * ((row + 1) / rows) ** 1.5
        for column_ in range(row % 2, columns, 2):
            x0, x1 = column_ / columns - 0.5, (column_ + 1) / columns - 0.5
            k0, k1 = 1 + (y0 - top) * 4, 1 + (y1 - top) * 4
            s.polygon(((0.5 + x0 * k0, y0), (0.5 + x1 * k0, y0), (0.5 + x1 * k1, y1), (0.5 + x0 * k1, y1)), p.dark)
    for _ in range(s.n(4, 8)):
        x, y, r, colour = s.u(0.05, 0.95), s.u(0.1, 0.72), s.u(0.04, 0.12), s.pick(p.mid, p.accent, p.light)
        s.arc(x, y, r * 1.25, p.dark, 0.006, *s.pick((200, 290), (250, 340)))
        s.disc(x, y, r, colour)
    s.figure(s.u(0.35, 0.65), 0.86, s.u(0.52, 0.64), p.dark, hat=True, turn=turn)


def comic_face(s: Sheet) -> None:
    p, x, y, r = s.palette, s.u(0.42, 0.58), s.u(0.46, 0.54), s.u(0.24, 0.3)
    s.gradient(p.sky, p.sky)
    s.rays(x, y, s.pick(8, 10, 12, 16), s.pick(p.haze, p.mid))
    s.specks(s.n(0, 14), (p.accent, p.light, p.mid), 0.02, 0.06)
    turn = s.u(-0.25, 0.25)
    s.disc(x, y, r, p.light)
    for side in (-1, 1):
        s.disc(x + side * s.across(0.4 * r), y - s.down(0.15 * r), r * 0.24, p.dark, 0.7)
        s.disc(x + side * s.across(0.4 * r) + 0.01, y - s.down(0.2 * r), r * 0.08, p.light)
        moustache = (
            (side * 0.02, 0.35),
            (side * 0.5, 0.3),
            (side * 0.62, 0.12),
            (side * 0.35, 0.2),
            (side * 0.02, 0.2),
        )
        s.shape(x, y, moustache, p.dark, r * 1.1, turn)
        s.shape(x, y + s.down(1.15 * r), ((0, 0), (side * 0.8, -0.4), (side * 0.8, 0.4)), p.accent, r)
    s.disc(x, y + s.down(0.12 * r), r * 0.14, p.accent)
    s.arc(x, y + s.down(0.3 * r), r * 0.4, p.accent, 0.016, 20, 160)
    tall = s.u(1.15, 1.6)
    s.shape(x, y, ((-0.7, -0.7), (-0.72, -tall), (0.72, -tall), (0.7, -0.7)), p.dark, r, turn)
    s.shape(x, y, ((-1.15, -0.62), (-1.15, -0.75), (1.15, -0.75), (1.15, -0.62)), p.dark, r, turn)
    s.shape(x, y, ((-0.7, -0.75), (-0.7, -0.9), (0.7, -0.9), (0.7, -0.75)), p.accent, r, turn)


def comic_clock(s: Sheet) -> None:
    p, turn, x = s.palette, s.u(-0.12, 0.12), s.u(0.35, 0.65)
    s.gradient(p.sky, p.haze)
    s.shape(x, 0.5, ((-0.36, -1.4), (0.36, -1.4), (0.36, 1.4), (-0.36, 1.4)), p.mid, 1, turn)
    for row in np.arange(-1.1, 1.2, 0.24):
        for side in (-0.25, 0, 0.25):
            west, east, top, sill = side - 0.07, side + 0.07, row - 0.07, row + 0.09
            pane = s.pick(p.light, p.light, p.dark, p.haze)
            s.shape(x, 0.5, ((west, top), (east, top), (east, sill), (west, sill)), pane, 1, turn)
    s.specks(s.n(3, 9), (p.accent, p.sky), 0.02, 0.05)
    y, r = s.u(0.3, 0.38), s.u(0.21, 0.27)
    for k, colour in ((1.12, p.dark), (1, p.light)):
        s.disc(x, y, r * k, colour)
    for k in range(12):
        s.wedge(x, y, TAU * k / 12, 0.1, r * 0.78, r * 0.94, p.dark)
    hand = s.u(0.8, 1.2)
    s.wedge(x, y, -hand, 0.12, 0, r * 0.6, p.dark)
    s.wedge(x, y, hand, 0.07, 0, r * 1.02, p.accent)
    grip = (x + s.across(r * np.cos(hand)), y + s.down(r * np.sin(hand)))
    swing = s.u(-0.35, 0.35)
    foot = (grip[0] - s.across(0.42 * np.sin(swing)), grip[1] + s.down(0.42 * np.cos(swing)))
    s.figure(*foot, 0.38, p.dark, hat=True, turn=swing)


LAYOUTS = {
    "battle": (battle_burst, battle_charge, battle_fire),
    "hurry": (hurry_train, hurry_road, hurry_wheels),
    "festive": (festive_lanterns, festive_fair, festive_fans),
    "comic": (comic_floor, comic_face, comic_clock),
}
