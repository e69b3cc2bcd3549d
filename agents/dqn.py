"""AdversarialDQN: a soft, Munchausen DQN whose Boltzmann policy generates what a discriminator takes for real."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback, CallbackList
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, RolloutReturn, Schedule
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_normalize

from ..discriminators import Discriminator, DiscriminatorTrainer
from ..envs.rewards import RewardSettings
from ..envs.task import Array, Ints
from .controller import Controller
from .demonstrations import Demonstrations
from .episodes import Episodes, Recorder, play, trace
from .joint import JointAlgorithm
from .policies import BoltzmannPolicy
from .precision import choose
from .replay import EpisodeBuffer
from .rewards import Rewards
from .rollout import EnvRollout, Locals, TaskRollout, is_bare, no_step
from .saving import SAVED
from .sb3 import DecisionBar, make_sb3_env, task_of, wrappers_of

VALUE_RATE = 1.5
"""Learning rate of V over the policy's."""
WARM_START = 500
"""Updates of the warm start, where neither they nor a budget say otherwise."""
LEAST = {
    **dict.fromkeys(("demonstrations", "replayed", "cross_entropy", "warm_start", "lead", "weight_decay"), 0),
    **dict.fromkeys(("consistency", "max_grad_norm", "discriminator_weight", "prior_weight"), 0),
    **dict.fromkeys(
        ("n_steps", "buffer_size", "target_update_interval", "batch_size", "gradient_steps", "minibatch"), 1
    ),
    "stats_window_size": 1,
}
"""Smallest values of constructor arguments."""
MOST_AT_ONCE = dict.fromkeys(("demonstrations", "replayed", "batch_size", "minibatch", "stats_window_size"), 1_000_000)
"""Largest values of those that are numbers of episodes in memory."""
LARGEST = 1e30
"""Bound of all other numbers: float32 holds them, and their products with what networks make."""
ROWS = 1024
"""Contents built in a round where the environment is given by its id."""
EVALUATED = 512
"""Episodes passed through the network at a time where no gradient is wanted."""


