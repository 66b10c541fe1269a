"""Layouts of the generated posters for the calm moods: love, noble, pastoral.

A layout defines the subject (a pair under the moon, an arch, a lake); the sheet's generator chooses positions, sizes,
numbers and colours of the palette. Conventions are those of poster_sheet.
"""

import numpy as np
from poster_sheet import COAT, GOWN, TAU, Sheet


def love_moon(s: Sheet) -> None:
    p, x, y, r = s.palette, s.u(0.4, 0.6), s.u(0.34, 0.44), s.u(0.32, 0.42)
    s.gradient(p.sky, p.haze)
    for k in range(3, -1, -1):
        s.disc(x, y, r * (1 + 0.14 * k), (*p.light, 255 if k == 0 else 60))
    s.specks(s.n(10, 24), (p.light, p.accent), 0.004, 0.012, 0.5)
    for k, colour in enumerate((p.accent, p.mid)):
        s.ridge(0.7 + 0.09 * k, s.u(0.02, 0.05), colour, s.u(0.5, 1))
    tall, lean, way = s.u(0.48, 0.6), s.u(0.09, 0.13), s.pick(-1, 1)
    s.figure(0.5 - way * s.across(0.2 * tall), 0.92, tall, p.dark, turn=way * lean)
    s.figure(0.5 + way * s.across(0.24 * tall), 0.92, tall * 0.93, s.pick(p.mid, p.accent), GOWN, turn=-way * lean)
    s.ridge(0.91, 0.02, p.dark, s.u(0.5, 1))
    for _ in range(s.n(10, 26)):
        petal, colour = ((-1, 0), (0, -0.5), (1, 0), (0, 0.5)), s.pick(p.accent, p.mid, p.light)
        s.shape(s.u(0, 1), s.u(0.05, 0.98), petal, colour, s.u(0.01, 0.03), s.u(0, TAU))


def love_roses(s: Sheet) -> None:
    p = s.palette
    s.gradient(p.light, p.haze, (s.u(0.3, 0.7), 0.35), 0.9)
    for _ in range(s.n(5, 9)):
        x, phase, reach, t = s.u(-0.1, 1.1), s.u(0, TAU), s.u(0.6, 1.1), np.linspace(0, 1, 60)
        s.line(
            [*zip(x + 0.13 * np.sin(4 * t + phase), 1 - t * reach, strict=False)],
            s.pick(p.sky, p.accent, p.mid),
            s.u(0.004, 0.012),
        )
    x, r = 0.5, s.u(0.25, 0.32)
    gap = r * s.u(0.5, 0.68)
    for side, colour in ((-1, (*p.mid, 225)), (1, (*p.accent, 190))):
        s.disc(x + side * s.across(gap), 0.42, r, colour)
        s.arc(x + side * s.across(gap), 0.42, r * 1.08, p.dark, 0.007)
    for _ in range(s.n(5, 8)):
        rose(s, s.u(0.08, 0.92), s.u(0.68, 0.98), s.u(0.08, 0.15))


def rose(s: Sheet, x: float, y: float, r: float) -> None:
    p = s.palette
    for _ in range(3):
        s.shape(x, y, ((0, 0), (0.5, -0.22), (1, 0), (0.5, 0.22)), p.dark, r * 1.7, s.u(0, TAU))
    s.disc(x, y, r, p.mid)
    start = s.n(0, 360)
    for k in range(9):
        s.arc(
            x, y, r * (0.95 - 0.1 * k), s.pick(p.dark, p.light, p.accent), 0.007, start + 70 * k, start + 70 * k + 230
        )


