"""The drawing surface of the generated posters: shapes in unit coordinates on a palette, driven by one generator.

Conventions, here and in the layouts: x and y are fractions of the sheet's width and height; lengths and shape outlines
are fractions of its shorter side; angles are radians, clockwise from the right (an outline's turn: clockwise);
a colour is (r, g, b) or (r, g, b, a), 0 to 255.
"""

from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw

TAU = 2 * np.pi
Colour = tuple[int, ...]
Point = tuple[float, float]
COAT = (
    (-0.17, 0),
    (-0.13, -0.45),
    (-0.15, -0.72),
    (-0.06, -0.78),
    (0.06, -0.78),
    (0.15, -0.72),
    (0.13, -0.45),
    (0.17, 0),
)
GOWN = (
    (-0.3, 0),
    (-0.08, -0.45),
    (-0.13, -0.72),
    (-0.05, -0.78),
    (0.05, -0.78),
    (0.13, -0.72),
    (0.08, -0.45),
    (0.3, 0),
)
TOP_HAT = (
    (-0.15, -0.96),
    (-0.15, -0.99),
    (-0.09, -0.99),
    (-0.1, -1.16),
    (0.1, -1.16),
    (0.09, -0.99),
    (0.15, -0.99),
    (0.15, -0.96),
)


class Palette(NamedTuple):
    sky: Colour
    haze: Colour
    mid: Colour
    dark: Colour
    accent: Colour
    light: Colour


class Sheet:
    """A drawing surface with unit coordinates, its palette and the poster's random generator."""

    def __init__(self, rng: Generator, size: tuple[int, int], palette: Palette):
        self.rng, self.palette = rng, palette
        self.width, self.height = size
        self.side = min(size)
        self.image = Image.new("RGB", size, palette.sky)
        self.draw = ImageDraw.Draw(self.image, "RGBA")

    def u(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def n(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def pick(self, *options):
        return options[self.n(0, len(options) - 1)]

    def across(self, length: float) -> float:
        """A length, in units of the width."""
        return length * self.side / self.width

    def down(self, length: float) -> float:
        """A length, in units of the height."""
        return length * self.side / self.height

    def at(self, x: float, y: float) -> Point:
        return x * self.width, y * self.height

    def polygon(self, points, colour: Colour) -> None:
        self.draw.polygon([self.at(x, y) for x, y in points], fill=colour)

    def shape(self, x: float, y: float, outline, colour: Colour, scale: float = 1, turn: float = 0) -> None:
        """An outline in units of the shorter side, scaled, rotated and placed at a point."""
        c, s = np.cos(turn) * scale, np.sin(turn) * scale
        self.polygon([(x + self.across(a * c - b * s), y + self.down(a * s + b * c)) for a, b in outline], colour)

    def disc(self, x: float, y: float, r: float, colour: Colour, squeeze: float = 1) -> None:
        (px, py), q = self.at(x, y), r * self.side
        self.draw.ellipse((px - q * squeeze, py - q, px + q * squeeze, py + q), fill=colour)

    def arc(
        self, x: float, y: float, r: float, colour: Colour, width: float, start: float = 0, end: float = 360
    ) -> None:
        """Part of a circle; start and end in degrees."""
        (px, py), q = self.at(x, y), r * self.side
        self.draw.arc((px - q, py - q, px + q, py + q), start, end, fill=colour, width=max(1, int(width * self.side)))

    def line(self, points, colour: Colour, width: float) -> None:
        thickness = max(1, int(width * self.side))
        self.draw.line([self.at(x, y) for x, y in points], fill=colour, width=thickness, joint="curve")

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
        self.polygon(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), colour)

    def wedge(self, x: float, y: float, angle: float, spread: float, near: float, far: float, colour: Colour) -> None:
        """A ray: from `near` to `far` on both edges of an opening angle."""
        a, b = angle - spread / 2, angle + spread / 2
        corners = ((near, a), (far, a), (far, b), (near, b))
        self.shape(x, y, [(r * np.cos(t), r * np.sin(t)) for r, t in corners], colour)

    def rays(self, x: float, y: float, count: int, colour: Colour, share: float = 0.5, near: float = 0) -> None:
        turn = self.u(0, TAU)
        for k in range(count):
            self.wedge(x, y, turn + TAU * k / count, TAU / count * share, near, 3, colour)

    def star(self, x: float, y: float, r: float, points: int, colour: Colour) -> None:
        angles = self.u(0, TAU) + np.arange(2 * points) * TAU / (2 * points)
        radii = np.where(np.arange(2 * points) % 2, 0.5, 1)
        self.shape(x, y, [*zip(radii * np.cos(angles), radii * np.sin(angles), strict=False)], colour, r)

    def gradient(self, first: Colour, last: Colour, centre: Point | None = None, reach: float = 1) -> None:
        """Fill the sheet from top to bottom, or from a centre outwards."""
        y, x = np.mgrid[0 : self.height, 0 : self.width].astype(np.float32)
        if centre is None:
            t = y / self.height
        else:
            px, py = self.at(*centre)
            t = np.hypot(x - px, y - py) / (reach * max(self.width, self.height))
        t = np.clip(t, 0, 1)[..., None]
        self.image.paste(Image.fromarray((np.array(first[:3]) * (1 - t) + np.array(last[:3]) * t).astype(np.uint8)))

    def ridge(self, y: float, rise: float, colour: Colour, waves: float = 1.5) -> None:
        """A hill line, filled down to the bottom edge."""
        x = np.linspace(0, 1, 60)
        broad, fine = np.sin(TAU * (waves * x + self.u(0, 1))), np.sin(TAU * (2.7 * waves * x + self.u(0, 1)))
        self.polygon([*zip(x, y - rise * (broad + 0.4 * fine), strict=False), (1, 1), (0, 1)], colour)

    def roofs(self, y: float, rise: float, colour: Colour, lit: Colour | None = None, gable: float = 0) -> None:
        """A town's silhouette; `gable` makes pointed, leaning roofs; `lit` some windows."""
        x = -0.02
        while x < 1:
            w, top = self.u(0.06, 0.15), y - self.u(0.2, 1) * rise
            lean = self.u(-0.3, 0.3) * w if gable else 0
            peak = ((x + w / 2 + lean, top - self.u(0.4, 1) * gable),) if gable else ()
            self.polygon(((x, 1), (x, top), *peak, (x + w, top), (x + w, 1)), colour)
            if lit and self.u(0, 1) < 0.6:
                wx, wy = x + w * self.u(0.2, 0.6), top + self.u(0.02, 0.1)
                self.box(wx, wy, wx + w * 0.2, wy + 0.022, lit)
            x += w * self.u(0.9, 1.05)

    def specks(self, count: int, colours, low: float, high: float, bottom: float = 1) -> None:
        for _ in range(count):
            self.disc(self.u(0, 1), self.u(0, bottom), self.u(low, high), self.pick(*colours))

    def figure(
        self, x: float, y: float, height: float, colour: Colour, outline=COAT, hat: bool = False, turn: float = 0
    ) -> None:
        """A person's silhouette, standing on a point."""
        self.shape(x, y, outline, colour, height, turn)
        if hat:
            self.shape(x, y, TOP_HAT, colour, height, turn)
        reach = 0.88 * height
        self.disc(
            x + self.across(reach * np.sin(turn)), y - self.down(reach * np.cos(turn)), 0.1 * height, colour, 0.85
        )
