"""Discriminators of pictures, grids, volumes and frames: what tests/test_discriminators.py asks of sequences."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from doctored import doctor, refused

import musegym.discriminators.discriminator as module
from musegym.discriminators import Architecture, Discriminator, Settings, make_discriminator
from musegym.discriminators.architecture import MAX_WEIGHTS
from musegym.discriminators.layers import GAIN, Augmentation, Noise
from musegym.discriminators.make import PRODUCTS
from musegym.discriminators.objectives import r1_penalty
from musegym.discriminators.planes import Projection, Trunk
from musegym.envs import Frames, Grid, Image, Volume, Works

torch.set_num_threads(1)  # a second thread is slower for networks this small
LAYOUTS = {
    "grey": Image((8, 8)),
    "colour": Image((9, 5, 3)),
    "bits": Grid((2, 16), (2,), "int8"),
    "tiles": Grid((7, 12), (5,)),
    "voxels": Volume((5, 4, 6), (3,), "int8"),
    "film": Frames((3, 6, 5)),
    "sprites": Frames((4, 5, 5), (4,), cells=True),
}
every_kind = pytest.mark.parametrize("name", LAYOUTS)


def architecture(name, **options):
    layout = LAYOUTS[name]
    return Architecture(layout.kind, layout.shape, layout.sizes, categorical=layout.categorical, **options)


def picture(side, hidden, patch=1):
    return Architecture("image", (side, side), (256,), categorical=False, hidden=hidden, patch=patch)


def make(name, settings=None, seed=0, **options):
    return Discriminator(architecture(name, **{"hidden": 16, "embedding": 8, **options}), settings, seed=seed)


def draw(name, n, seed=0):
    layout = LAYOUTS[name]
    return np.random.default_rng(seed).integers(0, layout.sizes[0], (n, *layout.shape)).astype(layout.dtype)


def is_picture(name):
    return not LAYOUTS[name].categorical


def same(a, b):
    """Returns whether nested states are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


