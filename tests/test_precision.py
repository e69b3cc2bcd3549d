"""The precision of learning: how it is chosen, that nothing else is rounded, and that no machine binds another."""

import contextlib
import functools
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from rich.console import Console
from test_networks import inputs, network

from musegym.agents import AdversarialDQN, DiscriminatorCallback, make_sb3_env, precision
from musegym.agents.generation import generate_episodes
from musegym.agents.networks import Inputs, Stepper
from musegym.agents.precision import Trial, resolve, try_bfloat16
from musegym.discriminators import make_discriminator
from musegym.envs import make_task
from musegym.errors import UsageError
from musegym.training import processor
from musegym.training.folder import Run, Settings
from musegym.training.parameters import check
from musegym.training.run import train

torch.set_num_threads(1)  # a second thread is slower for networks this small
toys.register()
NATIVE, SLOW, NONE = Trial(True, True), Trial(True, False), Trial(False, False)
NETWORK = {"hidden": 16, "embedding": 8}
D = {"hidden": 8, "embedding": 4, "batch_size": 8}
learns_in_16_bits = pytest.mark.skipif(
    not try_bfloat16("cpu").works,
    reason="torch has no LSTM of bfloat16 here: run it on a CPU with AVX-512, and without ONEDNN_MAX_CPU_ISA",
)
OUTER = {
    "none": contextlib.nullcontext,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
}
MODES = ("highest", "high", "medium")


LSTM = torch.nn.LSTM.forward


def record(rnn, monkeypatch):
    """Lets an LSTM, or all of them, pass for float32; returns the dtypes in which they are asked to multiply."""
    asked = []

    def forward(self, *given):
        asked.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32)
        with torch.autocast("cpu", enabled=False):
            return LSTM(self, *given)

    monkeypatch.setattr(rnn, "forward", forward if isinstance(rnn, type) else functools.partial(forward, rnn))
    return asked


def flags():
    """Returns the instruction sets that Linux names; none elsewhere."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split() for line in lines if line.startswith("flags")), [])


def agent(asked="auto", **options):
    env = make_sb3_env("toy/Word-v0", 16, seed=0, discriminator="none")
    given = {"demonstrations": 8, "warm_start": 3, "lead": 1, "policy_kwargs": NETWORK, "seed": 0}
    return AdversarialDQN("auto", env, precision=asked, **given | options)


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.q_net.parameters()])


@pytest.fixture
def machine(monkeypatch):
    """Lets this machine pass for one whose trial ends as is said."""
    return lambda trial: monkeypatch.setattr(precision, "try_bfloat16", lambda device: trial)


@pytest.fixture
def any_mode():
    """Puts torch's own switch back."""
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


class TestResolve:
    @pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
    @pytest.mark.parametrize("trial", [NATIVE, SLOW, NONE], ids=["native", "slow", "none"])
    def test_float32_is_always_to_be_had(self, device, trial):
        assert resolve("float32", device, trial) == torch.float32

    @pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
    @pytest.mark.parametrize("trial", [NATIVE, SLOW], ids=["native", "slow"])
    def test_bfloat16_where_it_works(self, device, trial):
        assert resolve("bfloat16", device, trial) == torch.bfloat16

    @pytest.mark.parametrize("device", ["cpu", "cuda"])
    def test_bfloat16_where_it_does_not_is_refused_in_a_line(self, device):
        with pytest.raises(ValueError, match=rf"precision=bfloat16.*{device}.*auto.*float32") as error:
            resolve("bfloat16", device, NONE)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("device", "trial", "dtype"),
        [
            ("cpu", NATIVE, torch.bfloat16),
            ("cpu", SLOW, torch.float32),
            ("cpu", NONE, torch.float32),
            ("cuda", NATIVE, torch.float32),
            ("mps", SLOW, torch.float32),
        ],
    )
    def test_auto(self, device, trial, dtype):
        assert resolve("auto", device, trial) == dtype

    @pytest.mark.parametrize("asked", ["medium", "Bfloat16", "", "float16", "bf16", None, 16])
    def test_no_such_precision(self, asked):
        with pytest.raises(ValueError, match="auto, float32, bfloat16") as error:
            resolve(asked, "cpu", NATIVE)
        assert "\n" not in str(error.value)


