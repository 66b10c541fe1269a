"""Layouts of the generated posters for the dark moods: sorrow, mystery, terror.

A layout defines the subject (a willow, a lit doorway, a crooked town); the sheet's generator chooses positions, sizes,
numbers and colours of the palette. Conventions are those of poster_sheet.
"""

import numpy as np
from poster_sheet import COAT, GOWN, TAU, Sheet


def sorrow_rain(s: Sheet) -> None:
    p, slant = s.palette, s.u(-0.16, 0.16)
    s.gradient(p.sky, p.haze)
    s.roofs(s.u(0.5, 0.62), s.u(0.15, 0.35), p.mid)
    s.box(0, 0.78, 1, 1, p.dark)
    x, tall = s.u(0.3, 0.7), s.u(0.4, 0.52)
    for _ in range(s.n(4, 8)):
        s.disc(s.u(0, 1), s.u(0.82, 0.98), s.u(0.008, 0.02), p.mid, s.u(4, 9))
    s.disc(x, 0.88, 0.02, p.sky, 9)
    s.figure(x, 0.88, tall, p.dark, s.pick(GOWN, COAT), turn=s.pick(-1, 1) * s.u(0.08, 0.14))
    lamp = x + s.pick(-1, 1) * s.u(0.2, 0.3)
    s.line(((lamp, 0.84), (lamp, 0.34), (lamp + 0.06, 0.31)), p.dark, 0.014)
    s.disc(lamp + 0.07, 0.33, s.u(0.1, 0.16), (*p.light, 60))
    s.disc(lamp + 0.07, 0.33, 0.028, p.light)
    for _ in range(s.n(90, 190)):
        x, y, length = s.u(-0.1, 1.1), s.u(-0.1, 1), s.u(0.04, 0.16)
        s.line(((x, y), (x + slant * length, y + length)), (*p.light, s.n(60, 170)), 0.004)


def sorrow_willow(s: Sheet) -> None:
    p = s.palette
    s.gradient(p.haze, p.sky)
    s.disc(s.u(0.25, 0.75), s.u(0.25, 0.4), s.u(0.12, 0.22), p.light)
    s.ridge(0.76, 0.03, p.mid, 0.7)
    s.ridge(0.86, 0.03, p.dark, 0.7)
    x, way = s.u(0.3, 0.7), s.pick(-1, 1)
    for _ in range(s.n(1, 4)):
        cross = x + s.u(-0.25, 0.25)
        size = s.u(0.7, 1.2)
        s.shape(cross, 0.88, ((-0.02, 0), (-0.02, -0.3), (0.02, -0.3), (0.02, 0)), p.dark, size)
        s.shape(cross, 0.88, ((-0.09, -0.19), (-0.09, -0.225), (0.09, -0.225), (0.09, -0.19)), p.dark, size)
    s.figure(x + way * 0.1, 0.9, s.u(0.28, 0.36), p.dark, GOWN, turn=way * 0.16)
    for _ in range(s.n(34, 56)):
        start, t = s.u(-0.15, 1.05), np.linspace(0, 1, 24)
        length, sway, colour = s.u(0.2, 0.7), s.u(0.03, 0.16), s.pick(p.dark, p.dark, p.mid, p.accent)
        strand = [*zip(start + way * sway * np.sqrt(t), t * length, strict=False)]
        s.line(strand, colour, 0.005)
        for x, y in strand[2::2]:
            s.shape(x, y, ((0, 0), (0.012, 0.02), (0, 0.05), (-0.012, 0.02)), colour, s.u(0.6, 1.1), s.u(-0.6, 0.6))


