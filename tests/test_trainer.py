import numpy as np
import pytest
import torch
from test_discriminators import Tune, conditions_of, draw, same, under_conditions

from musegym.discriminators import DiscriminatorTrainer, make_discriminator
from musegym.envs import Works

torch.set_num_threads(1)  # a second thread is slower for networks this small
SMALL = {"hidden": 16, "embedding": 8}


class Few(Tune):
    """A corpus so small that it can be learned by heart; both splits alike."""

    def works(self, split):
        return under_conditions(draw(12 if split == "train" else 200, seed=len(split)))


class Many(Tune):
    """More than can be learned by heart in a few updates; both splits alike."""

    def works(self, split):
        return under_conditions(draw(3000, seed=len(split)))


def make(task=None, seed=0, discriminator=None, **options):
    task = task or Tune()
    discriminator = discriminator or {}
    d = make_discriminator(task, seed=seed, **(SMALL | discriminator))
    return DiscriminatorTrainer(
        d, task, seed=seed, **({"batch_size": 16, "updates_per_observe": 1.0, "validate_every": 3} | options)
    )


class Recorder:
    """Stands for a discriminator and keeps what it is shown."""

    augmentation = None

    def __init__(self):
        self.updates, self.shown, self.scored = 0, [], []

    def update(self, real, fake, real_conditions, fake_conditions):
        assert (real_conditions == conditions_of(real)).all()
        assert (fake_conditions == conditions_of(fake)).all()
        self.updates += 1
        self.shown.append((real, fake))
        return {"loss": 1.0}

    def logits(self, contents, conditions):
        self.scored.append(contents)
        return contents[:, 0, 0].astype(np.float32)


def record(**options):
    options = {"batch_size": 16, "validate_every": 3, **options}
    return DiscriminatorTrainer(Recorder(), Few(), **({"updates_per_observe": 1.0} | options))


def observe(trainer, contents):
    return trainer.observe(contents, conditions_of(contents))