class TestTrial:
    def test_leaves_no_trace(self, any_mode):
        before = torch.random.get_rng_state(), torch.get_float32_matmul_precision(), torch.get_num_threads()
        try_bfloat16.__wrapped__("cpu")
        assert torch.equal(before[0], torch.random.get_rng_state())
        assert before[1:] == (torch.get_float32_matmul_precision(), torch.get_num_threads())
        assert not torch.is_autocast_enabled("cpu")

    @pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, *OUTER.values()])
    def test_gives_the_same_answer_each_time_and_anywhere(self, mode):
        with mode():
            assert try_bfloat16.__wrapped__("cpu") == try_bfloat16("cpu")

    @pytest.mark.parametrize("mode", MODES)
    def test_does_not_hang_on_the_global_mode(self, mode, any_mode):
        torch.set_float32_matmul_precision(mode)
        assert try_bfloat16.__wrapped__("cpu") == try_bfloat16("cpu")

    def test_a_library_that_refuses(self, monkeypatch):
        def refuses(*given):
            raise RuntimeError("could not create a primitive descriptor for the LSTM forward propagation primitive")

        monkeypatch.setattr(torch.nn.LSTM, "forward", refuses)
        assert try_bfloat16.__wrapped__("cpu") == NONE

    def test_a_library_whose_gradients_are_not_finite(self, monkeypatch):
        forward = torch.nn.LSTM.forward
        monkeypatch.setattr(torch.nn.LSTM, "forward", lambda self, x: (forward(self, x)[0] * torch.inf, None))
        assert not try_bfloat16.__wrapped__("cpu").works

    @pytest.mark.parametrize("converts", [True, False])
    def test_a_processor_that_converts_first_keeps_small_numbers(self, converts, monkeypatch):
        product = torch.full((64, 64), 64e-40 if converts else 0.0)
        monkeypatch.setattr(torch.Tensor, "__matmul__", lambda a, b: product.bfloat16())
        assert try_bfloat16.__wrapped__("cpu").worthwhile == (not converts and try_bfloat16("cpu").works)

    @pytest.mark.skipif(
        "avx512_bf16" not in flags() or "ONEDNN_MAX_CPU_ISA" in os.environ,
        reason="run it on a processor with AVX512_BF16, and without ONEDNN_MAX_CPU_ISA",
    )
    def test_of_a_processor_that_multiplies_them(self):
        assert try_bfloat16("cpu") == NATIVE

    @pytest.mark.slow
    @pytest.mark.parametrize(("isa", "trial"), [("AVX2", NONE), ("AVX512_CORE", SLOW), ("AVX512_CORE_BF16", NATIVE)])
    def test_of_a_processor_that_plays_others(self, isa, trial):
        needed = {"AVX2": "avx2", "AVX512_CORE": "avx512bw", "AVX512_CORE_BF16": "avx512_bf16"}[isa]
        if needed not in flags():
            pytest.skip(f"this processor has no {needed}: run it on one that has")
        script = f"import runpy; print(*runpy.run_path({precision.__file__!r})['try_bfloat16']('cpu'))"
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": isa, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [str(said) for said in trial]


class TestNetwork:
    @pytest.mark.parametrize("learns_in", [torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("outer", OUTER)
    @pytest.mark.parametrize("mode", MODES)
    def test_only_learning_is_in_16_bits_and_only_where_it_is_to_be(
        self, learns_in, outer, mode, any_mode, monkeypatch
    ):
        torch.set_float32_matmul_precision(mode)
        net = network()
        net.learns_in = learns_in
        asked = record(net.rnn, monkeypatch)
        with OUTER[outer]():
            net(Inputs(*inputs()))
            net.decide(Inputs(*inputs()))
            with torch.no_grad():
                net(Inputs(*inputs()))
                net.decide(Inputs(*inputs()))
        assert asked == [learns_in] * 2 + [torch.float32] * 2

    @pytest.mark.parametrize("options", [{}, {"view_shape": (4, 4, 1)}, {"condition": False}], ids=str)
    def test_acting_within_an_autocast_is_as_without_bit_for_bit(self, options):
        last, features, condition, mask = inputs()
        shape = options.get("view_shape", ())
        net = network(view_shape=shape).eval()
        generator = torch.Generator().manual_seed(0)
        view = torch.randint(256, (*last.shape, *(shape or (0,))), generator=generator, dtype=torch.uint8)
        net.learns_in = torch.bfloat16

        @torch.no_grad()
        def act():
            steps, memory = net(Inputs(last, features, condition, mask, view))
            stepper = Stepper(net, condition)
            stepped = [stepper(last[:, t], features[:, t], mask[:, t], view[:, t]) for t in range(last.shape[1])]
            return [*steps, *memory, net.decide(Inputs(last, features, condition, mask, view))[0], *stepped]

        reference = act()
        with torch.autocast("cpu", torch.bfloat16):
            found = act()
        assert {tensor.dtype for tensor in found} == {torch.float32}
        assert all(map(torch.equal, found, reference))

    def test_a_prior_within_the_network_is_of_float32(self, monkeypatch):
        net, prior = network(), network(seed=1).eval().requires_grad_(False)
        net.add_to(prior)
        net.learns_in = prior.learns_in = torch.bfloat16
        asked, of_prior = record(net.rnn, monkeypatch), record(prior.rnn, monkeypatch)
        net(Inputs(*inputs()))
        assert (asked, of_prior) == ([torch.bfloat16], [torch.float32])

    @learns_in_16_bits
    def test_little_is_lost(self):
        net, given = network(hidden=64, embedding=32).eval(), inputs()
        found, gradients = [], []
        for dtype in (torch.float32, torch.bfloat16):
            net.learns_in = dtype
            net.zero_grad()
            steps, memory = net(Inputs(*given))
            found.append(steps.log_policy)
            steps.log_policy.clamp_min(-100).sum().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in net.rnn.parameters()]))
            with torch.no_grad():
                net(Inputs(*given), memory)  # what learning remembers, acting can go on with
            assert {*(tensor.dtype for tensor in (*steps, *memory))} == {torch.float32}
        assert not torch.equal(*found), "else there was nothing to lose"
        torch.testing.assert_close(*found, rtol=0, atol=0.02)
        assert torch.cosine_similarity(*gradients, dim=0) > 0.999

    @learns_in_16_bits
    def test_an_outer_autocast_keeps_no_weights_of_before_an_update(self):
        net, given = network().eval(), inputs()
        net.learns_in = torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16):
            net(Inputs(*given))
            with torch.no_grad():
                for weight in net.rnn.parameters():
                    weight.mul_(2)
            within = net(Inputs(*given))[0].log_policy
        assert torch.equal(within, net(Inputs(*given))[0].log_policy)