def sorrow_flower(s: Sheet) -> None:
    p, x, way = s.palette, s.u(0.4, 0.6), s.pick(-1, 1)
    s.gradient(p.sky, p.haze, (x, 0.4), 0.8)
    for _ in range(s.n(5, 11)):
        edge = s.u(0, 1)
        s.box(edge, 0, edge + s.u(0.02, 0.1), 1, (*s.pick(p.mid, p.light), 60))
    s.box(0, 0.84, 1, 1, p.mid)
    s.disc(x, 0.87, 0.02, p.dark, 12)
    for _ in range(s.n(1, 3)):
        t, lean, top = np.linspace(0, 1, 30), way * s.u(0.06, 0.22), s.u(0.22, 0.42)
        bend = [
            *zip(
                x + lean * t**2 + way * s.across(0.14) * np.clip(t - 0.6, 0, 1),
                0.7 - (0.7 - top) * np.sin(t * TAU * 0.36),
                strict=False,
            )
        ]
        s.line(bend, p.dark, 0.014)
        for k in range(6):
            petal, colour = ((0, 0), (0.05, 0.1), (0, 0.2), (-0.05, 0.1)), (p.accent, p.mid)[k % 2]
            s.shape(*bend[-1], petal, colour, s.u(0.8, 1.2), (k - 2.5) * 0.4)
        s.shape(*bend[14], ((0, 0), (0.1, 0.03), (0.16, 0.14), (0.05, 0.1)), p.dark, 1, s.u(0, 1))
    vase = ((-0.09, 0), (-0.13, -0.12), (-0.05, -0.24), (0.05, -0.24), (0.13, -0.12), (0.09, 0))
    s.shape(x, 0.88, vase, p.dark, s.u(0.9, 1.2))
    fallen = ((0, 0), (0.03, 0.04), (0, 0.09), (-0.03, 0.04))
    for _ in range(s.n(4, 9)):
        s.shape(x + s.u(-0.35, 0.35), s.u(0.6, 0.96), fallen, p.accent, s.u(0.5, 0.9), s.u(0, TAU))


def mystery_street(s: Sheet) -> None:
    p, way = s.palette, s.pick(-1, 1)
    s.gradient(p.sky, p.haze)
    moon = 0.5 - way * s.u(0.15, 0.3)
    for k in (1.5, 1.25, 1):
        s.disc(moon, 0.2, 0.11 * k, (*p.light, 255 if k == 1 else 40))
    s.roofs(s.u(0.52, 0.62), s.u(0.15, 0.3), p.mid, gable=0.06)
    s.roofs(s.u(0.68, 0.76), s.u(0.2, 0.36), p.dark, p.accent, gable=s.pick(0, 0.08))
    s.box(0, 0.8, 1, 1, p.mid)
    lamp, foot = 0.5 + way * s.u(0.12, 0.28), s.u(0.84, 0.92)
    cone = ((lamp - 0.02, 0.36), (lamp + 0.02, 0.36), (lamp + 0.28, foot + 0.04), (lamp - 0.28, foot + 0.04))
    s.polygon(cone, (*p.accent, 130))
    s.disc(lamp, foot + 0.03, 0.05, (*p.accent, 150), 5)
    s.line(((lamp, foot), (lamp, 0.36)), p.dark, 0.014)
    s.disc(lamp, 0.36, 0.03, p.light)
    x, tall = lamp - way * s.u(0.06, 0.1), s.u(0.36, 0.46)
    s.shape(x, foot, ((-0.06, 0), (0.06, 0), (-way * 0.75, 0.3), (-way * 0.95, 0.2)), (*p.dark, 200))
    s.figure(x, foot, tall, p.dark, hat=True)
    for _ in range(s.n(3, 6)):
        s.disc(s.u(0, 1), s.u(0.5, 0.85), s.u(0.015, 0.04), (*p.light, 38), s.u(10, 20))


