import json
import math
import types

import numpy as np
import pytest
import torch
from doctored import doctor, refused

import musegym.discriminators.discriminator as module
from musegym.discriminators import Architecture, Discriminator, Settings, make_discriminator, pretrained
from musegym.discriminators.networks import Dropout, RecurrentNetwork, self_likeness
from musegym.discriminators.objectives import (
    discriminator_loss,
    generator_loss,
    r1_penalty,
)
from musegym.envs import Sequence, Works

torch.set_num_threads(1)  # a second thread is slower for networks this small
SHAPE, SIZES = (12, 3), (4, 6, 5)
NETWORKS = [{}, {"recurrent": 8}]
"""Options of a convolutional and of a recurrent network."""


def make(settings=None, seed=0, shape=SHAPE, sizes=SIZES, **options):
    options = {"hidden": 16, "embedding": 8, **options}
    return Discriminator(Architecture("sequence", shape, sizes, **options), settings, seed=seed)


def roused(d):
    """A recurrent discriminator says 0 of everything at first; here it says something."""
    if isinstance(d.network, RecurrentNetwork):
        torch.nn.init.normal_(d.network.weights, std=0.1, generator=torch.Generator().manual_seed(0))
    return d


def draw(n, seed=0, shortest=2):
    """Contents of unequal lengths."""
    rng = np.random.default_rng(seed)
    contents = rng.integers(1, SIZES, (n, *SHAPE)).astype(np.int16)
    contents[np.arange(SHAPE[0]) >= rng.integers(shortest, SHAPE[0] + 1, n)[:, None]] = 0
    return contents