class TestAgent:
    def test_says_what_it_chose(self, machine):
        for trial, dtype, bits in ((NATIVE, torch.bfloat16, 16), (SLOW, torch.float32, 32), (NONE, torch.float32, 32)):
            machine(trial)
            model = agent()
            assert model.q_net.learns_in == model.learns_in == dtype
            model.set_logger(logger := Kept())
            model.dump_logs()
            assert logger.values["train/precision_bits"] == bits

    def test_what_a_machine_cannot_do_is_refused_where_it_is_asked_for(self, machine):
        machine(NONE)
        with pytest.raises(ValueError, match="precision=bfloat16"):
            agent("bfloat16")
        assert agent("float32").learns_in == torch.float32

    def test_a_file_binds_no_other_machine(self, machine, tmp_path):
        machine(NATIVE)
        model = agent("bfloat16")
        model.save(tmp_path / "model.zip")
        assert agent("float32").config == model.config
        assert AdversarialDQN.load(tmp_path / "model.zip").learns_in == torch.bfloat16
        machine(NONE)
        taken = AdversarialDQN.load(tmp_path / "model.zip")
        assert taken.learns_in == torch.float32
        before = weights(taken)
        taken.learn(200, callback=DiscriminatorCallback(**D))
        assert weights(taken).isfinite().all()
        assert not torch.equal(before, weights(taken))

    def test_a_file_of_float32_learns_in_16_bits_where_they_are(self, machine, tmp_path):
        machine(SLOW)
        agent().save(tmp_path / "model.zip")
        machine(NATIVE)
        assert AdversarialDQN.load(tmp_path / "model.zip").learns_in == torch.bfloat16
        assert AdversarialDQN.load(tmp_path / "model.zip", precision="float32").learns_in == torch.float32

    @pytest.mark.parametrize("asked", ["bfloat16", "half"])
    def test_a_file_is_not_to_blame(self, asked, machine, tmp_path):
        machine(NONE)
        agent().save(tmp_path / "model.zip")
        with pytest.raises(ValueError, match=r"^precision") as error:
            AdversarialDQN.load(tmp_path / "model.zip", precision=asked)
        assert "model.zip" not in str(error.value)

    @pytest.mark.parametrize("asked", ["float32", pytest.param("bfloat16", marks=learns_in_16_bits)])
    def test_learns_and_acts_within_an_autocast_as_without(self, asked):
        found = []
        for outer in OUTER.values():
            model = agent(asked)
            with outer():
                model.learn(300, callback=DiscriminatorCallback(**D))
                built = generate_episodes(model, 20)
                log_prob = model.learner.log_prob(built)
                logits = model.discriminator.logits(built.contents, built.conditions)
            found.append((weights(model).numpy(), built.contents, log_prob, logits))
        for without, within in zip(*found, strict=True):
            np.testing.assert_array_equal(within, without)

    @learns_in_16_bits
    def test_learning_is_in_16_bits(self):
        learned = []
        for asked in ("float32", "bfloat16"):
            model = agent(asked, lead=0)
            model.learn(200, callback=DiscriminatorCallback(**D))
            learned.append(weights(model))
        assert not torch.equal(*learned)

    @pytest.mark.parametrize("asked", ["float32", "auto"])
    def test_evaluating_is_not(self, asked, machine, monkeypatch):
        machine(NATIVE)
        model = agent(asked)
        words = record(model.q_net.rnn, monkeypatch)
        model.learner.log_prob(model.real.held_out)
        model.predict(model.env.reset())
        assert set(words) == {torch.float32}

    @pytest.mark.parametrize("mode", MODES)
    def test_does_not_read_the_global_mode(self, mode, machine, any_mode):
        torch.set_float32_matmul_precision(mode)
        for trial, dtype in ((NATIVE, torch.bfloat16), (SLOW, torch.float32)):
            machine(trial)
            assert agent().learns_in == dtype