def love_heart(s: Sheet) -> None:
    p, y, r, t = s.palette, s.u(0.38, 0.46), s.u(0.03, 0.04), np.linspace(0, TAU, 60)
    heart = [
        *zip(16 * np.sin(t) ** 3, -13 * np.cos(t) + 5 * np.cos(2 * t) + 2 * np.cos(3 * t) + np.cos(4 * t), strict=False)
    ]
    s.gradient(p.light, p.sky, (0.5, y), 0.7)
    s.rays(0.5, y, s.pick(12, 16, 24), (*p.haze, 120))
    colours = s.pick((p.dark, p.light, p.mid), (p.mid, p.haze, p.light), (p.accent, p.light, p.mid))
    for k in range(s.n(4, 7)):
        s.shape(0.5, y, heart, colours[k % 3], r * 0.62 * (1 - 0.14 * k))
    for _ in range(s.n(4, 8)):
        rose(s, s.u(0.02, 0.98), s.u(0.78, 0.98), s.u(0.07, 0.12))
    for _ in range(s.n(6, 16)):
        s.shape(s.u(0, 1), s.u(0.03, 0.75), heart, s.pick(p.mid, p.accent), s.u(0.001, 0.0025), s.u(-0.5, 0.5))


def noble_arch(s: Sheet) -> None:
    p, y = s.palette, s.u(0.36, 0.46)
    s.gradient(p.light, p.haze, (0.5, y), 0.7)
    s.rays(0.5, y, s.pick(24, 32, 40), (*s.pick(p.accent, p.mid, p.light), 170))
    r = s.u(0.3, 0.36)
    for k, colour in enumerate((p.dark, p.mid, p.light, p.accent)):
        s.arc(0.5, y, r - 0.035 * k, colour, 0.03, 180, 360)
    s.disc(0.5, y, s.u(0.08, 0.14), p.light)
    for k in range(s.n(1, 2)):
        for side in (-1, 1):
            x = 0.5 + side * (s.across(r - 0.05) + k * 0.12)
            column(s, x, y - (0 if k == 0 else 0.16), s.u(0.04, 0.05))
    for k in range(4):
        half = 0.2 + 0.11 * k
        s.box(0.5 - half, 0.8 + 0.05 * k, 0.5 + half, 1, (p.accent, p.mid)[k % 2])
    s.figure(0.5, 0.8, s.u(0.36, 0.46), p.dark, s.pick(GOWN, COAT))


def column(s: Sheet, x: float, top: float, half: float) -> None:
    p, half = s.palette, s.across(half)
    s.box(x - half, top, x + half, 0.9, p.mid)
    for k in (-0.6, 0, 0.6):
        s.box(x + half * (k - 0.1), top, x + half * (k + 0.1), 0.9, p.dark)
    s.box(x - half * 1.5, top - 0.02, x + half * 1.5, top + 0.015, p.dark)


def noble_wings(s: Sheet) -> None:
    p, y = s.palette, s.u(0.4, 0.5)
    s.gradient(p.sky, p.haze)
    s.rays(0.5, y, s.pick(16, 20, 28), (*p.light, 90), 0.5)
    count, step = s.n(6, 9), s.u(0.13, 0.17)
    for row, colour in ((1, p.mid), (0.8, p.accent), (0.58, p.light)):
        for side in (-1, 1):
            for k in range(count):
                angle = -TAU / 4 + side * (0.35 + step * k)
                s.wedge(0.5, y + 0.08, angle, 0.11, 0.1, row * (0.62 - 0.035 * k), colour)
    for k in range(5):
        s.box(0.5 - 0.1 - 0.1 * k, 0.72 + 0.06 * k, 0.5 + 0.1 + 0.1 * k, 1, (p.mid, p.dark)[k % 2])
    s.star(0.5, y - s.down(0.32), s.u(0.08, 0.13), s.pick(5, 6, 8), p.light)
    s.figure(0.5, 0.73, s.u(0.42, 0.5), p.dark, s.pick(GOWN, COAT))
    for side in (-1, 1):
        s.box(0.5 + side * 0.43, 0, 0.5 + side * 0.455, 1, p.accent)
        s.box(0.5 + side * 0.47, 0, 0.5 + side * 0.48, 1, p.light)