def same(a, b):
    """Returns whether nested states are equal, bit for bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


class TestObjectives:
    def test_loss_at_chance_is_two_log_two(self):
        assert discriminator_loss(torch.zeros(3), torch.zeros(5)).item() == pytest.approx(2 * math.log(2))

    def test_loss_of_known_probabilities(self):
        loss = discriminator_loss(torch.logit(torch.tensor([0.8])), torch.logit(torch.tensor([0.3])))
        assert loss.item() == pytest.approx(-math.log(0.8) - math.log(0.7), rel=1e-6)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.3])
    def test_gradient_vanishes_at_the_documented_optimum(self, smoothing):
        data, fake = 3.0, 2.0  # relative frequencies of one content
        optimum = math.log((1 - smoothing) * data) - math.log(fake + smoothing * data)
        logit = torch.tensor(optimum, dtype=torch.float64, requires_grad=True)
        discriminator_loss(logit.expand(3), logit.expand(2), smoothing)
        loss = data * discriminator_loss(logit[None], torch.tensor([-1e9]), smoothing)
        loss = loss + fake * discriminator_loss(torch.tensor([1e9]), logit[None])
        loss.backward()
        assert logit.grad.item() == pytest.approx(0, abs=1e-12)

    def test_generator_loss(self):
        assert generator_loss(np.array([0.0, 2.0], np.float32)) == -1

    def test_r1_of_a_linear_function(self):
        w, x = torch.tensor([3.0, -4.0], requires_grad=True), torch.randn(7, 2, requires_grad=True)
        penalty = r1_penalty(x @ w, x)
        penalty.backward()
        assert penalty.item() == pytest.approx(12.5)  # half of 3^2 + 4^2
        assert w.grad.tolist() == pytest.approx([3, -4])

    @pytest.mark.parametrize("options", NETWORKS)
    def test_r1_of_the_network_against_finite_differences(self, options):
        network = roused(make(embedding=4, dropout=0.0, **options)).network.double()
        embedded = network.embed(torch.from_numpy(draw(3)[:, :6]).long(), torch.zeros(3, 0, dtype=torch.long))
        values = embedded.values.detach().requires_grad_()
        penalty = r1_penalty(network.score(embedded._replace(values=values)), values).item()
        total, step = 0.0, 1e-5
        with torch.no_grad():
            for index in np.ndindex(*values.shape):
                ends = []
                for sign in (1, -1):
                    moved = values.clone()
                    moved[index] += sign * step
                    ends.append(network.score(embedded._replace(values=moved)).sum().item())
                total += ((ends[0] - ends[1]) / (2 * step)) ** 2
        assert penalty == pytest.approx(0.5 * total / 3, rel=1e-5)


def test_self_likeness():
    """Rows 5 5 7 5, then padding: row 1 is like the one before, row 3 like those two and three before."""
    contents = torch.tensor([[[5], [5], [7], [5], [0], [0]]])
    alike = self_likeness(contents, torch.tensor([[True] * 4 + [False] * 2]), lags=3)
    assert alike[0, 0].int().tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]]


class TestLogits:
    @pytest.mark.parametrize("options", NETWORKS)
    def test_do_not_depend_on_neighbours_or_order(self, options):
        d, contents = roused(make(**options)), draw(40)
        alone = np.concatenate([d.logits(content[None]) for content in contents])
        np.testing.assert_allclose(d.logits(contents), alone, atol=1e-6)
        np.testing.assert_allclose(d.logits(contents[::-1])[::-1], alone, atol=1e-6)
        assert np.ptp(alone) > 0.01

    @pytest.mark.parametrize("options", NETWORKS)
    def test_see_every_entry_and_the_length(self, options):
        d, content = roused(make(**options)), draw(1, shortest=SHAPE[0])
        variants = [content]
        for row, column in np.ndindex(SHAPE):
            changed = content.copy()
            changed[0, row, column] = changed[0, row, column] % (SIZES[column] - 1) + 1
            variants.append(changed)
        shorter = content.copy()
        shorter[0, -1] = 0
        logits = d.logits(np.concatenate([*variants, shorter]))
        assert len(np.unique(logits)) == len(logits)

    def test_more_rows_than_are_scored_at_a_time(self, monkeypatch):
        d, contents = make(), draw(23)
        whole = d.logits(contents)
        monkeypatch.setattr(module, "SCORING_ROWS", 5)
        np.testing.assert_allclose(d.logits(contents), whole, atol=1e-6)

    def test_of_nothing_and_of_an_empty_content(self):
        d = make()
        assert d.logits(draw(0)).shape == (0,)
        assert np.isfinite(d.logits(np.zeros((2, *SHAPE), int))).all()

    def test_flat_contents(self):
        d = make(shape=(5,), sizes=(3,))
        assert d.logits(np.array([[0, 1, 2, 0, 0], [0, 1, 2, 0, 1]])).shape == (2,)

    @pytest.mark.parametrize(
        ("contents", "said"),
        [
            (np.zeros((2, 11, 3), int), "shape"),
            (np.zeros((12, 3), int), "shape"),
            (np.zeros((2, *SHAPE)), "float64"),
            (np.full((2, *SHAPE), 4), "below"),
            (np.full((2, *SHAPE), -1), "from 0"),
        ],
    )
    def test_wrong_contents(self, contents, said):
        with pytest.raises(ValueError, match=said) as error:
            make().logits(contents)
        assert "\n" not in str(error.value)


class TestConditions:
    @pytest.mark.parametrize("options", NETWORKS)
    def test_matter_and_must_be_given(self, options):
        d, contents = roused(make(condition_sizes=(4,), **options)), draw(6)
        zeros, ones = np.zeros((6, 1), int), np.ones((6, 1), int)
        assert (d.logits(contents, zeros) != d.logits(contents, ones)).all()
        with pytest.raises(ValueError, match="sees conditions"):
            d.logits(contents)
        with pytest.raises(ValueError, match="below"):
            d.logits(contents, 4 * ones)
        with pytest.raises(ValueError, match="as many"):
            d.logits(contents, zeros[:5])


class TestRecurrent:
    def test_says_nothing_at_first(self):
        assert not make(recurrent=8).logits(draw(5)).any()

    def test_is_a_sum_of_what_each_row_says_after_those_before(self):
        """So the last row of two contents is worth as much in one as in the other, where they were alike before."""
        d, content = roused(make(recurrent=8)), draw(1, shortest=SHAPE[0])
        rows = np.concatenate([content * (np.arange(SHAPE[0]) < n)[:, None] for n in range(SHAPE[0] + 1)])
        steps = np.diff(d.logits(rows)[1:])
        with torch.no_grad():
            embedded = d.network.embed(torch.from_numpy(content).long(), torch.zeros(1, 0, dtype=torch.long))
            past, _ = d.network.past(embedded.values)
            weights = d.network.rows.sum(embedded.rows, slice(None), d.network.weights)
            said = (weights[..., :-1] * past).sum(2) + weights[..., -1]
        np.testing.assert_allclose(steps, said[0, 1:], atol=1e-5)

    def test_sees_the_condition_from_the_first_row_on(self):
        d = roused(make(condition_sizes=(4,), recurrent=8))
        first = draw(1) * (np.arange(SHAPE[0]) == 0)[:, None]
        assert len(np.unique(d.logits(first.repeat(4, 0), np.arange(4)[:, None]))) == 4

    def test_has_no_spectral_norm(self):
        with pytest.raises(ValueError, match="recurrent at 0"):
            make(recurrent=8, spectral_norm=True)

    def test_tells_which_token_follows_which(self):
        """Of forty tokens in a line: in real ones each is followed by the next but one."""
        rng = np.random.default_rng(0)

        def real(n):
            return 1 + (rng.integers(40, size=(n, 1)) + 2 * np.arange(6)) % 40

        d = make(Settings(learning_rate=3e-3), shape=(6,), sizes=(41,), embedding=16, recurrent=16, dropout=0.0)
        for _ in range(150):
            d.update(real(64), rng.integers(1, 41, (64, 6)))
        right = np.concatenate((d.logits(real(500)) > 0, d.logits(rng.integers(1, 41, (500, 6))) < 0)).mean()
        assert right > 0.95


class TestUpdate:
    @pytest.mark.parametrize("options", NETWORKS)
    def test_reaches_the_log_ratio(self, options):
        """On a set of contents small enough to be listed, the optimum is known: log p_data - log p_fake."""
        contents = np.array([[0, a, b] for a in range(1, 3) for b in range(4)])
        data, fake = np.array([8, 1, 2, 5, 4, 4, 6, 2]), np.array([1, 4, 4, 5, 2, 4, 4, 8])  # in 32
        d = make(Settings(learning_rate=1e-2, weight_decay=0, r1=0), shape=(3,), sizes=(4,), dropout=0.0, **options)
        for step in range(250):
            d.set_rate(1 - step / 250)  # at a constant rate, updates swing around the optimum
            stats = d.update(contents.repeat(data, 0), contents.repeat(fake, 0))
        np.testing.assert_allclose(d.logits(contents), np.log(data / fake), atol=0.05)
        assert stats["real_logit"] > 0 > stats["fake_logit"]
        assert 0.5 < stats["accuracy"] < 1
        p, q = data / 32, fake / 32
        best = -(p * np.log(p / (p + q))).sum() - (q * np.log(q / (p + q))).sum()
        assert stats["loss"] == pytest.approx(best, abs=1e-3)

    def test_hears_that_the_second_half_repeats_the_first(self):
        """A law across the whole content that no pair of neighbours shows."""
        rng = np.random.default_rng(0)

        def real(n):
            half = rng.integers(1, 5, (n, 4))
            return np.concatenate((half, half), 1)

        def fake(n):
            return rng.integers(1, 5, (n, 8))

        settings = Settings(learning_rate=5e-3, r1=0.0)
        d = make(settings, shape=(8,), sizes=(5,), embedding=16)
        for _ in range(80):
            d.update(real(64), fake(64))
        right = np.concatenate((d.logits(real(500)) > 0, d.logits(fake(500)) < 0)).mean()
        assert right > 0.9

    def test_r1_flattens_and_is_lazy(self):
        real, fake = draw(64), draw(64, seed=1)
        real[:, 1:, 0] = 3 * (real[:, 1:, 0] > 0)
        sharp, flat = (
            make(Settings(r1=0.0, learning_rate=3e-3)),
            make(Settings(r1=30.0, r1_every=3, learning_rate=3e-3)),
        )
        for step in range(40):
            stats = flat.update(real, fake)
            assert ("r1" in stats) == (step % 3 == 0)
            assert "r1" not in sharp.update(real, fake)
        assert np.ptp(flat.logits(real)) < 0.5 * np.ptp(np.concatenate((sharp.logits(real), sharp.logits(fake))))

    @pytest.mark.parametrize("on_fake", [False, True])
    def test_r1_is_averaged_over_some_contents(self, on_fake):
        d = make(Settings(r1=0.1, r1_rows=4, r1_on_fake=on_fake), dropout=0.0)
        real, fake = draw(10), draw(10, seed=1)
        shown = np.concatenate((real[:2], fake[:2])) if on_fake else real[:4]
        embedded = d.network.embed(torch.from_numpy(shown).long(), torch.zeros(4, 0, dtype=torch.long))
        expected = r1_penalty(d.network.score(embedded), embedded.values).item()
        assert d.update(real, fake)["r1"] == pytest.approx(expected, rel=1e-5)

    def test_refuses_nan_and_stays_as_it_was(self):
        d = make()
        with torch.no_grad():
            d.network.last.bias.fill_(np.nan)
        before = d.state_dict()["network"]["widen.weight"]
        with pytest.raises(FloatingPointError, match="lower its learning_rate"):
            d.update(draw(4), draw(4))
        assert torch.equal(before, d.state_dict()["network"]["widen.weight"])
        assert d.updates == 0

    def test_refuses_nothing(self):
        with pytest.raises(ValueError, match="at least one"):
            make().update(draw(4), draw(0))

    def test_leaves_the_global_generator_alone(self):
        before = torch.random.get_rng_state()
        make(dropout=0.5, input_dropout=0.5).update(draw(4), draw(4))
        assert torch.equal(before, torch.random.get_rng_state())

    def test_scoring_never_drops_anything(self):
        d = make(dropout=0.5, input_dropout=0.5)
        d.update(draw(4), draw(4))
        assert (d.logits(draw(8)) == d.logits(draw(8))).all()

    def test_spectral_norm_bounds_linear_layers(self):
        d = make(Settings(learning_rate=1e-4), spectral_norm=True)
        for _ in range(60):  # the power iteration takes one step an update
            d.update(draw(16), draw(16, seed=1))
        weights = [value for name, value in d.network.named_parameters() if name.endswith("original")]
        assert len(weights) > 5
        for layer in d.network.modules():
            if isinstance(layer, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d):
                assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2) < 1.1

    def test_dropout_keeps_the_mean_and_one_mask_for_each_content(self):
        dropout = Dropout(0.25).train()
        dropout.generator = torch.Generator().manual_seed(0)
        y = dropout(torch.ones(1000, 4, 50))
        assert y.mean().item() == pytest.approx(1, abs=0.02)
        assert torch.equal(y[:, 0], y[:, 3])
        assert not torch.equal(y[0], y[1])


class TestState:
    def test_training_goes_on_bit_for_bit(self, tmp_path):
        settings = Settings(r1_every=3)
        straight, halfway = (
            make(settings, dropout=0.3, input_dropout=0.1),
            make(settings, dropout=0.3, input_dropout=0.1),
        )
        batches = [(draw(16, seed=i), draw(16, seed=100 + i)) for i in range(10)]
        for batch in batches:
            straight.update(*batch)
        for batch in batches[:5]:
            halfway.update(*batch)
        torch.save(halfway.state_dict(), tmp_path / "state")
        resumed = make(settings, seed=7, dropout=0.3, input_dropout=0.1)
        resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        for batch in batches[5:]:
            resumed.update(*batch)
        assert same(straight.state_dict(), resumed.state_dict())

    def test_is_a_copy(self):
        d = make()
        state = d.state_dict()
        before = state["network"]["table"].clone()
        d.update(draw(4), draw(4))
        assert torch.equal(before, state["network"]["table"])
        assert not torch.equal(before, d.state_dict()["network"]["table"])

    def test_of_another_architecture_is_refused(self):
        with pytest.raises(ValueError, match="another architecture"):
            make().load_state_dict(make(hidden=32).state_dict())

    def test_seeds(self):
        assert same(make(seed=3).state_dict(), make(seed=3).state_dict())
        assert not same(make(seed=3).state_dict(), make(seed=4).state_dict())


class Payload:
    """Runs code when unpickled carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