class Kept:
    """A logger that keeps the last value of each name."""

    def __init__(self):
        self.values = {}

    def record(self, key, value, exclude=None):
        self.values[key] = value

    def dump(self, step=0):
        pass


@pytest.mark.parametrize("mode", MODES)
def test_commands_do_not_set_the_global_mode(mode, any_mode):
    torch.set_float32_matmul_precision(mode)
    processor.configure_torch()
    assert torch.get_float32_matmul_precision() == mode


@pytest.mark.parametrize("env_id", ["toy/Word-v0", "musegym/Digit-v0", "musegym/Oracle-v0"])
def test_discriminators_score_and_learn_within_an_autocast_as_without(env_id):
    task = make_task(env_id)
    works, found = task.works("train").take(slice(8)), []
    contents, conditions = works.contents, works.conditions
    for outer in OUTER.values():
        d = make_discriminator(task, dropout=0.1, r1=1.0)
        with outer():
            before = d.logits(contents, conditions)
            stats = d.update(contents[:4], contents[4:], conditions[:4], conditions[4:])
            after = d.logits(contents, conditions)
        found.append((before, after, np.array(list(stats.values()))))
    assert found[0][0].dtype == np.float32
    for without, within in zip(*found, strict=True):
        np.testing.assert_array_equal(within, without)


class TestRuns:
    def settings(self, **params):
        params |= {"policy_kwargs": NETWORK, "discriminator.batch_size": 8, "warm_start": 2, "lead": 1}
        return Settings(id="toy/Word-v0", seconds=None, steps=300, seed=0, num_envs=8, env_kwargs={}, params=params)

    def train(self, folder, settings, resume=False):
        said = io.StringIO()
        often = {"checkpoint_every": 0.0, "report_every": 0.0}
        train(Run(folder), settings, resume=resume, console=Console(file=said, width=200), **often)
        return said.getvalue()

    def bits(self, folder):
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return {line["train/precision_bits"] for line in lines}

    @pytest.mark.parametrize("trial", [SLOW, pytest.param(NATIVE, marks=learns_in_16_bits)], ids=["slow", "native"])
    def test_say_what_they_learned_in(self, trial, machine, tmp_path):
        machine(trial)
        self.train(tmp_path / "run", self.settings())
        assert self.bits(tmp_path / "run") == {16 if trial.worthwhile else 32}

    def test_of_16_bits_go_on_where_there_are_none(self, machine, tmp_path, monkeypatch):
        machine(NATIVE)
        record(torch.nn.LSTM, monkeypatch)  # on every machine
        asked = self.settings(precision="bfloat16")
        assert "float32" not in self.train(tmp_path / "run", asked)
        machine(NONE)
        more = Settings(**{**vars(asked), "steps": 500})
        said = self.train(tmp_path / "run", more, resume=True)
        assert said.count("precision=bfloat16 does not work on this machine: the run goes on in float32") == 1
        assert self.bits(tmp_path / "run") == {16, 32}

    @pytest.mark.parametrize("value", ["medium", "BFLOAT16", "bf16", ""])
    def test_of_no_such_precision_leave_no_folder(self, value, tmp_path):
        with pytest.raises(UsageError, match="precision must be one of auto, float32, bfloat16"):
            self.train(tmp_path / "run", self.settings(precision=value))
        assert not (tmp_path / "run").exists()

    def test_of_16_bits_that_are_not_there_leave_no_folder(self, machine, tmp_path):
        machine(NONE)
        with pytest.raises(UsageError, match="precision=bfloat16"):
            self.train(tmp_path / "run", self.settings(precision="bfloat16"))
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("value", [16, True, 1.5, None])
    def test_a_precision_is_a_word(self, value):
        with pytest.raises(UsageError, match="precision"):
            check({"precision": value})