def noble_window(s: Sheet) -> None:
    p, y, r = s.palette, s.u(0.32, 0.38), s.u(0.2, 0.25)
    s.gradient(p.mid, p.dark)
    for k, colour in enumerate((p.dark, p.accent, p.dark)):
        half, top = s.across(0.46 - 0.05 * k), y - s.down(r) - 0.16 + 0.05 * k
        s.polygon(
            (
                (0.5 - half, 1),
                (0.5 - half, y),
                (0.5 - half * 0.6, (y + top * 2) / 3),
                (0.5, top),
                (0.5 + half * 0.6, (y + top * 2) / 3),
                (0.5 + half, y),
                (0.5 + half, 1),
            ),
            colour,
        )
    petals = s.pick(8, 10, 12)
    s.disc(0.5, y, r, p.light)
    for k in range(petals):
        a = TAU * k / petals
        s.wedge(0.5, y, a, 4.4 / petals, r * 0.3, r * 0.95, (p.haze, p.mid, p.accent)[k % 2])
        s.disc(0.5 + s.across(0.72 * r * np.cos(a)), y + s.down(0.72 * r * np.sin(a)), 1.2 * r / petals, p.light)
    s.disc(0.5, y, r * 0.24, p.accent)
    for k in (-2, -1, 1, 2):
        s.box(0.5 + s.across(0.1 * k - 0.035), y + s.down(r) + 0.05, 0.5 + s.across(0.1 * k + 0.035), 1, p.haze)
        s.disc(0.5 + s.across(0.1 * k), y + s.down(r) + 0.05, 0.035, p.haze)
    for k in (-0.3, -0.1, 0.1, 0.3):
        beam = ((0.5 + k * 0.3, y), (0.55 + k * 0.5, y), (0.62 + k * 2.4, 1), (0.38 + k * 2.4, 1))
        s.polygon(beam, (*p.light, 60))
    s.figure(0.5, 0.93, s.u(0.3, 0.38), p.light, s.pick(GOWN, COAT))
    s.box(0, 0.92, 1, 1, p.dark)


def pastoral_hills(s: Sheet) -> None:
    p, x = s.palette, s.u(0.2, 0.8)
    s.gradient(p.sky, p.haze)
    r, y = s.u(0.12, 0.22), s.u(0.2, 0.36)
    if s.n(0, 1):
        s.rays(x, y, s.n(14, 22), (*p.light, 110))
    s.disc(x, y, r, p.accent if s.n(0, 1) else p.light)
    for _ in range(s.n(2, 5)):
        s.disc(s.u(0, 1), s.u(0.06, 0.3), s.u(0.015, 0.035), (*p.light, 210), s.u(4, 7))
    for k, colour in enumerate((p.haze, p.mid, p.accent, p.mid, p.dark)):
        if k in (2, 4):
            for _ in range(s.n(2, 5)):
                tree(s, s.u(0, 1), 0.5 + 0.1 * k + 0.03, 0.1 + 0.035 * k)
        s.ridge(0.5 + 0.1 * k, s.u(0.02, 0.05), colour, s.u(0.5, 1.2))
        if k == 3:
            path, t = s.u(0.3, 0.7), np.linspace(0, 1, 20)
            middle, half = path + 0.16 * np.sin(5 * t) * (0.3 + t), 0.012 + 0.1 * t**1.5
            s.polygon(
                [
                    *zip(middle - half, 0.82 + 0.18 * t, strict=False),
                    *zip((middle + half)[::-1], 0.82 + 0.18 * t[::-1], strict=False),
                ],
                p.light,
            )


def tree(s: Sheet, x: float, y: float, height: float) -> None:
    p = s.palette
    s.shape(x, y, ((-0.03, 0), (-0.03, -0.5), (0.03, -0.5), (0.03, 0)), p.dark, height)
    if s.n(0, 1):
        s.disc(x, y - s.down(height * 0.65), height * 0.45, p.dark, 0.4)
    else:
        for _ in range(5):
            s.disc(x + s.across(s.u(-0.2, 0.2) * height), y - s.down(s.u(0.5, 0.9) * height), height * 0.25, p.dark)


