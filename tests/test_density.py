"""Points of the plane, bit by bit: coding, densities, the task, pictures, and what models of them are measured by."""

import itertools
import json
import math

import gymnasium as gym
import numpy as np
import pytest
import toys
from PIL import Image
from scipy.spatial import cKDTree
from scipy.special import i0e

from musegym.benchmarks.domains import density as bench
from musegym.envs import make_task
from musegym.envs.checks import check_task
from musegym.envs.corpora.densities import DENSITIES
from musegym.envs.media.plane import to_bits, to_points, to_ranges

NAMES = ("2spirals", "8gaussians", "circles", "moons", "pinwheel", "swissroll", "checkerboard")


def task_of(name="2spirals"):
    return make_task("musegym/Density-v0", density=name)


def as_published(name, rng, n):
    """The draws of EB-GFN's ``synthetic_data.py`` and of scikit-learn's generators, in their order."""
    if name in ("circles", "moons"):
        half = n // 2
        angle = np.linspace(0, 2 * np.pi, half, endpoint=False) if name == "circles" else np.linspace(0, np.pi, half)
        first = np.stack([np.cos(angle), np.sin(angle)], 1)
        second = first / 2 if name == "circles" else np.array([1, 0.5]) - first
        order = np.arange(n)
        rng.shuffle(order)
        points = np.concatenate([first, second])[order]
        points += rng.normal(scale=0.08 if name == "circles" else 0.1, size=(n, 2))
        return 3 * points if name == "circles" else 2 * points + np.array([-1, -0.2])
    if name == "swissroll":
        turn = 1.5 * np.pi * (1 + 2 * rng.uniform(size=n))
        rng.uniform(size=n)  # the coordinate that is left out
        noise = rng.standard_normal((3, n))
        return (np.stack([turn * np.cos(turn), turn * np.sin(turn)], 1) + noise[[0, 2]].T) / 5
    if name == "8gaussians":
        half = math.sqrt(0.5)
        corners = [(1, 0), (-1, 0), (0, 1), (0, -1), (half, half), (half, -half), (-half, half), (-half, -half)]
        return np.array([rng.randn(2) * 0.5 + 4 * np.array(corners[rng.randint(8)]) for _ in range(n)]) / 1.414
    if name == "pinwheel":
        arm = rng.randn(n, 2) * [0.3, 0.1] + [1, 0]
        angle = np.repeat(np.arange(5) * 2 * np.pi / 5, n // 5) + 0.25 * np.exp(arm[:, 0])
        turned = (arm[:, 0] + 1j * arm[:, 1]) * np.exp(-1j * angle)
        return 2 * np.stack([turned.real, turned.imag], 1)
    if name == "2spirals":
        turn = np.sqrt(rng.rand(n // 2, 1)) * 540 * (2 * np.pi) / 360
        x = -np.cos(turn) * turn + rng.rand(n // 2, 1) * 0.5
        y = np.sin(turn) * turn + rng.rand(n // 2, 1) * 0.5
        arm = np.hstack([x, y])
        return np.vstack([arm, -arm]) / 3 + rng.randn(n, 2) * 0.1
    x = rng.rand(n) * 4 - 2
    y = rng.rand(n) - rng.randint(0, 2, n) * 2
    return 2 * np.stack([x, y + np.floor(x) % 2], 1)


# --- coding ------------------------------------------------------------------------------------------------------


def by_hand(coordinate, scale):
    """Sign and Gray code as strings, as EB-GFN makes them."""
    plain = np.binary_repr(int(abs(coordinate * scale)), 15)
    gray = plain[0] + "".join(str(int(a != b)) for a, b in itertools.pairwise(plain))
    return [int(bit) for bit in ("0" if coordinate >= 0 else "1") + gray]


def test_coordinates_are_truncated_toward_zero_behind_a_sign():
    bits = to_bits(np.array([[5.7, -5.7], [0.9, -0.9]]), 1.0)
    assert bits.dtype == np.int8
    assert bits[0].tolist() == [[0] * 13 + [1, 1, 1], [1] + [0] * 12 + [1, 1, 1]]  # 5 = 101, in Gray code 111
    assert bits[1].tolist() == [[0] * 16, [1] + [0] * 15]


def test_codes_are_those_of_the_strings():
    points = np.random.default_rng(0).uniform(-5, 5, (200, 2))
    assert to_bits(points, 5461.9).tolist() == [[by_hand(c, 5461.9) for c in point] for point in points]


def test_neighbours_differ_in_one_bit_and_all_codes_are_used():
    magnitudes = np.arange(2**15) + 0.5
    bits = to_bits(np.stack([magnitudes, -magnitudes], 1), 1.0)
    assert ((bits[1:] != bits[:-1]).sum(-1) == 1).all()
    assert len(np.unique(bits[:, 0] @ 2 ** np.arange(16))) == 2**15


def test_coding_can_be_undone():
    rng = np.random.default_rng(1)
    contents = rng.integers(0, 2, (5000, 2, 16)).astype(np.int8)
    contents[0, :, 0], contents[0, :, 1:] = 1, 0  # -0 is a point of its own
    for scale in (density.scale for density in DENSITIES.values()):
        np.testing.assert_array_equal(to_bits(to_points(contents, scale), scale), contents)
        points = rng.uniform(-5, 5, (5000, 2))
        assert np.abs(to_points(to_bits(points, scale), scale) - points).max() <= 0.5001 / scale


def test_points_beyond_the_square_are_at_its_edge():
    assert to_bits(np.array([[1e6, -1e6]]), 100.0).tolist() == [[by_hand(327.67, 100.0), by_hand(-327.67, 100.0)]]


def test_unknown_bits_leave_ranges():
    content = to_bits(np.array([5.5, -5.5]), 4096.0)  # the square ends at 8
    wide = [content.copy() for _ in range(4)]
    for known, bits in zip((0, 1, 2, 3), wide, strict=True):
        bits[:, known:] = -1
    low, high = (np.array(ends).T.tolist() for ends in zip(*(to_ranges(bits, 4096.0) for bits in wide), strict=True))
    assert low == [[-8, 0, 4, 4], [-8, -8, -8, -6]]
    assert high == [[8, 8, 8, 6], [8, 0, -4, -4]]


# --- densities ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_scales_are_the_published_ones(name):
    samples = as_published(name, np.random.RandomState(1), 5000)
    assert DENSITIES[name].reach == pytest.approx(np.abs(samples).max(), rel=1e-6)
    assert DENSITIES[name].scale == pytest.approx(2**15 / (np.abs(samples).max() + 1 + 1), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_points_are_distributed_as_published(name):
    n = 20_000
    ours = DENSITIES[name].sample(n, np.random.default_rng(0))
    theirs = as_published(name, np.random.RandomState(0), n)
    edges = np.linspace(-4.8, 4.8, 25)
    counts = [np.histogram2d(*points.T, edges)[0].ravel() for points in (ours, theirs)]
    seen = sum(counts) > 10
    # Two samples of one distribution: chi-squared with as many degrees of freedom as cells.
    statistic = ((counts[0] - counts[1])[seen] ** 2 / sum(counts)[seen]).sum()
    assert statistic < seen.sum() + 4 * math.sqrt(2 * seen.sum())
    assert seen.sum() > 60
    # How far they stray from the shape, which the cells are too wide to tell.
    shape = cKDTree(DENSITIES[name].shape(np.random.default_rng(1).random((1000, DENSITIES[name].uniforms))))
    strayed = [shape.query(points)[0].mean() for points in (ours, theirs)]
    assert strayed[0] == pytest.approx(strayed[1], rel=0.025)


def test_moments_have_their_closed_forms():
    n = 200_000
    samples = {name: density.sample(n, np.random.default_rng(3)) for name, density in DENSITIES.items()}
    squares = {name: (points**2).sum(1).mean() for name, points in samples.items()}
    variance = (0.5 / 1.414) ** 2
    assert squares["8gaussians"] == pytest.approx((4 / 1.414) ** 2 + 2 * variance, rel=0.01)
    assert squares["circles"] == pytest.approx((3**2 + 1.5**2) / 2 + 2 * 0.24**2, rel=0.01)
    assert squares["checkerboard"] == pytest.approx(2 * 16 / 3, rel=0.01)
    assert samples["moons"].mean(0) == pytest.approx([0, 0.3], abs=0.02)
    assert squares["swissroll"] == pytest.approx((4.5**3 - 1.5**3) / 9 * np.pi**2 / 25 + 2 * 0.2**2, rel=0.01)
    for name in ("2spirals", "8gaussians", "circles", "pinwheel", "checkerboard"):
        assert samples[name].mean(0) == pytest.approx([0, 0], abs=0.03)


def test_eight_gaussians_are_alike():
    points = DENSITIES["8gaussians"].sample(80_000, np.random.default_rng(4))
    octant = np.round(np.arctan2(points[:, 1], points[:, 0]) / (np.pi / 4)).astype(int) % 8
    assert np.bincount(octant) == pytest.approx(np.full(8, 10_000), abs=500)
    for k in range(8):
        centre = 4 / 1.414 * np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
        assert (points[octant == k] - centre).std(0) == pytest.approx([0.5 / 1.414] * 2, abs=0.01)


def test_the_checkerboard_has_eight_squares():
    points = DENSITIES["checkerboard"].sample(80_000, np.random.default_rng(5))
    board = np.histogram2d(*points.T, np.linspace(-4, 4, 5))[0]
    assert board.sum() == 80_000
    occupied = board > 0
    assert (occupied == (np.add.outer(np.arange(4), np.arange(4)) % 2 == 0)).all()
    assert board[occupied] == pytest.approx(np.full(8, 10_000), abs=500)


# --- the task ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["circles", "checkerboard"])
def test_other_densities_keep_the_contract(name):
    check_task(task_of(name))


def test_the_density_is_an_argument():
    env = gym.make("musegym/Density-v0", discriminator="none")
    assert env.unwrapped.task.kwargs() == {"density": "2spirals"}
    env = gym.make("musegym/Density-v0", density="moons", discriminator="none")
    assert env.unwrapped.task.kwargs() == {"density": "moons"}
    for unknown in ("spirals", 3, ["moons"]):
        with pytest.raises(ValueError, match="unknown") as caught:
            make_task("musegym/Density-v0", density=unknown)
        assert all(name in str(caught.value) for name in NAMES)
        assert "\n" not in str(caught.value)


def test_samples_are_fixed_and_the_stream_is_fresh():
    task = task_of("moons")
    train, test = task.corpus("train"), task.corpus("test")
    assert train.shape == (50_000, 2, 16)
    assert train.dtype == np.int8
    assert len(task.corpus("validation")) == len(test) == 4000
    np.testing.assert_array_equal(train, task_of("moons").corpus("train"))
    assert not np.array_equal(train[:4000], test)
    for seed in range(8):  # a user's seeds never give a split again
        drawn = task.stream(100, np.random.default_rng(seed))
        assert not any(np.array_equal(drawn, task.corpus(split)[:100]) for split in ("train", "validation", "test"))
    np.testing.assert_array_equal(drawn, task.stream(100, np.random.default_rng(7)))
    assert toys.WordTask().stream(3, np.random.default_rng(0)) is None


def test_building_follows_the_bits():
    task = task_of()
    works = task.corpus("test")[:50]
    actions = task.demonstrations(works)
    np.testing.assert_array_equal(actions, works.reshape(50, 32))
    state = task.initial(np.zeros(50, np.uint64))
    for t in range(32):
        built = task.content(state)
        np.testing.assert_array_equal(built.reshape(50, 32)[:, :t], actions[:, :t])
        assert (built.reshape(50, 32)[:, t:] == -1).all()
        state, done = task.step(state, actions[:, t])
        assert done.all() == (t == 31)
    np.testing.assert_array_equal(task.content(state), works)


def test_features_tell_where_the_bits_lead():
    task = task_of("circles")
    works = task.corpus("test")[:40]
    low, high = to_ranges(works, 1.0)
    plain = np.floor(np.abs(low + high) / 2).astype(int)  # magnitudes, Gray code undone
    state = task.initial(np.zeros(40, np.uint64))
    for t in range(33):
        numbers = []
        for coordinate, chosen in ((0, min(t, 16)), (1, max(t - 16, 0))):
            whole = [
                f"1{int(bit)}{m:015b}" for bit, m in zip(works[:, coordinate, 0], plain[:, coordinate], strict=True)
            ]
            numbers.append([[int(text[: 1 + min(chosen, bits)], 2) for text in whole] for bits in (7, 5)])
        (x, x_coarse), (y, y_coarse) = np.array(numbers)
        both = np.zeros(40, int) if t < 16 else (x_coarse - 32) * 64 + y_coarse
        np.testing.assert_array_equal(task.feature_values(state), np.stack([np.full(40, t), x, y, both], 1))
        if t < 32:
            state, _ = task.step(state, works.reshape(40, 32)[:, t])


@pytest.mark.parametrize("wrong", [np.full((1, 2, 16), 2), np.full((1, 2, 16), -1), np.zeros((1, 32))])
def test_what_is_no_point_cannot_be_built(wrong):
    with pytest.raises(ValueError, match=r"0 or 1, of shape \(N, 2, 16\)"):
        task_of().demonstrations(wrong)


# --- pictures and files ------------------------------------------------------------------------------------------


def test_pictures_show_the_point_and_the_way_there():
    task = task_of()
    render, (one, other) = task.medium.render, task.corpus("test")[:2]
    assert (render(one) != render(other)).any()
    steps = {upto: render(one, upto=upto) for upto in (0, 1, 5, 15, 16, 17, 31, 32)}
    np.testing.assert_array_equal(steps[32], render(one))
    assert all((a != b).any() for a, b in itertools.pairwise(steps.values()))
    unfinished = one.copy()
    unfinished[0, 5:] = unfinished[1] = -1
    np.testing.assert_array_equal(render(unfinished), steps[5])
    assert len(np.unique(steps[0].reshape(-1, 3), axis=0)) > 100  # the density is shaded


def test_the_density_lies_where_its_points_are():
    """Bright where real points are, dark elsewhere, not mirrored or turned: the swiss roll has no symmetry."""
    task = task_of("swissroll")
    points = to_points(task.corpus("test")[:500], DENSITIES["swissroll"].scale)
    limit = 2**15 / DENSITIES["swissroll"].scale
    brightness = task.medium.population(task.corpus("test")[:1]).sum(-1, dtype=int)

    def mean_at(x, y):
        return brightness[
            np.round(44 + 220 * (1 - y / limit)).astype(int), np.round(28 + 220 * (1 + x / limit)).astype(int)
        ].mean()

    x, y = points.T
    assert mean_at(x, y) > 1.2 * max(mean_at(-x, y), mean_at(x, -y), mean_at(-x, -y), mean_at(y, x))


def test_a_vector_environment_shows_all_its_points_over_the_density():
    task = task_of("swissroll")
    points = task.corpus("test")[:200]
    env = gym.make_vec(
        "musegym/Density-v0", num_envs=200, density="swissroll", render_mode="rgb_array", discriminator="none"
    )
    env.reset(seed=0)
    shown = []
    for actions in task.demonstrations(points).T:
        env.step(actions)
        shown.append(env.unwrapped.overview())
    assert np.array_equal(shown[-1], task.medium.population(points))
    assert not np.array_equal(shown[3], shown[-1])


def test_populations_are_drawn_as_dots():
    task = task_of()
    few, many = (task.medium.population(task.corpus("test")[:n]) for n in (10, 1000))
    assert few.shape == many.shape
    amber = [((picture[..., 0] > 200) & (picture[..., 2] < 150)).sum() for picture in (few, many)]
    assert 0 < amber[0] < amber[1]


def test_points_are_described():
    medium = task_of("checkerboard").medium
    scale = DENSITIES["checkerboard"].scale
    content = to_bits(np.array([1.2341, -0.5671]), scale)
    assert medium.describe(content) == "x=+1.234 y=-0.567"
    content[1, 1:] = -1
    assert medium.describe(content) == f"x=+1.234 y={-(2**15) / scale:+.3f}..+0.000"
    assert medium.caption(content) == f"y={-(2**15) / scale:+.3f}..+0.000"
    content[1] = -1
    assert medium.describe(content) == "x=+1.234 y=?"
    assert medium.caption(content) == "x=+1.234"
    assert medium.caption(np.full((2, 16), -1)) == "start"


def test_points_are_exported(tmp_path):
    task = task_of("moons")
    content = task.corpus("test")[0]
    table, text, picture = task.medium.export(content, tmp_path / "new" / "point.x")
    assert [path.name for path in (table, text, picture)] == ["point.csv", "point.txt", "point.png"]
    header, row = table.read_text().splitlines()
    assert header == "x,y"
    read = np.array([float(number) for number in row.split(",")])
    np.testing.assert_array_equal(to_bits(read, DENSITIES["moons"].scale), content)
    assert text.read_text().splitlines()[1:] == ["".join(map(str, bits)) for bits in content.tolist()]
    with Image.open(picture) as image:
        np.testing.assert_array_equal(np.array(image), task.medium.render(content))


@pytest.mark.parametrize("name", NAMES)
def test_metrics_tell_real_points_from_others(name):
    task = task_of(name)
    real = task.medium.metrics(task.corpus("test")[:1000])
    assert real["outside"] < 0.005
    assert real["coverage"] == 1
    uniform = task.medium.metrics(np.random.default_rng(0).integers(0, 2, (1000, 2, 16)))
    assert uniform["outside"] > 0.5
    collapsed = task.medium.metrics(task.corpus("test")[:1].repeat(1000, 0))
    assert collapsed["coverage"] < 0.1
    assert collapsed["std_x"] == pytest.approx(0)
    x, y = to_points(task.corpus("test")[:1000], DENSITIES[name].scale).T
    assert real["mean_x"] == pytest.approx(x.mean())
    assert real["std_y"] == pytest.approx(y.std())


def test_what_is_no_point_is_not_measured_or_drawn():
    medium = task_of().medium
    for wrong in (np.zeros((0, 2, 16)), np.zeros((3, 16)), np.full((3, 2, 16), 7)):
        with pytest.raises(ValueError, match="points"):
            medium.metrics(wrong)
    with pytest.raises(ValueError, match=r"\(2, 16\); got \(1, 2, 16\)"):
        medium.render(np.zeros((1, 2, 16)))


# --- how models are measured -------------------------------------------------------------------------------------


def test_mmd_by_hand():
    x, y = np.array([[0, 0], [0, 1]]), np.array([[1, 1], [1, 0]])
    # Within each side one bit differs; across, one or two, equally often.
    assert bench.mmd(x, y) == pytest.approx(2 * math.exp(-0.1) - (math.exp(-0.1) + math.exp(-0.2)), rel=1e-5)
    assert bench.mmd(x, y, bandwidth=1.0) == pytest.approx(math.exp(-1) - math.exp(-2), rel=1e-5)
    with pytest.raises(ValueError, match="two works on either side; got 1 and 2"):
        bench.mmd(x[:1], y)


def test_mmd_is_the_mean_over_pairs():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 2, (7, 2, 16)), rng.integers(0, 2, (9, 2, 16)) & 1 - (np.arange(16) == 3)

    def mean(a, b, same):
        kernel = [
            math.exp(-0.1 * (a[i] != b[j]).sum()) for i in range(len(a)) for j in range(len(b)) if not (same and i == j)
        ]
        return sum(kernel) / len(kernel)

    expected = mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False)
    for block in (1, 4, 100):
        assert bench.mmd(x, y, block=block) == pytest.approx(expected, abs=1e-6)
    assert bench.mmd(y, x) == pytest.approx(bench.mmd(x, y), abs=1e-6)


def test_mmd_is_small_between_samples_of_one_density_only():
    task = task_of()
    real = bench.mmd_interval(task, draws=6, num=1000)
    assert real.low < 0 < real.high < 1e-3
    drawn = task.stream(1000, np.random.default_rng(9))
    others = [
        task_of("8gaussians").corpus("test")[:1000],
        np.random.default_rng(1).integers(0, 2, (1000, 2, 16)),
        drawn[:1].repeat(1000, 0),
        drawn[np.random.default_rng(2).integers(0, 20, 1000)],  # twenty points over and over
    ]
    assert all(bench.mmd(drawn, other) > 5 * real.high for other in others)
    assert bench.mmd_interval(task, draws=2, num=100, seed=1) != bench.mmd_interval(task, draws=2, num=100, seed=2)


class Uniform:
    """A model to which some points are alike and all others impossible."""

    def __init__(self, task, points=2.0**32):
        self.task, self.points = task, points

    def sample(self, condition, num, seed):
        return np.random.default_rng(seed).integers(0, 2, (num, 2, 16)).astype(np.int8)

    def log_prob(self, contents, conditions=None, actions=None):
        return np.full(len(contents), -math.log(self.points))


def test_likelihood_of_a_uniform_model():
    found = bench.nll(Uniform(task_of()), batches=2, num=100)
    assert found.estimate == pytest.approx(32 * math.log(2))
    assert pytest.approx(22.18, abs=0.005) == bench.UNIFORM
    assert found.low == pytest.approx(found.high)
    with pytest.raises(ValueError, match="WordTask has no stream"):
        bench.nll(Uniform(toys.WordTask()))


def test_likelihood_is_of_fresh_points():
    class Recording(Uniform):
        def log_prob(self, contents, conditions=None, actions=None):
            seen.append(contents)
            return -to_points(contents, 1.0)[:, 0]

    seen = []
    found = bench.nll(Recording(task_of()), batches=4, num=50, seed=1)
    drawn = np.concatenate(seen)
    assert len(np.unique(drawn.reshape(200, 32), axis=0)) == 200
    x = to_points(drawn, 1.0)[:, 0].reshape(4, 50)
    assert found.estimate == pytest.approx(x.mean())
    assert found.high - found.low == pytest.approx(4 * x.mean(1).std(ddof=1) / 2)


def differential(name):
    """The differential entropy of a density by other means than ``bench.entropy``, nats."""
    if name == "checkerboard":
        return math.log(32)  # eight squares of side 2
    if name == "circles":  # a function of the radius alone: a circle blurred is a Bessel function
        r, variance = np.linspace(1e-4, 6, 60_001), 0.24**2
        density = sum(np.exp(-((r - c) ** 2) / (2 * variance)) * i0e(r * c / variance) for c in (3, 1.5))
        density /= 2 * 2 * np.pi * variance
        return -np.trapezoid(2 * np.pi * r * density * np.log(density + 1e-300), r)
    x = np.arange(-6, 6, 0.02)
    density = 0
    for k in range(8):
        centre = 4 / 1.414 * np.array([np.cos(k * np.pi / 4), np.sin(k * np.pi / 4)])
        marginals = [np.exp(-((x - c) ** 2) / (2 * (0.5 / 1.414) ** 2)) for c in centre]
        density = density + np.multiply.outer(*marginals) / (8 * 2 * np.pi * (0.5 / 1.414) ** 2)
    return -(density * np.log(density + 1e-300)).sum() * 0.02**2


@pytest.mark.parametrize("name", ["8gaussians", "circles", "checkerboard"])
def test_entropies_have_their_closed_forms(name):
    expected = differential(name) + 2 * math.log(DENSITIES[name].scale)
    width = None if DENSITIES[name].noise else 0.1
    assert bench.entropy(DENSITIES[name], log2_points=18, width=width) == pytest.approx(expected, abs=0.002)


def test_a_perfect_model_reaches_the_entropy():
    density = DENSITIES["checkerboard"]
    perfect = Uniform(task_of("checkerboard"), points=32 * density.scale**2)
    entropy = bench.entropy(density, log2_points=18, width=0.1)
    assert bench.nll(perfect, batches=2, num=10).estimate == pytest.approx(entropy, abs=0.005)


def test_a_model_is_measured(monkeypatch):
    monkeypatch.setattr(bench, "POINTS", 300)
    monkeypatch.setattr(bench, "DRAWS", 2)
    monkeypatch.setattr(bench, "reference", lambda name, seed: {"density": name, "nll": 1.0, "mmd_real": [0.5]})
    found = bench.measure(Uniform(task_of("moons")))
    assert found["nll"] == pytest.approx(bench.UNIFORM)
    assert found["mmd"] == pytest.approx(np.mean(found["mmd_draws"]))
    assert len(found["mmd_draws"]) == 2
    assert found["mmd"] > 0.01
    assert found["perfect"]["density"] == "moons"
    assert found["real"] == {"nll": 1.0, "mmd": 0.5}
    json.dumps(found, allow_nan=False)


def test_references_are_of_every_density(monkeypatch):
    monkeypatch.setattr(bench, "entropy", lambda density: density.reach)
    monkeypatch.setattr(bench, "mmd_interval", lambda task, seed: bench.Interval(0.0, -1.0, 1.0 + seed))
    found = bench.references(task_of("moons"), "test", 1)
    json.dumps(found)
    assert list(found) == list(NAMES)
    assert all(row["density"] == name for name, row in found.items())
    assert found["moons"]["mmd_real"] == [0, -1, 2]