class TestLogits:
    @every_kind
    @pytest.mark.parametrize("options", [{}, {"spectral_norm": True}], ids=str)
    def test_do_not_depend_on_neighbours_or_order(self, name, options):
        d, contents = make(name, **options), draw(name, 20)
        alone = np.concatenate([d.logits(content[None]) for content in contents])
        np.testing.assert_allclose(d.logits(contents), alone, atol=1e-6)
        np.testing.assert_allclose(d.logits(contents[::-1])[::-1], alone, atol=1e-6)
        assert np.ptp(alone) > 1e-3

    @every_kind
    def test_see_every_cell(self, name):
        d, content = make(name), draw(name, 1)
        flat, size = np.tile(content.reshape(1, -1).astype(int), (1 + content.size, 1)), LAYOUTS[name].sizes[0]
        flat[1 + np.arange(content.size), np.arange(content.size)] += size // 2
        flat %= size
        logits = d.logits(flat.reshape(-1, *content.shape[1:]))
        assert (logits[1:] != logits[0]).all()
        assert len(np.unique(logits)) > 0.9 * len(logits)

    @every_kind
    def test_more_rows_than_are_scored_at_a_time_and_none(self, name, monkeypatch):
        d, contents = make(name), draw(name, 13)
        whole = d.logits(contents)
        monkeypatch.setattr(module, "SCORING_ROWS", 5)
        np.testing.assert_allclose(d.logits(contents), whole, atol=1e-6)
        assert d.logits(contents[:0]).shape == (0,)

    @pytest.mark.parametrize("patch", [1, 2, 4])
    @pytest.mark.parametrize("side", [1, 4, 5, 8, 14, 28, 31, 32])
    def test_pictures_of_any_side(self, side, patch):
        trunk = Trunk(picture(side, 8, patch))
        features = trunk(torch.rand(2, 1, side, side))
        assert features.shape == (2, trunk.features)
        assert trunk.features <= 8 * 16

    def test_the_trunk_of_14_pixels(self):
        """As in the trial that this network comes from: 32 channels, then 64 and 64, halving 14 to 7 to 4."""
        trunk = Trunk(picture(14, 64))
        shapes = [tuple(layer.weight.shape) for layer in trunk if isinstance(layer, torch.nn.Conv2d)]
        assert shapes == [(32, 1, 3, 3), (64, 32, 4, 4), (64, 64, 3, 3)]
        assert trunk.features == 64 * 16

    def test_a_first_stride_halves_the_picture(self):
        trunk = Trunk(picture(14, 64, patch=2))
        shapes = [tuple(layer.weight.shape) for layer in trunk if isinstance(layer, torch.nn.Conv2d)]
        assert shapes == [(32, 1, 4, 4), (64, 32, 3, 3)]
        assert trunk.features == 64 * 16

    def test_products_are_those_of_the_convolutions(self):
        layers = picture(14, 64).layers
        assert [layer.products for layer in layers] == [9 * 32 * 14**2, 16 * 32 * 64 * 7**2, 9 * 64 * 64 * 4**2]

    @pytest.mark.parametrize(
        "layout",
        [
            Grid((14, 16), (13,)), Grid((32, 32), (40,)), Image((28, 28)), Image((64, 64, 3)),
            Volume((16, 16, 8), (12,)),
            Frames((8, 16, 16), (17,), cells=True),
        ],
        ids=str,
    )  # fmt: skip
    def test_an_update_is_cheap_at_every_size(self, layout):
        made = make_discriminator(SimpleNamespace(layout=layout, condition_sizes=())).architecture
        assert not made.dense
        assert sum(layer.products for layer in made.layers) <= PRODUCTS

    @pytest.mark.parametrize(
        ("name", "contents", "said"),
        [
            ("grey", np.zeros((2, 8, 7), np.uint8), "shape"),
            ("grey", np.zeros((2, 8, 8)), "float64"),
            ("grey", np.full((2, 8, 8), 256), "below"),
            ("tiles", np.full((2, 7, 12), 5), "below"),
            ("tiles", np.full((2, 7, 12), -1), "from 0"),
            ("bits", np.zeros((2, 32), int), "shape"),
        ],
    )
    def test_wrong_contents(self, name, contents, said):
        with pytest.raises(ValueError, match=said) as error:
            make(name).logits(contents)
        assert "\n" not in str(error.value)


class TestConditions:
    def test_projection_against_its_equation(self):
        head = Projection(6, (2, 3))
        features, conditions = torch.randn(4, 6), torch.tensor([[0, 0], [1, 2], [0, 1], [1, 0]])
        for row, (first, second) in enumerate(conditions.tolist()):
            vector = head.last.weight[0] + head.styles[first] + head.styles[2 + second]
            torch.testing.assert_close(head(features, conditions)[row], head.last.bias[0] + vector @ features[row])

    @every_kind
    def test_matter_and_must_be_given(self, name):
        d, contents = make(name, condition_sizes=(3, 4)), draw(name, 6)
        some, others = np.zeros((6, 2), int), np.tile([2, 3], (6, 1))
        assert (d.logits(contents, some) != d.logits(contents, others)).all()
        with pytest.raises(ValueError, match=r"pass conditions=int \[N, K\] with the contents"):
            d.logits(contents)

    @every_kind
    def test_are_each_contents_own(self, name):
        d, contents = make(name, condition_sizes=(2,)), draw(name, 6)
        mixed = np.arange(6)[:, None] % 2
        each = [d.logits(contents, np.full((6, 1), value)) for value in (0, 1)]
        np.testing.assert_allclose(d.logits(contents, mixed), np.where(mixed[:, 0], each[1], each[0]), atol=1e-6)
        with pytest.raises(ValueError, match="6 contents need as many conditions, got 5"):
            d.logits(contents, mixed[1:])
        with pytest.raises(ValueError, match=r"conditions must be from 0 to below \[2\]"):
            d.logits(contents, mixed + 1)