def pastoral_lake(s: Sheet) -> None:
    p, x, shore = s.palette, s.u(0.3, 0.7), s.u(0.52, 0.6)
    s.gradient(p.haze, p.sky)
    s.disc(x, shore - s.u(0.05, 0.2), s.u(0.12, 0.2), p.accent)
    for _ in range(s.n(3, 6)):
        peak, w, tall = s.u(0, 1), s.u(0.2, 0.4), s.u(0.12, 0.32)
        s.polygon(((peak - w, shore), (peak, shore - tall), (peak + w, shore)), p.mid)
        snow = shore - tall * 0.75
        s.polygon(((peak - w * 0.25, snow), (peak, shore - tall), (peak + w * 0.25, snow)), p.light)
    s.box(0, shore, 1, 1, p.sky)
    for _ in range(s.n(20, 34)):
        y = s.u(shore + 0.01, 0.95)
        s.disc(x + s.u(-0.5, 0.5) * (y - shore) * 2, y, 0.006, s.pick(p.accent, p.light, p.light), s.u(5, 20))
    bx, by, size = s.u(0.2, 0.8), s.u(shore + 0.1, 0.8), s.u(0.18, 0.28)
    s.shape(bx, by, ((-0.5, 0), (0.5, 0), (0.35, 0.18), (-0.35, 0.18)), p.dark, size)
    s.shape(bx, by, ((0, -0.05), (0, -1.1), (0.45, -0.08)), p.light, size)
    s.shape(bx, by, ((-0.05, -0.05), (-0.05, -0.95), (-0.4, -0.08)), p.accent, size)
    s.ridge(0.95, 0.03, p.dark)
    for side in (s.u(-0.02, 0.2), s.u(0.8, 1.02)):
        for _ in range(s.n(6, 12)):
            foot = side + s.u(-0.1, 0.1)
            s.line(((foot, 1), (foot + s.u(-0.05, 0.05), s.u(0.68, 0.86))), p.dark, 0.009)


def pastoral_meadow(s: Sheet) -> None:
    p, x, y = s.palette, s.u(0.3, 0.7), s.u(0.5, 0.58)
    s.gradient(p.sky, p.haze)
    s.rays(x, y, s.n(12, 20), (*p.light, 100))
    s.disc(x, y, s.u(0.2, 0.32), p.light)
    s.ridge(y + 0.04, s.u(0.02, 0.05), p.mid)
    house, size = s.u(0.25, 0.75), s.u(0.12, 0.17)
    for _ in range(s.n(1, 3)):
        tree(s, house + s.pick(-1, 1) * s.u(0.12, 0.25), y + 0.1, s.u(0.2, 0.34))
    s.shape(house, y + 0.1, ((-0.8, 0), (-0.8, -0.7), (0.8, -0.7), (0.8, 0)), p.light, size)
    s.shape(house, y + 0.1, ((-1, -0.65), (-0.6, -1.3), (0.6, -1.3), (1, -0.65)), p.accent, size)
    s.shape(house, y + 0.1, ((-0.15, 0), (-0.15, -0.45), (0.15, -0.45), (0.15, 0)), p.dark, size)
    s.ridge(y + 0.12, s.u(0.01, 0.03), p.dark, s.u(0.5, 1))
    for _ in range(s.n(14, 26)):
        foot, head, size, colour = s.u(0, 1), s.u(0.68, 0.96), s.u(0.02, 0.05), s.pick(p.accent, p.light, p.haze)
        s.line(((foot, 1), (foot + s.u(-0.04, 0.04), 1), (foot, head)), p.mid, 0.008)
        for k in range(6):
            s.shape(foot, head, ((0, 0), (0.35, 0.5), (0, 1), (-0.35, 0.5)), colour, size, TAU * k / 6)
        s.disc(foot, head, size * 0.32, p.dark if colour == p.accent else p.accent)
    for _ in range(s.n(0, 5)):
        bird = (s.u(0.1, 0.9), s.u(0.08, 0.3))
        for side in (-1, 1):
            s.shape(*bird, ((0, 0), (side * 0.5, -0.35), (side, -0.1), (side * 0.5, -0.22)), p.dark, s.u(0.03, 0.05))


LAYOUTS = {
    "love": (love_moon, love_roses, love_heart),
    "noble": (noble_arch, noble_wings, noble_window),
    "pastoral": (pastoral_hills, pastoral_lake, pastoral_meadow),
}