def marked(n, mark):
    """Contents that are told apart by their second row."""
    contents = draw(n)
    contents[:, 1] = np.array([mark % 4, mark // 4 % 6, 1])
    return contents


def marks(contents):
    return contents[:, 1, 0] + 4 * contents[:, 1, 1]


def rows(contents):
    return {content.tobytes() for content in contents}


class TestWhatIsShown:
    def test_real_ones_are_of_the_train_split(self):
        trainer = record()
        for _ in range(10):
            observe(trainer, draw(20))
        train = rows(Few().works("train").contents)
        seen = set.union(*(rows(real) for real, _ in trainer.discriminator.shown))
        assert seen == train

    def test_fakes_are_half_current_half_past(self):
        trainer = record()
        observe(trainer, marked(20, 1))
        observe(trainer, marked(20, 2))
        observe(trainer, marked(20, 3))
        fakes = [marks(fake) for _, fake in trainer.discriminator.shown]
        assert (fakes[0] == 1).all()  # there is no past yet
        assert [(fakes[1] == mark).sum() for mark in (1, 2)] == [8, 8]
        assert (fakes[2] == 3).sum() == 8
        assert {1, 2} <= set(fakes[2])

    def test_past_share(self):
        trainer = record(past_share=0.25)
        observe(trainer, marked(20, 1))
        observe(trainer, marked(20, 2))
        assert (marks(trainer.discriminator.shown[1][1]) == 1).sum() == 4

    def test_the_past_is_the_latest(self):
        trainer = record(past=30)
        for mark in range(1, 6):
            observe(trainer, marked(20, mark))
        kept = marks(trainer._past)
        assert sorted(kept.tolist()) == [4] * 10 + [5] * 20
        observe(trainer, marked(100, 6))
        assert (marks(trainer._past) == 6).all()

    def test_no_past(self):
        trainer = record(past=0)
        observe(trainer, marked(20, 1))
        observe(trainer, marked(20, 2))
        assert (marks(trainer.discriminator.shown[1][1]) == 2).all()

    def test_nothing_twice_where_there_is_enough(self):
        trainer = record()
        observe(trainer, draw(20))
        assert len(rows(trainer.discriminator.shown[0][1])) == len(rows(draw(20))) - 4

    def test_a_single_content_will_do(self):
        trainer = record()
        observe(trainer, draw(1))
        assert trainer.discriminator.shown[0][1].shape == (16, *draw(1).shape[1:])

    @pytest.mark.parametrize(("ratio", "expected"), [(3, 12), (0.5, 2), (0.3, 1), (0, 0)])
    def test_updates_per_observe(self, ratio, expected):
        trainer = record(updates_per_observe=ratio)
        for _ in range(4):
            observe(trainer, draw(20))
        assert trainer.discriminator.updates == expected

    def test_nothing_finished_yet(self):
        trainer = record()
        assert observe(trainer, draw(0)) == {}
        assert trainer.discriminator.updates == 0

    def test_wrong_shape(self):
        with pytest.raises(ValueError, match="contents must have shape"):
            observe(record(), draw(3)[:, :-1])

    @pytest.mark.parametrize("conditions", [None, np.zeros((3, 1), int), np.zeros((2, 2), int)])
    def test_wrong_conditions(self, conditions):
        with pytest.raises(ValueError, match=r"conditions must be int \[3, 2\]") as error:
            record().observe(draw(3), conditions)
        assert "\n" not in str(error.value)

    def test_fresh_real_works_have_no_conditions(self):
        class Stream(Tune):
            condition_sizes = ()

            def works(self, split):
                return Works(draw(50))

            def stream(self, num, rng):
                return draw(num, seed=int(rng.integers(100)))

        trainer = DiscriminatorTrainer(make_discriminator(Stream(), **SMALL), Stream(), batch_size=4)
        assert trainer.observe(draw(4))["updates"] == 1

    @pytest.mark.parametrize(
        "options",
        [
            *({"batch_size": 0}, {"past_share": 1.0}, {"past": -1}, {"validate_every": 0}, {"batch_size": 10**7}),
            *({"updates_per_observe": value} for value in (-1, float("nan"), float("inf"), 1e300)),
        ],
    )
    def test_bad_options(self, options):
        with pytest.raises(ValueError, match=r"must be|at least|at most"):
            record(**options)


class TestFrozen:
    def test_never_moves(self):
        trainer = make(frozen=True)
        before = trainer.discriminator.state_dict()
        observe(trainer, draw(20))
        assert same(before, trainer.discriminator.state_dict())

    def test_thaws(self):
        trainer = make(frozen=True)
        observe(trainer, draw(20))
        trainer.frozen = False
        observe(trainer, draw(20))
        assert trainer.discriminator.updates == 1


class TestGauge:
    def test_is_the_difference_of_means(self):
        trainer = record(validation_size=100)
        train, validation = trainer.measured
        assert len(train[0]) == 12
        expected = train[0][:, 0, 0].mean() - validation[0][:, 0, 0].mean()
        assert trainer.train_minus_validation() == pytest.approx(expected)
        assert [len(contents) for contents in trainer.discriminator.scored] == [12, 100]

    def test_is_measured_on_the_same_contents_every_so_often(self):
        trainer = record(validation_size=100, validate_every=4)
        logged = [observe(trainer, draw(20)).get("train_minus_validation") for _ in range(10)]
        scored = trainer.discriminator.scored
        assert len(scored) == 4
        assert (scored[1] == scored[3]).all()
        assert logged == 3 * [None] + 7 * [trainer.train_minus_validation()]

    def test_shows_memorisation(self):
        """Fakes are drawn like the real ones: all there is to learn is which dozen contents are in the corpus."""
        loose = {"learning_rate": 5e-3, "dropout": 0.0, "r1": 0.0, "weight_decay": 0.0}
        gaps = []
        for task in (Few(), Many()):
            trainer = make(task, discriminator=loose, updates_per_observe=60)
            assert abs(trainer.train_minus_validation()) < 0.1
            observe(trainer, draw(400, seed=9))
            gaps.append(trainer.train_minus_validation())
        assert gaps[0] > 1
        assert abs(gaps[1]) < 0.2 * gaps[0]


class TestRehearsal:
    def test_leaves_everything_as_it_was(self):
        trainer, contents = make(validate_every=2), draw(40, seed=1)
        observe(trainer, contents)
        trainer.discriminator.set_rate(0.7)
        before, stats = trainer.state_dict(), dict(trainer.stats)
        trainer.rehearse(contents, (1.0, 3.0), 5, conditions_of(contents))
        assert same(trainer.state_dict(), before)
        assert trainer.stats == stats
        (group,) = trainer.discriminator.optimizer.param_groups
        assert group["lr"] == pytest.approx(0.7 * trainer.discriminator.settings.learning_rate)

    def test_needs_contents_to_learn_from_and_to_be_asked_about(self):
        with pytest.raises(ValueError, match="at least 2 contents, got 1"):
            make().rehearse(draw(1), (1.0,), 1)

    def test_says_what_updates_at_each_rate_would_lead_to(self):
        trainer, contents = make(), draw(40, seed=1)
        observe(trainer, contents)
        now, one, again, three = trainer.rehearse(contents, (0.0, 1.0, 1.0, 3.0), 4, conditions_of(contents))
        held_out, conditions = trainer.measured[1], conditions_of(contents)
        assert (now[0] == trainer.discriminator.logits(*held_out)).all()
        assert (now[1] == trainer.discriminator.logits(contents[20:], conditions[20:])).all()
        assert all((a == b).all() for a, b in zip(one, again, strict=True))
        moved = [np.abs(outcome[0] - now[0]).mean() for outcome in (one, three)]
        assert 0 < moved[0] < moved[1]
        for _ in range(4):  # as when it is done in earnest
            trainer._update((contents[:20], conditions[:20]))
        assert (one[0] == trainer.discriminator.logits(*held_out)).all()


class TestState:
    def test_training_goes_on_bit_for_bit(self, tmp_path):
        options = {"past": 30, "updates_per_observe": 1.5}
        straight, halfway = make(**options), make(**options)
        for turn in range(10):
            observe(straight, draw(20, seed=turn))
        for turn in range(5):
            observe(halfway, draw(20, seed=turn))
        torch.save(halfway.state_dict(), tmp_path / "state")
        state = torch.load(tmp_path / "state", weights_only=True)
        resumed = make(seed=3, **options)
        resumed.load_state_dict(state)
        rebuilt = DiscriminatorTrainer.from_state_dict(state, Tune())
        for trainer in (resumed, rebuilt):
            for turn in range(5, 10):
                observe(trainer, draw(20, seed=turn))
        assert same(straight.state_dict(), rebuilt.state_dict())
        resumed_state, straight_state = resumed.state_dict(), straight.state_dict()
        del resumed_state["options"], straight_state["options"]  # its seed differs
        assert same(straight_state, resumed_state)

    def test_is_of_plain_data_and_tensors(self):
        trainer = make()
        observe(trainer, draw(20))

        def check(value):
            if isinstance(value, dict):
                assert all(type(key) is str for key in value)
                return all(map(check, value.values()))
            if isinstance(value, list):
                return all(map(check, value))
            return value is None or type(value) in (str, int, float, bool, torch.Tensor)

        assert check(trainer.state_dict())

    def test_of_another_size_is_refused(self):
        state = make(past=40)
        observe(state, draw(40))
        with pytest.raises(ValueError, match="past contents"):
            make(past=30).load_state_dict(state.state_dict())

    def test_option_names_are_those_of_the_state(self):
        assert set(DiscriminatorTrainer.option_names()) == set(make().state_dict()["options"])