class TestFiles:
    @pytest.mark.parametrize("options", [{}, {"spectral_norm": True}, {"recurrent": 8}])
    def test_round_trip(self, tmp_path, options):
        d = make(Settings(r1=0.7, betas=(0.1, 0.2)), **options)
        d.update(draw(16), draw(16, seed=1))
        loaded = Discriminator.load(d.save(tmp_path / "new" / "d.zip"))
        assert (loaded.logits(draw(30)) == d.logits(draw(30))).all()
        assert (loaded.architecture, loaded.settings, loaded.updates) == (d.architecture, d.settings, 1)
        assert [path.name for path in (tmp_path / "new").iterdir()] == ["d.zip"]
        loaded.update(draw(16), draw(16, seed=1))

    def test_half_precision_is_half_the_size(self, tmp_path):
        d = make(hidden=64)
        whole, half = d.save(tmp_path / "whole.zip"), d.save(tmp_path / "half.zip", half=True)
        assert half.stat().st_size < 0.6 * whole.stat().st_size
        np.testing.assert_allclose(Discriminator.load(half).logits(draw(30)), d.logits(draw(30)), atol=0.01)

    def doctor(self, tmp_path, config=None, weights=None, **changes):
        return doctor(make().save(tmp_path / "d.zip"), changes, weights, config)

    def test_never_executes_a_payload(self, tmp_path):
        trap = tmp_path / "executed"
        refused(self.doctor(tmp_path, weights={"table": Payload(trap)}))
        torch.save(Payload(trap), tmp_path / "bare.zip")
        refused(tmp_path / "bare.zip")
        assert not trap.exists()

    @pytest.mark.parametrize(
        "changes",
        [
            {"hidden": 10**9},
            {"hidden": 1024, "embedding": 1024, "convolutions": 8},
            {"attention_layers": 0},
            {"sizes": [10**8, 6, 5]},
            {"shape": [10**12, 3]},
            {"shape": [12]},
            {"hidden": "16"},
            {"hidden": 17},
            {"hidden": 32},
            {"dropout": 2},
            {"kind": "opera"},
            {"kind": ["sequence"]},
            {"sizes": 7},
            {"mystery": 1},
        ],
        ids=str,
    )
    def test_refuses_doctored_architectures(self, tmp_path, changes):
        refused(self.doctor(tmp_path, **changes))

    def test_refuses_doctored_settings(self, tmp_path):
        config = {"format": "musegym discriminator 2", "updates": 0, "settings": {"learning_rate": "all"}}
        architecture = {"kind": "sequence", "shape": [12, 3], "sizes": [4, 6, 5]}
        refused(self.doctor(tmp_path, config=json.dumps(config | {"architecture": architecture}).encode()))

    @pytest.mark.parametrize("config", [b"", b"[]", b"{}", b"\xff\xfe", b"{" * 99_000, b" " * 10**7, b'{"format": 1}'])
    def test_refuses_doctored_json(self, tmp_path, config):
        refused(self.doctor(tmp_path, config=config))

    @pytest.mark.parametrize("which", ["shape", "missing", "nan", "kind", "list", "virtual"])
    def test_refuses_doctored_weights(self, tmp_path, which):
        weights = make().network.state_dict()
        if which == "shape":
            weights["table"] = torch.zeros(3, 3)
        elif which == "missing":
            del weights["table"]
        elif which == "nan":
            weights["last.bias"] = torch.tensor([np.nan])
        elif which == "kind":
            weights["table"] = weights["table"].long()
        elif which == "virtual":  # a petabyte that takes four bytes
            weights["table"] = torch.zeros(1).expand(10**15)
        refused(self.doctor(tmp_path, weights=[1, 2] if which == "list" else weights))

    def test_refuses_damaged_files(self, tmp_path):
        path = make().save(tmp_path / "d.zip")
        data = path.read_bytes()
        rng = np.random.default_rng(0)
        for size in (0, 1, 100, len(data) // 2, len(data) - 1):
            path.write_bytes(data[:size])
            refused(path)
        path.write_text("not a zip")
        refused(path)
        messages = []
        for _ in range(100):
            damaged = bytearray(data)
            for place in rng.integers(len(data), size=3):
                damaged[place] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            try:
                loaded = Discriminator.load(path)
            except ValueError as error:
                messages.append(str(error))
            else:
                assert np.isfinite(loaded.logits(draw(3))).all()
        assert all("not a usable discriminator" in message for message in messages)
        assert len(messages) > 50

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"Discriminator\.save"):
            Discriminator.load(tmp_path / "d.zip")