class TestUpdate:
    @pytest.mark.parametrize("kind", ["image", "grid"])
    @pytest.mark.parametrize("cells", [(2, 2), (2, 33)], ids=["small", "large"])
    def test_reaches_the_log_ratio(self, kind, cells):
        """On a set of contents small enough to be listed, the optimum is known: log p_data - log p_fake."""
        contents = np.zeros((4, *cells), np.uint8)
        contents[:, 0, 0], contents[:, 1, -1] = [0, 0, 1, 1], [0, 1, 0, 1]
        data, fake = np.array([8, 1, 2, 5]), np.array([2, 4, 4, 6])  # in 16
        small = cells == (2, 2)
        # Narrower ones may not see the lone cell of a large grid, whatever the rate.
        options = {"hidden": 64 if small else 32, "embedding": 16, "dropout": 0.0}
        shaped = Architecture(kind, cells, (2,), categorical=kind == "grid", **options)
        d = Discriminator(shaped, Settings(learning_rate=3e-3, weight_decay=0))
        updates = 300 if small else 150
        for step in range(updates):
            d.set_rate(1 - step / updates)  # at a constant rate, late updates may leave the optimum for a while
            stats = d.update(contents.repeat(data, 0), contents.repeat(fake, 0))
        np.testing.assert_allclose(d.logits(contents), np.log(data / fake), atol=0.05)
        p, q = data / 16, fake / 16
        best = -(p * np.log(p / (p + q))).sum() - (q * np.log(q / (p + q))).sum()
        assert stats["loss"] == pytest.approx(best, abs=2e-3)

    def test_learns_what_conditions_mean(self):
        """Dark pictures are real under condition 0, bright ones under condition 1: neither tells by itself."""
        rng = np.random.default_rng(0)

        def pictures(n, turned):
            classes = rng.integers(2, size=(n, 1))
            grey = np.where(classes == turned, 40, 200)[..., None]
            return (grey + rng.integers(40, size=(n, 8, 8))).astype(np.uint8), classes

        d = make("grey", Settings(learning_rate=5e-3), condition_sizes=(2,), dropout=0.0)
        for _ in range(60):
            (real, right), (fake, wrong) = pictures(32, 0), pictures(32, 1)
            d.update(real, fake, right, wrong)
        assert (d.logits(*pictures(50, 0)) > 0).mean() > 0.95
        assert (d.logits(*pictures(50, 1)) < 0).mean() > 0.95

    @every_kind
    @pytest.mark.parametrize("options", [{}, {"spectral_norm": True, "condition_sizes": (2,)}], ids=str)
    def test_r1_against_finite_differences(self, name, options):
        network = make(name, hidden=4, embedding=2, **options).network.double()
        conditions = torch.ones(2, len(options.get("condition_sizes", ())), dtype=torch.long)
        embedded = network.embed(torch.from_numpy(draw(name, 2).astype(np.uint8)), conditions)
        values = embedded.values.detach().requires_grad_()
        penalty = r1_penalty(network.score(embedded._replace(values=values)), values).item()
        step, flat = 1e-6, values.detach().reshape(2, -1)
        with torch.no_grad():
            ends = [
                network.score(
                    embedded._replace(
                        values=(flat[:, None] + sign * step * torch.eye(flat.shape[1]).double())
                        .reshape(-1, *values.shape[1:])
                        .contiguous(),
                        conditions=conditions.repeat_interleave(flat.shape[1], 0),
                    )
                )
                for sign in (1, -1)
            ]
        slopes = ((ends[0] - ends[1]) / (2 * step)).reshape(2, -1)
        assert penalty == pytest.approx(0.5 * slopes.square().sum(1).mean().item(), rel=1e-4)

    @every_kind
    def test_r1_flattens(self, name):
        real, fake = draw(name, 32), draw(name, 32, seed=1)
        real[:, 1:3] //= 2
        sharp = make(name, Settings(learning_rate=3e-3))
        flat = make(name, Settings(r1=30.0, r1_every=2, learning_rate=3e-3))
        for step in range(24):
            assert ("r1" in flat.update(real, fake)) == (step % 2 == 0)
            sharp.update(real, fake)
        assert np.ptp(flat.logits(real)) < 0.5 * np.ptp(np.concatenate((sharp.logits(real), sharp.logits(fake))))

    @every_kind
    def test_randomness_is_its_own_and_only_in_training(self, name):
        noise = {"noise": 0.1, "augmentation": 0.5} if is_picture(name) else {}
        d = make(name, Settings(r1=1.0), dropout=0.5, input_dropout=0.3, **noise)
        before, generator = torch.random.get_rng_state(), d.generator.get_state()
        d.update(draw(name, 4), draw(name, 4, seed=1))
        assert torch.equal(before, torch.random.get_rng_state())
        assert not torch.equal(generator, d.generator.get_state())
        generator = d.generator.get_state()
        assert (d.logits(draw(name, 8)) == d.logits(draw(name, 8))).all()
        assert torch.equal(generator, d.generator.get_state())

    def test_noise_has_its_deviation(self):
        noise = Noise(0.1)
        noise.generator = torch.Generator().manual_seed(0)
        x = torch.full((100, 1, 10, 10), 0.5)
        assert noise(x).std().item() == pytest.approx(0.1, rel=0.05)
        assert noise(x).mean().item() == pytest.approx(0.5, abs=0.005)
        assert torch.equal(noise.eval()(x), x)

    def augmented(self, x, strength=1.0):
        layer = Augmentation(strength)
        layer.generator = torch.Generator().manual_seed(0)
        return layer(x), layer

    def test_augmentation_moves_blurs_and_dims_and_keeps_the_ink_on_average(self):
        x = torch.zeros(4000, 1, 9, 9)
        x[:, 0, 4, 4] = 0.7
        y, layer = self.augmented(x)
        ink = y.sum((1, 2, 3)) / 0.7
        assert 1 - GAIN <= ink.min() < 0.72 < 1.28 < ink.max() <= 1 + GAIN
        assert ink.mean().item() == pytest.approx(1, abs=0.01)
        assert not y[:, :, [0, 1, 7, 8]].any(), "a pixel of blur and one of shift"
        rows = (y.sum((1, 3)) * torch.arange(9.0)).sum(1) / y.sum((1, 2, 3)) - 4
        columns = (y.sum((1, 2)) * torch.arange(9.0)).sum(1) / y.sum((1, 2, 3)) - 4
        for moved in (rows, columns):
            assert -1 <= moved.min() < -0.98 < 0.98 < moved.max() <= 1
            assert moved.mean().item() == pytest.approx(0, abs=0.03)
        assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.05
        assert torch.equal(layer.eval()(x), x)

    def test_augmentation_has_a_strength(self):
        x = torch.rand(50, 3, 6, 5, generator=torch.Generator().manual_seed(1))
        away = [(self.augmented(x, strength)[0] - x).abs().mean().item() for strength in (0.0, 0.1, 0.5, 1.0)]
        assert away[0] == 0
        assert away == sorted(away)
        y, _ = self.augmented(x)
        assert y.shape == x.shape
        assert 0 <= y.min() < y.max() <= 1

    def test_embedded_pixels_are_those_of_the_picture(self):
        d, contents = make("colour", noise=0.1, augmentation=0.5), draw("colour", 3)
        values = d.network.embed(torch.from_numpy(contents), torch.zeros(3, 0).long()).values
        np.testing.assert_allclose(values.numpy().transpose(0, 2, 3, 1), contents / 255, atol=1e-6)

    def test_spectral_norm_bounds_the_trunk(self):
        d = make("grey", Settings(learning_rate=1e-4), spectral_norm=True)
        for _ in range(60):  # the power iteration takes one step an update
            d.update(draw("grey", 4), draw("grey", 4, seed=1))
        for layer in d.network.trunk:
            if isinstance(layer, torch.nn.Conv2d):
                assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) < 1.1