class AdversarialDQN(JointAlgorithm):
    """A DQN that matches a distribution of contents: rewards come from a co-trained discriminator D.

    The policy is pi(a|s) = softmax(Q(s, .)/tau); the reward of a finished content x is r(x) = logit D(x), at D's
    optimum log p_data(x) - log p_pi(x). With the Munchausen term alpha log pi_target(a|s) in the reward, soft
    Q-learning settles at p_data^(1 / (1 + tau (1 - alpha))): at the data for alpha = 1. See ``docs/algorithm.md``.

    A round is: every row builds a content; these are dealt into batches; for each, the callback trains D on it, and the
    policy takes one step on the joint objective L_DQN + L_GAN over fresh, replayed and real episodes, all scored by the
    current D:

    * L_DQN: squared errors of Q against targets ``n_steps`` ahead (``losses.q_errors``), of which the gradient of
      L_GAN = -E[logit D(x)] is the part that the reward makes (a policy gradient with a learned baseline);
    * plus ``cross_entropy`` times the negative log-likelihood of the real episodes.

    Before them come a warm start by maximum likelihood, where there are real works to imitate, and rounds in which D
    alone learns.

    The environment is stepped where it is wrapped: what it pays beside the terms of D and the rules
    (``info["reward_terms"]``) is part of the reward. A bare one, which pays nothing else, need not be: its task is
    played directly. Either way D scores finished contents a round at a time, and callbacks see every step.

    Papers: Mnih et al. 2015 (DQN), Nachum et al. 2017 (path consistency), Vieillard et al. 2020 (Munchausen),
    Ho & Ermon 2016 (imitation by a discriminator), Goodfellow et al. 2014 (the discriminator).

    Args:
        policy: ``"auto"`` or a ``BoltzmannPolicy`` class.
        env: from ``make_sb3_env``, wrapped or not, or an id; its rows are the contents built in a round.
        learning_rate: of the rounds, a number or SB3 schedule; it ramps up at first and falls to zero at the end.
        temperature: tau; the reward is divided by it.
        alpha: Munchausen weight.
        n_steps: decisions between a Q-value and its target; None reaches the end of the episode.
        gamma: discount of rewards and values.
        hard: targets hold the largest Q-value instead of the soft one: Q-learning, for ``n_steps=1`` and ``alpha=0``.
        demonstrations: real episodes in a batch; none where the task has no demonstrations, nor a warm start.
        replayed: past episodes in a batch.
        relabel: past episodes are scored by D as it is now; False keeps the rewards that they were given at first.
        reward_form: "log_ratio", "gail" or "bounded": see ``envs.rewards.REWARD_FORMS``; "auto" is "gail" where the
            task has no demonstrations, else "log_ratio". The environment rewards alike.
        discriminator_weight: of D's reward; at 0 the agent learns without a discriminator.
        dense_rules: the task's rules are paid when they fall due (``Task.step_rules``), and not in sum at the end.
        prior_weight: of log p(a|s) in every decision's reward, where p is the policy at the end of the warm start.
        relative_to_prior: what is learned after the warm start is added to the log of p.
        consistency: weight of L_DQN, which makes Q consistent with its targets; 0 leaves the cross-entropy alone.
        cross_entropy: weight of the negative log-likelihood of the real episodes.
        buffer_size: past episodes that are kept.
        target_update_interval: updates between those of the target network; None: it is what builds a round's episodes.
        target_share: share by which it then moves towards the network (Polyak averaging); 1 copies.
        warm_start: updates by maximum likelihood before the first round; None: 500, or 0 without demonstrations.
        warm_start_learning_rate: their first rate; it falls to zero linearly.
        lead: rounds in which only D learns, before the policy moves; None: ten, but no more than the share of the
            steps that ``schedule`` gives, and one at least.
        co_training: whether D learns on beside the policy; else it stays as it was at the end of the lead.
        schedule: shares of the budget for warm start and lead, instead of the counts, where ``budget`` is set.
        batch_size: real episodes in an update of the warm start.
        weight_decay: decoupled, of AdamW.
        max_grad_norm: largest norm of the policy's gradient, and of that of the values.
        gradient_steps: how often a round goes through its fresh episodes.
        minibatch: fresh episodes in an update; rounds of more rows take several.
        controller: whether rates, trust in D and temperature are adapted beside ``DiscriminatorCallback``: see
            ``Controller``; its ``keep_best`` ends a run that is not to go on.
        discriminator: a frozen D for learning without ``DiscriminatorCallback``.
        policy_kwargs: ``hidden``, ``embedding``, ``dropout`` and ``sight`` of the network.
        stats_window_size: episodes over which statistics are taken.
        tensorboard_log: folder for TensorBoard.
        verbose: 0, 1 or 2, as in SB3.
        seed: of everything.
        device: "cpu", "cuda" or "auto".
        precision: of products within the LSTM while it learns: "float32"; "bfloat16"; or "auto", bfloat16 on a CPU
            that has them (``precision.resolve``). All else is of float32. Like the device it is of the machine that
            learns: files do not keep it.
        _init_setup_model: as in SB3.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"auto": BoltzmannPolicy}
    policy: BoltzmannPolicy
    policy_class: type[BoltzmannPolicy]
    env: VecEnv

    def __init__(
        self,
        policy: str | type[BoltzmannPolicy] = "auto",
        env: GymEnv | str = "musegym/Melody-v0",
        learning_rate: float | Schedule = 3e-3,
        *,
        temperature: float = 1.0,
        alpha: float = 1.0,
        n_steps: int | None = None,
        gamma: float = 1.0,
        hard: bool = False,
        demonstrations: int = 64,
        replayed: int = 0,
        relabel: bool = True,
        reward_form: str = "auto",
        discriminator_weight: float = 1.0,
        dense_rules: bool = False,
        prior_weight: float = 0.0,
        relative_to_prior: bool = False,
        consistency: float = 1.0,
        cross_entropy: float = 1.0,
        buffer_size: int = 5_000,
        target_update_interval: int | None = None,
        target_share: float = 1.0,
        warm_start: int | None = None,
        warm_start_learning_rate: float = 5e-3,
        lead: int | None = None,
        co_training: bool = True,
        schedule: tuple[float, float] = (0.4, 0.05),
        batch_size: int = 128,
        weight_decay: float = 0.1,
        max_grad_norm: float = 1.0,
        gradient_steps: int = 1,
        minibatch: int = 256,
        controller: bool = True,
        discriminator: Discriminator | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        stats_window_size: int = 100,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        _init_setup_model: bool = True,
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name in SAVED}
        for name, value in {**arguments, "learning_rate": learning_rate}.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"{name} must be a finite number, not {value}")
        for name, value in (arguments | {"learning_rate": learning_rate}).items():
            most = MOST_AT_ONCE.get(name, LARGEST)
            if isinstance(value, int | float) and not abs(value) <= most:
                raise ValueError(f"{name} must be at most {most:,}, not {value}")
        for name, least in LEAST.items():
            if arguments[name] is not None and not arguments[name] >= least:
                raise ValueError(f"{name} must be at least {least}, not {arguments[name]}")
        if not temperature > 0 or not 0 <= alpha <= 1:
            raise ValueError(f"temperature must be above 0 and alpha in 0..1, not {temperature} and {alpha}")
        if not 0 <= gamma <= 1 or not 0 < target_share <= 1:
            raise ValueError(f"gamma must be in 0..1 and target_share above 0, at most 1, not {gamma}, {target_share}")
        if hard and (n_steps != 1 or alpha):
            raise ValueError(f"hard targets are of Q-learning: set n_steps=1 and alpha=0, not {n_steps} and {alpha}")
        if not 0 <= sum(schedule) <= 1 or min(schedule) < 0:
            raise ValueError(f"schedule gives the shares of warm start and lead, together at most 1, not {schedule}")
        super().__init__(
            policy,
            make_sb3_env(env, ROWS, seed=seed, discriminator="none") if isinstance(env, str) else env,
            learning_rate,
            buffer_size=buffer_size,
            learning_starts=0,
            batch_size=batch_size,
            gamma=gamma,
            gradient_steps=gradient_steps,
            policy_kwargs=dict(policy_kwargs or {}),
            stats_window_size=stats_window_size,
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            support_multi_env=True,
            monitor_wrapper=False,
            seed=seed,
            sde_support=False,
            supported_action_spaces=(gym.spaces.Discrete,),
        )
        self.learns_in = choose(precision, self.device)
        """Dtype of products within the LSTM while it learns."""
        self.task = task_of(self.env)
        self.arguments = arguments
        self.temperature, self.alpha = temperature, alpha
        self.n_steps = self.task.horizon if n_steps is None else min(n_steps, self.task.horizon)
        self.real = Demonstrations(self.task)
        self.demonstrations, self.replayed = demonstrations if self.real else 0, replayed
        self.hard, self.relabel = hard, relabel
        self.prior_weight, self.relative_to_prior = prior_weight, relative_to_prior
        self.consistency, self.cross_entropy = consistency, cross_entropy
        self.target_update_interval, self.target_share = target_update_interval, target_share
        imitated = WARM_START if self.real else 0
        self.warm_start = imitated if warm_start is None else warm_start
        self.warm_start_learning_rate = warm_start_learning_rate
        self.lead, self.schedule, self.co_training, self.minibatch = lead, schedule, co_training, minibatch
        self.weight_decay, self.max_grad_norm = weight_decay, max_grad_norm
        self.discriminator = discriminator
        if self.warm_start and not self.real:
            raise ValueError(f"{type(self.task).__name__} has no demonstrations to imitate: leave warm_start at 0")
        self.budget = None
        self.policy_rate = 1.0
        self.trainer: DiscriminatorTrainer | None = None
        """What trains D: set by ``DiscriminatorCallback``, saved and loaded with the agent."""
        self.teach = None
        self.warm_updates = self.lead_rounds = self._rounds = 0
        if _init_setup_model:
            self._setup_model()

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        self.set_random_seed(self.seed)
        seed = 0 if self.seed is None else self.seed
        self.policy = self.policy_class(
            self.observation_space, self.action_space, self.lr_schedule, task=self.task, seed=seed, **self.policy_kwargs
        ).to(self.device)
        self.q_net.learns_in = self.learns_in
        policy = [parameter for name, parameter in self.q_net.named_parameters() if not name.startswith("value.")]
        groups: list[dict[str, Any]] = [
            {"params": policy},
            {"params": list(self.q_net.value.parameters()), "times": VALUE_RATE},
        ]
        # The low first beta suits an objective that moves; see docs/algorithm.md.
        self.policy.optimizer = torch.optim.AdamW(
            groups, self.lr_schedule(1), betas=(0.5, 0.99), weight_decay=self.weight_decay
        )
        self.imitator = torch.optim.AdamW(
            self.q_net.parameters(), self.warm_start_learning_rate, betas=(0.9, 0.99), weight_decay=self.weight_decay
        )
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.q_net.dropout.generator = self.generator
        self.episodes = EpisodeBuffer(self.buffer_size)
        normalised = unwrap_vec_normalize(self.env)
        if normalised is not None and normalised.norm_reward:
            raise ValueError(
                "VecNormalize(norm_reward=True) rescales rewards, and D's is a log ratio that must keep its scale: "
                "pass norm_reward=False, and let temperature say how much rewards count"
            )
        given = self.arguments
        form = given["reward_form"]
        if form == "auto":
            form = "log_ratio" if self.real else "gail"
        # Past SB3's Monitor, which has "rewards" of its own.
        self.rule_weight = self.env.get_attr("unwrapped")[0].rewards.settings.rule_weight
        settings = RewardSettings(self.rule_weight, form, discriminator_weight=given["discriminator_weight"])
        self.worth = Rewards(self.task, settings, given["dense_rules"])
        self.stepped: EnvRollout | None = None
        """Steps the environment, where that is more than its task; made by the first ``learn``."""
        self.paid_beside = False
        """Whether the environment has paid anything beside D's and the rules' terms."""
        self.controller = Controller(self) if given["controller"] else None

    # Learning

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int = 10,
        tb_log_name: str = "AdversarialDQN",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Learns for so many environment steps.

        Args:
            total_timesteps: environment steps, that is decisions in unfinished episodes; warm start apart.
            callback: a ``DiscriminatorCallback``, alone or among others.
            log_interval: rounds (of the warm start: tens of updates) between reports.
            tb_log_name: of the TensorBoard run.
            reset_num_timesteps: False goes on counting.
            progress_bar: shows one.

        Raises:
            ValueError: nothing would train D, and no frozen one was given.
        """
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        self.teach = None  # a callback of an earlier call teaches no more
        callback.on_training_start(locals(), globals())
        if self.discriminator is None and self.worth.settings.discriminator_weight:
            raise ValueError(
                "nothing tells the agent what looks real: pass learn(callback=DiscriminatorCallback(...)), "
                "AdversarialDQN(discriminator=...) for a frozen one, or discriminator_weight=0 for none"
            )
        if not is_bare(self.env) and (self.stepped is None or reset_num_timesteps):
            self.stepped = EnvRollout(self.env, self.task, np.asarray(self._last_obs))
        # D scores whole rounds, as it is then: step by step in the environment would cost as much again.
        self._tell_env(dataclasses.replace(self.worth.settings, discriminator_weight=0.0))
        try:
            self._rounds_until(total_timesteps, callback, log_interval)
        finally:
            self._tell_env(self.worth.settings)
        callback.on_training_end()
        return self

    def _rounds_until(self, total_timesteps: int, callback: BaseCallback, log_interval: int) -> None:
        going = True
        while going and self.num_timesteps < total_timesteps:
            callback.on_rollout_start()
            if self._warming_up():
                for _ in range(10):
                    if self._warming_up():
                        self._imitate()
                self._update_target()
                callback.update_locals({"self": self, **no_step(self.env, self._last_obs)})
                going = callback.on_step()
            else:
                if self.policy.prior is None and (self.prior_weight or self.relative_to_prior):
                    self.policy.freeze_prior(self.relative_to_prior)
                rollout = self.collect_rollouts(self.env, callback)
                going = rollout.continue_training
                if going:
                    callback.update_locals(locals() | {"contents": self.fresh.contents})
                    callback.on_rollout_end()
                if self.leading:
                    self.lead_rounds += 1
                elif going:
                    self.train(self.gradient_steps)
            self._rounds += 1
            if self._rounds % log_interval == 0:
                self.dump_logs()

    def _tell_env(self, settings: RewardSettings) -> None:
        """Lets the environment reward as the agent does."""
        self.env.env_method("set_reward", settings)

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        made = super()._init_callback(callback)
        if not progress_bar:
            return made
        bar = DecisionBar()
        bar.init_callback(self)
        both = CallbackList([made, bar])
        both.model = self
        return both

    def collect_rollouts(  # type: ignore[override]  # whole episodes of all rows: no train_freq, no action noise
        self, env: VecEnv, callback: BaseCallback, **_: Any
    ) -> RolloutReturn:
        """Lets the rows of ``env`` build a content each; they are left in ``fresh``, and in the buffer if it is used.

        Args:
            env: the agent's.
            callback: called after each step with what SB3 documents.

        Returns:
            Decisions, episodes, and whether to go on: where a callback says no, the round is not learned from.

        Raises:
            ValueError: an environment that pays rewards of its own beside demonstrations, which it did not pay for.
        """
        going, before = True, self.num_timesteps

        def on_step(decisions: int, step: Locals) -> bool:
            nonlocal going
            if going:
                self.num_timesteps += decisions
                callback.update_locals({"self": self, **step})
                going = callback.on_step()
                ended = [step["infos"][row] for row in np.flatnonzero(step["dones"])]
                assert self.ep_info_buffer is not None
                self.ep_info_buffer.extend(info["episode"] for info in ended if "episode" in info)
            return going

        if self.stepped is None:
            watched = TaskRollout(self.task, self.worth, env.num_envs)
            starts = self.task.initial(self.rng.integers(2**64, size=env.num_envs, dtype=np.uint64))

            def on_decision(recorder: Recorder, actions: Ints) -> None:
                on_step(*watched.step(recorder, actions))

            fresh = play(self.q_net, self.task, starts, self.generator, on_step=on_decision)
        else:
            fresh = self.stepped.collect(self.q_net, self.generator, env.num_envs, on_step)
            self._last_obs = self.stepped.observations
            if fresh.paid.any():
                self.paid_beside = True
                if self.demonstrations:
                    raise ValueError(
                        f"{' or '.join(wrappers_of(env)) or 'the environment'} pays rewards of its own, which the real "
                        "works that the agent also learns from were never paid: pass demonstrations=0"
                    )
        self.fresh = fresh
        if not self.relabel:
            fresh.rewards[:] = self.rewards(fresh.contents, fresh.conditions)
        if self.replayed:
            self.episodes.add(fresh)
        self._episode_num += len(fresh)
        if len(fresh):
            self.logger.record("rollout/ep_len_mean", float(fresh.lengths.mean()))
        if self.budget is None:
            self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        else:
            self._current_progress_remaining = (1 - self.budget()) / max(1e-9, 1 - sum(self.shares))
        return RolloutReturn(self.num_timesteps - before, len(fresh), going)

    def dump_logs(self) -> None:
        """Reports: losses, held-out negative log-likelihood (nats per content), D's statistics, time."""
        if self.real:
            self.logger.record("validation/nll", -float(self._log_prob(self.real.held_out).mean()))
        self.logger.record("time/episodes", self._episode_num, exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/warm_updates", self.warm_updates, exclude="tensorboard")
        self.logger.record("train/precision_bits", torch.finfo(self.learns_in).bits, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    # Using what was learned

    def predict(
        self,
        observation: Array | dict[str, Array],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
        action_masks: Array | None = None,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """Chooses actions: see ``BoltzmannPolicy.predict``."""
        return self.policy.predict(observation, state, episode_start, deterministic, action_masks)

    def log_prob(self, contents: Array) -> NDArray[np.float64]:
        """Returns log pi of contents [N, ...] given their conditions, float64 [N], in nats.

        Exact where ``task.one_to_one``; else that of the canonical building sequence, a lower bound.

        Raises:
            ValueError: a content cannot be built.
        """
        return self._log_prob(trace(self.task, contents))

    @torch.no_grad()
    def _log_prob(self, episodes: Episodes) -> NDArray[np.float64]:
        self.q_net.eval()
        parts = []
        for start in range(0, len(episodes), EVALUATED):
            part = episodes.take(slice(start, start + EVALUATED))
            taken, _, _ = part.evaluate(self.q_net, self.device, values=False)
            parts.append(taken.double().sum(1).cpu().numpy())
        return np.concatenate(parts) if parts else np.zeros(0)