def mystery_door(s: Sheet) -> None:
    p, x, w, top, floor = s.palette, s.u(0.3, 0.7), s.u(0.08, 0.15), s.u(0.18, 0.32), s.u(0.62, 0.72)
    s.gradient(p.haze, p.dark, (x, 0.5), 0.9)
    for _ in range(s.n(5, 9)):
        edge = s.u(0, 1)
        s.polygon(((edge, 0), (edge + 0.07, 0), (edge + 0.02, floor), (edge - 0.03, floor)), (*p.mid, 140))
    s.box(0, floor, 1, 1, p.dark)
    reach = s.u(-0.25, 0.25)
    s.polygon(((x - w, floor), (x + w, floor), (x + reach + 2.4 * w, 1), (x + reach - 2.4 * w, 1)), (*p.accent, 210))
    s.polygon(((x - 0.4 * w, floor), (x + 0.4 * w, floor), (x + reach + w, 1), (x + reach - 0.6 * w, 1)), p.dark)
    s.box(x - w, top, x + w, floor, p.accent)
    if s.n(0, 1):
        s.disc(x, top, w * s.width / s.side, p.accent)
    tall = (floor - top) * s.height / s.side * s.u(0.72, 0.9)
    s.figure(x, floor + 0.01, tall, p.dark, s.pick(COAT, GOWN), hat=bool(s.n(0, 1)))
    for k in range(s.n(5, 8)):
        side = 1 if reach < 0 else -1
        edge = 0.5 + side * (0.16 + 0.07 * k)
        s.box(edge, 1 - 0.05 * k, edge + side, 1, (*p.mid, 150) if k % 2 else p.sky)
    s.specks(s.n(0, 14), (p.light,), 0.003, 0.006, 0.3)


def mystery_keyhole(s: Sheet) -> None:
    p, y, r = s.palette, s.u(0.36, 0.46), s.u(0.2, 0.27)
    s.gradient(p.mid, p.dark, (0.5, y), 0.8)
    s.rays(0.5, y, s.n(18, 36), (*s.pick(p.haze, p.dark), 110))
    for k in (1.3, 1.12, 1):
        colour = p.accent if k == 1 else (*p.accent, 60)
        s.disc(0.5, y, r * k, colour)
        s.shape(0.5, y, ((-0.3, 0.3), (0.3, 0.3), (0.75, 2.1), (-0.75, 2.1)), colour, r * k)
    white = ((-0.85, 0), (-0.4, -0.36), (0, -0.45), (0.4, -0.36), (0.85, 0), (0.4, 0.3), (0, 0.38), (-0.4, 0.3))
    iris = s.u(-0.2, 0.2)
    s.shape(0.5, y, white, p.dark, r * 1.1)
    s.shape(0.5, y, white, p.light, r)
    for size, colour in ((0.34, p.haze), (0.2, p.dark)):
        s.disc(0.5 + s.across(iris * r), y, r * size, colour)
    s.figure(0.5, y + s.down(2.05 * r), r * s.u(1.1, 1.35), p.dark, hat=bool(s.n(0, 1)))
    s.specks(s.n(5, 25), (p.light,), 0.002, 0.006)


def terror_jaws(s: Sheet) -> None:
    p = s.palette
    s.gradient(p.haze, p.dark, (s.u(0.35, 0.65), s.u(0.35, 0.5)), 0.65)
    for _ in range(s.n(8, 16)):
        x, y, points = s.u(0.1, 0.9), s.u(0.1, 0.6), []
        for _ in range(6):
            points.append((x, y))
            x, y = x + s.u(-0.12, 0.12), y + s.u(0.02, 0.1)
        s.line(points, s.pick(p.accent, p.mid), s.u(0.004, 0.014))
    y, gap, r = s.u(0.34, 0.46), s.u(0.16, 0.22), s.u(0.09, 0.13)
    for side in (-1, 1):
        eye = ((-1, -0.1 - side * 0.5), (0, -0.55), (1, -0.1 + side * 0.5), (0.2, 0.5), (-0.2, 0.5))
        s.shape(0.5 + side * gap, y, eye, p.dark, r * 1.5)
        s.shape(0.5 + side * gap, y, eye, p.accent, r)
        s.disc(0.5 + side * gap, y, r * 0.3, p.dark, s.pick(0.4, 1))
    for edge, way, colour in ((0, 1, p.mid), (1, -1, p.mid), (0, 1, p.dark), (1, -1, p.dark)):
        x = -0.05
        while x < 1.05:
            w, depth = s.u(0.06, 0.17), s.u(0.1, 0.3) * (0.8 if colour == p.dark else 1.2)
            s.polygon(((x, edge), (x + w, edge), (x + w * s.u(0.2, 0.8), edge + way * depth)), colour)
            x += w * 0.9
    s.specks(s.n(0, 20), (p.accent,), 0.004, 0.014)