class TestStateAndFiles:
    @every_kind
    def test_training_goes_on_bit_for_bit(self, name, tmp_path):
        noise = {"noise": 0.1, "augmentation": 0.5} if is_picture(name) else {}
        options = {"dropout": 0.3, "input_dropout": 0.1, "spectral_norm": True, **noise}
        settings = Settings(r1=1.0, r1_every=3)
        straight, halfway, resumed = (make(name, settings, seed, **options) for seed in (0, 0, 7))
        batches = [(draw(name, 6, seed=i), draw(name, 6, seed=100 + i)) for i in range(6)]
        for batch in batches:
            straight.update(*batch)
        for batch in batches[:3]:
            halfway.update(*batch)
        torch.save(halfway.state_dict(), tmp_path / "state")
        resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        for batch in batches[3:]:
            resumed.update(*batch)
        assert same(straight.state_dict(), resumed.state_dict())

    def test_checkpoints_from_before_a_field_are_read(self):
        state = make("tiles").state_dict()
        del state["architecture"]["noise"]
        make("tiles", seed=3).load_state_dict(state)
        with pytest.raises(ValueError, match="another architecture"):
            make("tiles", dropout=0.4).load_state_dict(state)

    @every_kind
    @pytest.mark.parametrize("options", [{}, {"spectral_norm": True, "condition_sizes": (3,)}], ids=str)
    def test_round_trip(self, name, options, tmp_path):
        d = make(name, Settings(r1=0.7), **options)
        given = () if not options else (np.zeros((6, 1), int), np.ones((6, 1), int))
        d.update(draw(name, 6), draw(name, 6, seed=1), *given)
        loaded = Discriminator.load(d.save(tmp_path / "d.zip"))
        assert (loaded.logits(draw(name, 6), *given[:1]) == d.logits(draw(name, 6), *given[:1])).all()
        assert (loaded.architecture, loaded.settings, loaded.updates) == (d.architecture, d.settings, 1)

    def refuse(self, path, name, changes=None, weights=None):
        refused(doctor(make(name).save(path), changes, weights))

    @pytest.mark.parametrize(
        ("name", "changes"),
        [
            ("grey", {"shape": [8]}),
            ("grey", {"shape": [10**6, 10**6]}),
            ("grey", {"shape": [8, 8, 10**6]}),
            ("grey", {"conditions_in_header": True}),
            ("grey", {"categorical": True}),
            ("grey", {"categorical": "no"}),
            ("grey", {"sizes": [257]}),
            ("grey", {"sizes": [1]}),
            ("grey", {"sizes": []}),
            ("grey", {"sizes": [256, 256]}),
            ("grey", {"noise": -0.1}),
            ("grey", {"noise": "loud"}),
            ("grey", {"augmentation": 1.1}),
            ("grey", {"augmentation": "much"}),
            ("grey", {"recurrent": 2}),
            ("grey", {"hidden": 1024, "condition_sizes": [10**5]}),
            ("grey", {"kind": "grid", "categorical": True}),
            ("grey", {"kind": "sequence"}),
            ("tiles", {"noise": 0.1}),
            ("tiles", {"augmentation": 1.1}),
            ("tiles", {"patch": 3}),
            ("bits", {"patch": 2}),
            ("tiles", {"shape": [1024, 1024]}),
            ("tiles", {"shape": [7, 12, 3]}),
            ("tiles", {"sizes": [10**6], "embedding": 1024}),
            ("bits", {"hidden": 1024, "embedding": 1024}),
            ("bits", {"shape": [2, 17]}),
            ("bits", {"shape": [2, 16, 1]}),
            ("voxels", {"shape": [5, 24]}),
            ("voxels", {"shape": [1024, 1024, 1024]}),
            ("voxels", {"categorical": False}),
            ("film", {"kind": "volume", "categorical": True}),
            ("sprites", {"shape": [4, 5, 5, 3]}),
            ("sprites", {"kind": "mesh"}),
        ],
        ids=str,
    )
    def test_refuses_doctored_architectures(self, name, changes, tmp_path):
        self.refuse(tmp_path / "d.zip", name, changes)

    @pytest.mark.parametrize("which", ["shape", "missing", "nan", "kind"])
    @pytest.mark.parametrize("name", ["grey", "bits"])
    def test_refuses_doctored_weights(self, name, which, tmp_path):
        weights = make(name).network.state_dict()
        key = "projection.last.weight"
        if which == "missing":
            del weights[key]
        else:
            good = weights[key]
            weights[key] = {"shape": good[:, 1:], "nan": good * np.nan, "kind": good.long()}[which]
        self.refuse(tmp_path / "d.zip", name, weights=weights)

    @every_kind
    @pytest.mark.parametrize("hidden", [16, 128])
    def test_weights_are_estimated_within_a_factor_of_two(self, name, hidden, monkeypatch):
        options = {"hidden": hidden, "embedding": 16, "condition_sizes": (10,)}
        actual = sum(p.numel() for p in make(name, **options).network.parameters())
        estimated = max(
            limit for limit in (actual // 2, actual, 4 * actual) if self.refused(limit, monkeypatch, name, options)
        )
        assert estimated < 4 * actual
        assert MAX_WEIGHTS == 20_000_000

    @staticmethod
    def refused(limit, monkeypatch, name, options):
        monkeypatch.setattr("musegym.discriminators.architecture.MAX_WEIGHTS", limit)
        try:
            architecture(name, **options)
        except ValueError:
            return True
        return False


class Doodles:
    """As much of a task of pictures, grids or volumes as discriminators need."""

    def __init__(self, name, classes=False):
        self.name, self.layout = name, LAYOUTS[name]
        self.condition_sizes = (2,) if classes else ()

    def works(self, split):
        return Works(draw(self.name, 20), np.arange(20)[:, None][:, : len(self.condition_sizes)] % 2)

    def stream(self, num, rng):
        return None


class TestMake:
    @every_kind
    @pytest.mark.parametrize("classes", [False, True])
    def test_follows_the_task(self, name, classes):
        task = Doodles(name, classes)
        d = make_discriminator(task, hidden=16)
        layout, made = LAYOUTS[name], d.architecture
        assert (made.kind, made.shape, made.sizes, made.categorical) == (
            layout.kind,
            layout.shape,
            layout.sizes,
            layout.categorical,
        )
        assert made.condition_sizes == ((2,) if classes else ())
        works = task.works("train")
        assert d.logits(works.contents, works.conditions).shape == (20,)
        d.update(works.contents, works.contents[::-1], works.conditions, works.conditions[::-1])
        assert d.updates == 1

    def test_defaults_of_each_kind(self):
        image, bits, tiles, film, sprites, voxels = (
            make_discriminator(Doodles(name)) for name in ("grey", "bits", "tiles", "film", "sprites", "voxels")
        )
        for pictures in (image, film):
            seen = pictures.architecture
            assert (seen.noise, seen.augmentation, seen.dropout) == (0.1, 1.0, 0.2)
            assert not seen.spectral_norm
            assert (pictures.settings.r1, pictures.settings.r1_every, pictures.settings.r1_on_fake) == (0.05, 1, True)
        assert [one.architecture.noise for one in (bits, tiles, sprites, voxels)] == [0, 0, 0, 0]
        assert (bits.architecture.dropout, tiles.architecture.dropout) == (0.0, 0.2)
        assert (bits.architecture.dense, tiles.architecture.dense) == (True, False)
        assert make_discriminator(Doodles("grey"), noise=0.0, r1=0.5).settings.r1 == 0.5
