"""Seven densities in the plane, as endless streams of points.

They are those of Zhang et al. 2022, "Generative Flow Networks for Discrete Probabilistic Modeling" (EB-GFN,
``synthetic/synthetic_data.py``), who have them from Dai et al. 2020 (ALOE) and Grathwohl et al. 2019 (FFJORD). Points
are drawn independently here. There, a batch holds equally many points of each arm, ring or moon, evenly spread angles
on rings and moons, and each point of a spiral beside its mirror image: a single point has the same distribution.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from ..task import Floats


@dataclasses.dataclass(frozen=True)
class Density:
    """A shape, blurred.

    Attributes:
        shape: makes points [N, 2] of uniform numbers [N, ``uniforms``] from [0, 1).
        uniforms: how many of them a point takes.
        noise: standard deviation of the normal noise that is added to both coordinates.
        reach: largest absolute coordinate of the 5,000 points that EB-GFN draws with seed 1 to find its scale.
    """

    shape: Callable[[Floats], Floats]
    uniforms: int
    noise: float
    reach: float

    @property
    def scale(self) -> float:
        """Quantisation steps per unit of length where magnitudes have 15 bits: 2^15 / (reach + 2), as in EB-GFN."""
        return 2**15 / (self.reach + 2)

    def sample(self, num: int, rng: np.random.Generator) -> Floats:
        """Draws points, float64 [num, 2]."""
        points = self.shape(rng.random((num, self.uniforms)))
        if self.noise:
            points = points + self.noise * rng.standard_normal(points.shape)
        return points


def _polar(radius: Floats, angle: Floats) -> Floats:
    points: Floats = np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1)
    return points


def _two_spirals(u: Floats) -> Floats:
    """One and a half turns, points shifted within a square of side 1/2; half of them mirrored in the origin."""
    turn = 3 * np.pi * np.sqrt(u[:, 0])
    arm = _polar(turn, np.pi - turn) + 0.5 * u[:, 1:3]
    points: Floats = np.where(u[:, 3:] < 0.5, arm, -arm) / 3
    return points


def _eight_gaussians(u: Floats) -> Floats:
    return _polar(np.full(len(u), 4 / 1.414), np.floor(8 * u[:, 0]) * np.pi / 4)


def _circles(u: Floats) -> Floats:
    """``sklearn.datasets.make_circles(factor=0.5)``, times 3."""
    return _polar(np.where(u[:, 1] < 0.5, 3.0, 1.5), 2 * np.pi * u[:, 0])


def _moons(u: Floats) -> Floats:
    """``sklearn.datasets.make_moons``, times 2, moved by (-1, -0.2)."""
    moon = _polar(np.ones(len(u)), np.pi * u[:, 0])
    points: Floats = 2 * np.where(u[:, 1:2] < 0.5, moon, np.array([1, 0.5]) - moon) - np.array([1, 0.2])
    return points


def _pinwheel(u: Floats) -> Floats:
    """Five arms, normal along and across (0.3 and 0.1), bent the more the farther out; after Johnson et al. 2016."""
    # Box and Muller's two normal numbers, so that a point is a function of uniform ones, as elsewhere.
    normal = _polar(np.sqrt(-2 * np.log1p(-u[:, 0])), 2 * np.pi * u[:, 1])
    along, across = 1 + 0.3 * normal[:, 0], 0.1 * normal[:, 1]
    angle = np.floor(5 * u[:, 2]) * 2 * np.pi / 5 + 0.25 * np.exp(along)
    points: Floats = 2 * (_polar(along, -angle) + _polar(across, np.pi / 2 - angle))
    return points


def _swissroll(u: Floats) -> Floats:
    """First and last coordinate of ``sklearn.datasets.make_swiss_roll``, over 5."""
    turn = 1.5 * np.pi * (1 + 2 * u[:, 0])
    points: Floats = _polar(turn, turn) / 5
    return points


def _checkerboard(u: Floats) -> Floats:
    x = 4 * u[:, 0] - 2
    y = u[:, 1] - 2 * (u[:, 2] < 0.5) + np.floor(x) % 2
    points: Floats = 2 * np.stack([x, y], -1)
    return points


DENSITIES: dict[str, Density] = {
    "2spirals": Density(_two_spirals, 4, noise=0.1, reach=3.480986093779461),
    "8gaussians": Density(_eight_gaussians, 1, noise=0.5 / 1.414, reach=4.194776570116993),
    "circles": Density(_circles, 2, noise=0.24, reach=3.780577950807519),
    "moons": Density(_moons, 2, noise=0.2, reach=3.6694434066988655),
    "pinwheel": Density(_pinwheel, 3, noise=0.0, reach=3.9460595007278956),
    "swissroll": Density(_swissroll, 1, noise=0.2, reach=3.265938593586957),
    "checkerboard": Density(_checkerboard, 3, noise=0.0, reach=3.9994155029388017),
}
"""By the names of EB-GFN."""