def terror_town(s: Sheet) -> None:
    p, x = s.palette, s.u(0.3, 0.7)
    s.gradient(p.sky, p.haze)
    s.disc(x, 0.3, s.u(0.2, 0.3), p.accent)
    tall, way = s.u(0.62, 0.8), s.pick(-1, 1)
    s.figure(x, 0.84, tall, p.dark, turn=way * 0.06)
    for side in (-1, 1):
        arm = (x + side * s.across(0.12 * tall), 0.84 - s.down(0.68 * tall))
        hand = (x + side * s.across(s.u(0.2, 0.32)), s.u(0.2, 0.34))
        s.line((arm, hand), p.dark, 0.05)
        for k in range(5):
            s.wedge(*hand, -TAU / 4 + side * 0.25 + (k - 2) * 0.38, 0.12, 0, s.u(0.1, 0.17), p.dark)
    for side in (-0.035, 0.035):
        s.disc(x + way * 0.02 + side * tall, 0.84 - s.down(0.89 * tall), 0.012, p.light)
    s.roofs(s.u(0.78, 0.84), 0.2, p.mid, p.accent, gable=0.2)
    s.roofs(s.u(0.92, 0.98), 0.2, p.dark, p.accent, gable=0.16)
    for _ in range(s.n(2, 6)):
        s.wedge(s.u(0, 1), 0, TAU / 4 + s.u(-0.5, 0.5), s.u(0.01, 0.05), 0, s.u(0.3, 1), (*p.dark, 130))


def terror_spiral(s: Sheet) -> None:
    p, x, y, twist = s.palette, s.u(0.4, 0.6), s.u(0.4, 0.5), s.pick(-1, 1) * s.u(1.5, 3.5)
    s.gradient(p.haze, p.mid, (x, y), 0.7)
    arms, t = s.n(5, 9), np.linspace(0.02, 1.6, 40)
    for k in range(arms):
        a = TAU * k / arms + twist * np.sqrt(t)
        edges = [(r * np.cos(b), r * np.sin(b)) for r, b in zip(t, a, strict=False)]
        back = [
            (r * np.cos(b + TAU * 0.5 / arms), r * np.sin(b + TAU * 0.5 / arms))
            for r, b in zip(t[::-1], a[::-1], strict=False)
        ]
        s.shape(x, y, edges + back, p.dark)
    r = s.u(0.17, 0.24)
    right = ((0.7, -0.8), (0.85, 0), (0.5, 0.7), (0.25, 1.3))
    s.shape(x, y, ((0, -1.1), *right, *((-a, b) for a, b in reversed(right))), p.light, r)
    for side in (-1, 1):
        s.shape(x, y, ((side * 0.1, 0.05), (side * 0.35, -0.4), (side * 0.75, -0.35), (side * 0.55, 0.15)), p.dark, r)
        s.disc(x + side * s.across(0.42 * r), y - s.down(0.12 * r), r * 0.1, p.accent)
    s.shape(x, y, ((0, 0.15), (0.12, 0.42), (-0.12, 0.42)), p.dark, r)
    s.shape(
        x, y, ((-0.4, 0.7), (-0.2, 0.62), (0, 0.7), (0.2, 0.62), (0.4, 0.7), (0.15, 1.05), (-0.15, 1.05)), p.dark, r
    )
    for _ in range(s.n(6, 14)):
        s.wedge(s.u(0, 1), s.pick(-0.02, 1.02), s.u(0, TAU), s.u(0.1, 0.25), 0, s.u(0.1, 0.3), s.pick(p.dark, p.mid))


LAYOUTS = {
    "sorrow": (sorrow_rain, sorrow_willow, sorrow_flower),
    "mystery": (mystery_street, mystery_door, mystery_keyhole),
    "terror": (terror_jaws, terror_town, terror_spiral),
}