def conditions_of(contents):
    """Conditions that go with contents: two columns of their first row."""
    return contents[:, 0, :2].astype(np.int64)


def under_conditions(contents):
    return Works(contents, conditions_of(contents))


class Tune:
    """As much of a task as discriminators need."""

    condition_sizes = (4, 6)
    layout = Sequence(SHAPE, SIZES)

    def works(self, split):
        return under_conditions(draw(50))

    def stream(self, num, rng):
        return None


class TestMake:
    def test_follows_the_task(self):
        d = make_discriminator(Tune(), seed=1, hidden=16, r1=0.5)
        assert (d.architecture.shape, d.architecture.sizes, d.architecture.condition_sizes) == (SHAPE, SIZES, (4, 6))
        assert (d.architecture.hidden, d.settings.r1) == (16, 0.5)
        assert d.logits(draw(4), conditions_of(draw(4))).shape == (4,)

    def test_unknown_option(self):
        with pytest.raises(ValueError, match=r"no options \['hiden'\].*hidden"):
            make_discriminator(Tune(), hiden=16)

    def test_kinds_that_have_no_network(self):
        task = Tune()
        task.layout = types.SimpleNamespace(kind="opera", shape=SHAPE, sizes=SIZES, categorical=True)
        with pytest.raises(ValueError, match="no network reads a 'opera'"):
            make_discriminator(task)

    def test_pretrained(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "PRETRAINED", tmp_path)
        with pytest.raises(ValueError, match=r"ships for Tune; there are: none"):
            pretrained("musegym/Tune-v0")
        d = make_discriminator(Tune(), hidden=16)
        d.save(tmp_path / "Tune-D.zip")
        for task in ("musegym/Tune-v0", "Tune", Tune()):
            works = draw(4), conditions_of(draw(4))
            assert (pretrained(task).logits(*works) == d.logits(*works)).all()
        with pytest.raises(ValueError, match="Air; there are: Tune"):
            pretrained("musegym/Air-v0")
        other = Tune()
        other.data_name, other.data_names = "airs", ("tunes", "airs")
        with pytest.raises(ValueError, match="Tune-airs; there are: Tune"):
            pretrained(other)
        d.save(tmp_path / "Tune-airs-D.zip")
        assert pretrained(other).architecture == d.architecture
        other.layout = types.SimpleNamespace(kind="sequence", shape=(99, 2), sizes=SIZES, categorical=True)
        with pytest.raises(ValueError, match="judges other works"):
            pretrained(other)
