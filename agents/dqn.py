"""AdversarialDQN: a soft, Munchausen DQN whose reward is a co-trained discriminator."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import time
from collections.abc import Callable
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common import type_aliases
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, RolloutReturn
from stable_baselines3.common.utils import get_device
from stable_baselines3.common.vec_env import VecEnv, unwrap_vec_normalize

from ..discriminators import Discriminator, DiscriminatorTrainer
from ..discriminators.objectives import generator_loss
from ..envs.rewards import RewardSettings
from ..envs.task import Array, Ints, Task
from . import checkpoint
from .adversary import READ, Adversary
from .backup import check
from .config import DQNConfig, changed
from .controller import LEAST_HELD_OUT, Adjustment, Controller, Snapshot, energy_distance
from .demonstrations import Demonstrations
from .episodes import Episodes, Recorder, play, trace
from .generators import ContentGenerator, GeneratorSettings, GeneratorTrainer
from .learner import Batch, Learner
from .networks import RecurrentQ
from .policies import BoltzmannPolicy
from .precision import choose
from .replay import EpisodeBuffer
from .rewards import Rewards
from .rollout import EnvRollout, Locals, TaskRollout, is_bare, no_step
from .rounds import round_of
from .sb3 import DecisionBar, make_sb3_env, task_of, wrappers_of
from .schedule import Phase, Progress, Schedule

SHARED = ("buffer_size", "batch_size", "gamma", "gradient_steps", "stats_window_size", "seed")
"""Settings that are arguments of SB3's off-policy algorithms, too."""
COUNTS = ("num_timesteps", "_episode_num", "_n_updates", "_rounds", "warm_updates", "lead_rounds")
"""Counts of a run that files keep."""
WATCHED = 128
"""Held-out works, at most, whose likelihood is measured in the warm start: all would take a third of a short one."""
WARM_UPDATES = 10
"""Updates of the warm start between two calls of callbacks."""


class AdversarialDQN(OffPolicyAlgorithm):
    """A DQN that matches a distribution of contents: rewards come from a co-trained discriminator D.

    The policy is pi(a|s) = softmax(Q(s, .)/tau); the reward of a finished content x is r(x) = logit D(x), at D's
    optimum log p_data(x) - log p_pi(x). With the Munchausen term alpha log pi_target(a|s) in the reward, soft
    Q-learning settles at p_data^(1 / (1 + tau (1 - alpha))): at the data for alpha = 1. See ``docs/algorithm.md``.

    In a round every row of the environment builds a content. The contents are split into batches. For each batch D
    takes a step on its contents, and the policy takes a step on the joint objective L_DQN + L_GAN over fresh, replayed
    and real episodes, all scored by the updated D:

    * L_DQN is the squared error of Q against targets ``n_steps`` ahead (``objective.q_errors``). The part of its
      gradient that comes from the reward is the gradient of L_GAN = -E[logit D(x)]: a policy gradient with a learned
      baseline.
    * ``cross_entropy`` times the negative log-likelihood of the real episodes is added.

    Two phases come before the rounds (``Schedule``): a warm start by maximum likelihood, where the task has
    demonstrations, and rounds in which D alone learns.

    A wrapped environment is stepped, and its rewards beyond the terms of D and the rules (``info["reward_terms"]``)
    are part of the reward. A bare environment pays no others, so its task is played directly, which is faster. In both
    cases D scores finished contents a round at a time, and callbacks see every step.

    Papers: Mnih et al. 2015 (DQN), Nachum et al. 2017 (path consistency), Vieillard et al. 2020 (Munchausen),
    Ho & Ermon 2016 (imitation by a discriminator), Goodfellow et al. 2014 (the discriminator).

    Args:
        policy: ``"auto"`` or a ``BoltzmannPolicy`` class.
        env: from ``make_sb3_env``, wrapped or not, or an id. Each row builds one content in a round.
        learning_rate: of joint training, a number or SB3 schedule; that of ``config`` where None.
        config: settings.
        discriminator: a frozen D, for learning without ``DiscriminatorCallback``.
        tensorboard_log: folder for TensorBoard.
        verbose: 0, 1 or 2, as in SB3.
        device: "cpu", "cuda" or "auto".
        precision: of matrix products within the LSTM while it learns: "float32"; "bfloat16"; or "auto", which is
            bfloat16 on a CPU that supports it (``precision.resolve``). Everything else is computed in float32. Like
            the device, the precision belongs to the machine: files do not keep it.
        _init_setup_model: as in SB3.
        **settings: fields of ``DQNConfig`` by name, over those of ``config``.

    Raises:
        TypeError: a setting is unknown.
        ValueError: a setting is impossible, in itself or for this environment.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"auto": BoltzmannPolicy}
    policy: BoltzmannPolicy
    policy_class: type[BoltzmannPolicy]
    env: VecEnv

    def __init__(
        self,
        policy: str | type[BoltzmannPolicy],
        env: GymEnv | str,
        learning_rate: float | type_aliases.Schedule | None = None,
        *,
        config: DQNConfig | None = None,
        discriminator: Discriminator | None = None,
        tensorboard_log: str | None = None,
        verbose: int = 0,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        _init_setup_model: bool = True,
        **settings: Any,
    ) -> None:
        if isinstance(learning_rate, int | float):
            settings["learning_rate"] = learning_rate
        self.config = config = changed(config or DQNConfig(), settings)
        super().__init__(
            policy,
            _made(env, config) if isinstance(env, str) else env,
            learning_rate if callable(learning_rate) else config.learning_rate,
            **{name: getattr(config, name) for name in SHARED},
            learning_starts=0,
            policy_kwargs=dict(config.policy_kwargs or {}),
            tensorboard_log=tensorboard_log,
            verbose=verbose,
            device=device,
            support_multi_env=True,
            monitor_wrapper=False,
            sde_support=False,
            supported_action_spaces=(gym.spaces.Discrete,),
        )
        self.learns_in = choose(precision, self.device)
        """Dtype of matrix products within the LSTM while it learns."""
        self.task = task_of(self.env)
        self.real = Demonstrations(self.task, config.augmentation)
        self.temperature = config.temperature
        """Temperature tau, as the controller last set it."""
        self.minibatch = round_of(self.task).minibatch if config.minibatch is None else config.minibatch
        """Fresh episodes in an update, about."""
        demonstrations = -(-self.minibatch // 4) if config.demonstrations is None else config.demonstrations
        self.demonstrations = demonstrations if self.real else 0
        """Real episodes in an update."""
        self.generator_trainer = None if self.task.generator is None else self._taught(self.task.generator)
        """Trains the task's content generator; None where it has none."""
        rebuilds = self.generator_trainer is not None and not self.generator_trainer.given
        self.schedule = Schedule.of(config, bool(self.real), rebuilds)
        self.adversary = Adversary(discriminator)
        self._spent: Callable[[], float] | None = None
        self.policy_rate = 1.0
        """Factor of the learning rate, as the controller last set it."""
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
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator(self.device).manual_seed(seed)
        self.q_net.learn_with(self.learns_in, self.generator)
        self.learner = Learner(self.policy, self.config, self.task.horizon)
        self.replay = EpisodeBuffer(self.buffer_size)
        _refuse_rescaled(self.env)
        form = self.config.reward_form
        if form == "auto":
            form = "log_ratio" if self.real else "gail"
        # Without its wrappers: SB3's Monitor has an attribute of this name too.
        self.rule_weight = self.env.get_attr("unwrapped")[0].rewards.settings.rule_weight
        settings = RewardSettings(self.rule_weight, form, discriminator_weight=self.config.discriminator_weight)
        self.reward_function = Rewards(self.task, settings, self.config.dense_rules, self.rng)
        self.stepped: EnvRollout | None = None
        """Steps a wrapped environment; made by the first ``learn``."""
        self.pays_extra = False
        """True once the environment has paid a reward beyond the terms of D and the rules."""
        self.controller = self._new_controller()

    def _new_controller(self) -> Controller | None:
        return Controller(self._by_distance) if self.config.controller else None

    @property
    def progress(self) -> Progress:
        """Progress of the run."""
        spent = None if self._spent is None else self._spent()
        rebuilt = 0 if self.generator_trainer is None else self.generator_trainer.rebuilt
        counts = self.warm_updates, self.lead_rounds, self._n_updates, rebuilt
        return Progress(spent, self.num_timesteps, self._total_timesteps, *counts)

    @property
    def phase(self) -> Phase:
        """The phase that the run is in."""
        return self.schedule.phase(self.progress)

    @property
    def discriminator(self) -> Discriminator | None:
        """The discriminator D that scores contents. One that is set here is frozen."""
        return self.adversary.discriminator

    @discriminator.setter
    def discriminator(self, discriminator: Discriminator) -> None:
        self.adversary = Adversary(discriminator)

    @property
    def trainer(self) -> DiscriminatorTrainer | None:
        """The trainer of D, saved and loaded with the agent; None where D never learned."""
        return self.adversary.trainer

    @property
    def reward_settings(self) -> RewardSettings:
        """Weights and form of the reward's terms, as the controller last set them."""
        return self.reward_function.settings

    def set_discriminator(self, trainer: DiscriminatorTrainer, lead: int = 8) -> None:
        """Sets a live discriminator, which learns with the agent until the next call of ``learn``.

        Args:
            trainer: of the discriminator.
            lead: factor of its number of updates while it leads, at least 1.
        """
        self.adversary.attach(trainer, lead if self.reward_settings.discriminator_weight else 0)

    def set_budget(self, spent: Callable[[], float] | None) -> None:
        """Sets the budget by which phases and rates go, in the place of the steps of ``learn``.

        Args:
            spent: returns the share of the budget that is spent, 0..1; None for steps.
        """
        self._spent = spent

    def set_env(self, env: GymEnv, force_reset: bool = True) -> None:
        """Replaces the environment by another one of the same task, for example under other wrappers.

        Raises:
            ValueError: the environment has another task or other works, or it rescales rewards.
        """
        given = self._wrap_env(env, self.verbose, monitor_wrapper=False)
        task = task_of(given)
        if type(task) is not type(self.task) or task.kwargs() != self.task.kwargs():
            raise ValueError(
                f"the environment builds contents of {_named(task)}, and the model those of {_named(self.task)}: "
                "to go on with other works, AdversarialDQN.load(path, env=...)"
            )
        _refuse_rescaled(given)
        super().set_env(given, force_reset)
        self.stepped = None

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
        """Trains for a number of environment steps.

        Args:
            total_timesteps: environment steps, that is decisions in unfinished episodes, the warm start not counted.
            callback: a ``DiscriminatorCallback``, alone or with others.
            log_interval: rounds between reports; a round of the warm start is ten updates.
            tb_log_name: name of the TensorBoard run.
            reset_num_timesteps: False continues the count of an earlier call.
            progress_bar: True shows one.

        Raises:
            ValueError: there is no D, neither live nor frozen, or the number of steps is not finite.
        """
        if not math.isfinite(total_timesteps):
            raise ValueError(f"total_timesteps must be a finite number, not {total_timesteps}")
        total_timesteps, callback = self._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        self._share_generator()
        self.adversary.freeze()  # D of an earlier call is live only if this call's callback attaches it
        callback.on_training_start(locals(), globals())
        if self.discriminator is None and self.reward_settings.discriminator_weight:
            raise ValueError(
                "there is no discriminator: pass learn(callback=DiscriminatorCallback(...)), "
                "AdversarialDQN(discriminator=...) for a frozen one, or discriminator_weight=0 for none"
            )
        if not is_bare(self.env) and (self.stepped is None or reset_num_timesteps):
            self.stepped = EnvRollout(self.env, self.task, np.asarray(self._last_obs))
        # The agent scores whole rounds; scores by the environment, step by step, would double the cost.
        self.env.env_method("set_reward", dataclasses.replace(self.reward_settings, discriminator_weight=0.0))
        try:
            going = True
            while going and self.num_timesteps < total_timesteps:
                callback.on_rollout_start()
                phases = {Phase.RECONSTRUCTION: self._rebuild, Phase.WARM_START: self._warm_up}
                going = phases.get(self.phase, self._round)(callback)
                self._rounds += 1
                if self._rounds % log_interval == 0:
                    self.dump_logs()
        finally:
            self.env.env_method("set_reward", self.reward_settings)
        callback.on_training_end()
        return self

    def _rebuild(self, callback: BaseCallback) -> bool:
        """Teaches the generator to rebuild real works for a few steps, and D to tell them; False stops training."""
        assert self.generator_trainer is not None
        for _ in range(WARM_UPDATES):
            losses, made, conditions = self.generator_trainer.rebuild(
                self.discriminator if self.adversary.live else None
            )
            self._record(losses)
            if "generator_loss" in losses:
                self._observe(made, conditions)
        self.real = Demonstrations(self.task, self.config.augmentation)  # plans of real works are others now
        callback.update_locals({"self": self, **no_step(self.env, self._last_obs)})
        return callback.on_step()

    def _warm_up(self, callback: BaseCallback) -> bool:
        """Takes a few steps of maximum likelihood; returns False where a callback stops training."""
        for _ in range(WARM_UPDATES):
            if self.schedule.position(self.progress) < self.schedule.plateau.end:
                batch = self.real.like_lengths(self.config.batch_size, self.rng)
                self._record(self.learner.imitate(batch, self.schedule.imitation_rate(self.progress)))
                self.warm_updates += 1
        self._watch(self.progress)
        self.learner.sync_target()
        callback.update_locals({"self": self, **no_step(self.env, self._last_obs)})
        return callback.on_step()

    def _watch(self, progress: Progress) -> None:
        """Measures the warm start; restores its best weights before its learning rate falls, and at its end."""
        schedule, best = self.schedule, self.learner.best
        plateau, position = schedule.plateau, schedule.position(progress)
        if not plateau.due(position):
            return
        watched, turned = self.real.held_out.take(slice(WATCHED)), plateau.turned
        nll = self._nll(watched) if len(watched) else 0.0  # without works the rate falls at the earliest
        if plateau.measure(position, nll, schedule.ends_by_validation(progress)):
            best.keep()
        if plateau.over or plateau.turned != turned:
            best.restore()
        if plateau.over:
            best.clear()

    def _round(self, callback: BaseCallback) -> bool:
        """Builds fresh episodes and learns from them; returns False where a callback stops training."""
        if self.policy.prior is None and (self.config.prior_weight or self.config.relative_to_prior):
            self.policy.freeze_prior(self.config.relative_to_prior)
        begun, before = time.perf_counter(), self.adversary.seconds
        going = self.collect_rollouts(self.env, callback).continue_training
        leads = self.phase is Phase.LEAD
        if going:
            if not leads:
                self._adapt()
            callback.on_rollout_end()
            if leads:
                self._lead()
            else:
                self.train(self.gradient_steps)
                seconds = time.perf_counter() - begun
                self.logger.record_mean("time/round_seconds", seconds)
                self.logger.record_mean("time/discriminator_share", (self.adversary.seconds - before) / seconds)
        self.lead_rounds += leads
        return going

    def _init_callback(self, callback: MaybeCallback, progress_bar: bool = False) -> BaseCallback:
        if not progress_bar:
            return super()._init_callback(callback)
        callbacks = callback if isinstance(callback, list) else [super()._init_callback(callback)]
        return super()._init_callback([*callbacks, DecisionBar()])

    def collect_rollouts(  # type: ignore[override]  # whole episodes of all rows: no train_freq, no action noise
        self, env: VecEnv, callback: BaseCallback, **_: Any
    ) -> RolloutReturn:
        """Builds one content in each row of ``env``, and keeps the episodes in ``fresh`` and, if used, in the replay.

        ``made`` holds the contents of ``fresh``, decoded once.

        Args:
            env: the agent's.
            callback: called after each step, with the local variables that SB3 documents.

        Returns:
            Numbers of decisions and of episodes, and False where a callback stops training.

        Raises:
            ValueError: a wrapper pays rewards, which real works in the same batches do not have.
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

        self.__dict__.pop("fresh", None)  # views are large: memory has room for those of one round
        if self.stepped is None:
            watched = TaskRollout(self.task, self.reward_function, env.num_envs)
            starts = self.task.initial(self.rng.integers(2**64, size=env.num_envs, dtype=np.uint64))

            def on_decision(recorder: Recorder, actions: Ints) -> None:
                on_step(*watched.step(recorder, actions))

            fresh = play(self.q_net, self.task, starts, self.generator, on_step=on_decision)
            made = watched.contents
        else:
            fresh = self.stepped.collect(self.q_net, self.generator, env.num_envs, on_step)
            made = self.reward_function.decoded(fresh.contents)
            self._last_obs = self.stepped.observations
            if fresh.paid.any():
                self.pays_extra = True
                if self.demonstrations:
                    raise ValueError(
                        f"{' or '.join(wrappers_of(env)) or 'the environment'} pays additional rewards, which the real "
                        "works that the agent also learns from have not: pass demonstrations=0"
                    )
        if not self.config.relabel:
            fresh = dataclasses.replace(fresh, rewards=self.rewards(fresh.contents, fresh.conditions))
        self.fresh, self.made = fresh, made
        if self.config.replayed:
            self.replay.add(fresh)
        self._episode_num += len(fresh)
        if len(fresh):
            self.logger.record("rollout/ep_len_mean", float(fresh.lengths.mean()))
        self._current_progress_remaining = self.schedule.remaining(self.progress)
        return RolloutReturn(self.num_timesteps - before, len(fresh), going)

    def _lead(self) -> None:
        """Trains D alone on the fresh contents, with more updates than in joint training."""
        for rows in np.array_split(np.arange(len(self.fresh)), self.minibatches):
            for _ in range(self.adversary.lead):
                self._observe(self.made[rows], self.fresh.conditions[rows])

    def _observe(self, contents: Array, conditions: Ints) -> None:
        """Trains D, where it is live, on contents [N, ...] of the present policy."""
        if self.adversary.live:
            for name, value in self.adversary.observe(contents, conditions).items():
                self.logger.record(f"discriminator/{name}", value)

    def train(self, gradient_steps: int, batch_size: int = 0) -> None:
        """Takes steps on the joint objective over batches of fresh, replayed and real episodes.

        Args:
            gradient_steps: number of passes through the fresh episodes.
            batch_size: unused; ``minibatch``, ``replayed`` and ``demonstrations`` are the sizes of a batch's parts.
        """
        del batch_size
        if self.config.target_update_interval is None:
            self.learner.sync_target(self.config.target_share)
        for _ in range(gradient_steps):
            for rows in np.array_split(self.rng.permutation(len(self.fresh)), self.minibatches):
                self._update(self.fresh.take(rows), self.made[rows])

    def _update(self, fresh: Episodes, contents: Array) -> None:
        """Trains D on fresh episodes, then the policy on fresh, replayed and real ones, scored by the updated D.

        Args:
            fresh: N episodes.
            contents: of them, decoded, [N, ...].
        """
        config = self.config
        if config.co_training:
            self._observe(contents, fresh.conditions)
        batch = Batch(
            fresh,
            self.replay.sample(config.replayed, self.rng) if config.replayed else None,
            self.real.sample(self.demonstrations, self.rng) if self.demonstrations else None,
        )
        current = self.reward_function.at_end(self.adversary, contents, fresh.conditions)  # by the updated D
        scores = [current, *(self.rewards(part.contents, part.conditions) for part in batch.parts[1:])]
        if not config.relabel:
            scores[: len(batch.built)] = [part.rewards for part in batch.built]
        rewards = self.reward_function.by_decision(batch.episodes, np.concatenate(scores))
        left = max(0.0, self._current_progress_remaining)  # the last round ends past the last step
        pace = self.schedule.factor(left, self._n_updates)
        learns = config.generator_weight != 0 and self.reward_settings.discriminator_weight
        if self.generator_trainer is not None and self.discriminator is not None and learns:
            works = fresh.contents, fresh.conditions
            self._record(self.generator_trainer.learn(*works, self.discriminator, pace))
        rate = pace * self.policy_rate * self.lr_schedule(left)
        metrics = self.learner.update(batch, rewards, rate, self.temperature)
        self._n_updates += 1
        if config.target_update_interval is not None and self._n_updates % config.target_update_interval == 0:
            self.learner.sync_target(config.target_share)
        gan_loss = generator_loss(current - self.reward_function.rules_at_end(contents, fresh.conditions))
        self._record(metrics | {"gan_loss": gan_loss, "joint_objective": metrics["dqn_loss"] + gan_loss})
        self.logger.record_mean("rollout/ep_rew_mean", float((current + fresh.paid.sum(1)).mean()))

    def _record(self, metrics: dict[str, float]) -> None:
        for name, value in metrics.items():
            self.logger.record_mean(f"train/{name}", value)

    @property
    def q_net(self) -> RecurrentQ:
        """The Q-network."""
        return self.policy.q_net

    @property
    def minibatches(self) -> int:
        """Number of batches that the fresh episodes of a round are split into."""
        return max(1, round(self.env.num_envs / self.minibatch))

    def rewards(self, contents: Array, conditions: Ints) -> NDArray[np.float32]:
        """Returns the rewards of finished works at their end, float32 [N]: see ``Rewards.at_end``.

        Args:
            contents: [N, ...]; plans where the task decodes them.
            conditions: int [N, C].
        """
        return self.reward_function.at_end(self.adversary, self.reward_function.decoded(contents), conditions)

    def dump_logs(self) -> None:
        """Writes the recorded numbers, and the negative log-likelihood of held-out works in nats per content."""
        if self.real and self.phase is not Phase.RECONSTRUCTION:
            self.logger.record("validation/nll", self._nll(self.real.held_out))
        self.logger.record("time/episodes", self._episode_num, exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        self.logger.record("train/warm_updates", self.warm_updates, exclude="tensorboard")
        self.logger.record("train/precision_bits", torch.finfo(self.learns_in).bits, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    # Adapting

    @property
    def aims_at_data(self) -> bool:
        """True where the agent's fixed point is the distribution of the data.

        There D is undecided about all contents, so that the reward, in each form a function of D's logit, is constant.
        """
        others = self.rule_weight or self.pays_extra or self.config.prior_weight or self.config.relative_to_prior
        return self.config.alpha == self.config.gamma == 1 and not others

    def _adapt(self) -> None:
        """Shows the controller the round, before D learns from it, and applies the adjustment.

        Does nothing without a controller, a live D and enough held-out works.
        """
        if self.controller is None or not self.adversary.live or len(self.adversary.held_out) < LEAST_HELD_OUT:
            return
        adjustment = self.controller.step(self._snapshot())
        self._apply(adjustment)
        numbers = {"temperature": self.temperature, "trust": self.reward_settings.trust}
        for name, value in (adjustment.numbers | numbers).items():
            self.logger.record(f"controller/{name}", value)

    def _snapshot(self) -> Snapshot:
        contents, conditions = self.made, self.fresh.conditions
        rehearse = functools.partial(self.adversary.rehearse, contents, conditions)
        return Snapshot(
            updates=self.minibatches * self.config.gradient_steps,
            learning=self.adversary.learning and self.config.co_training,
            read=functools.partial(self.adversary.reading, contents, conditions),
            rehearse=rehearse if len(contents) >= 2 * LEAST_HELD_OUT else None,
            score=functools.partial(self._score, contents) if self.aims_at_data else None,
            known=functools.partial(self._nll, self.real.known) if self.real and self.real.known else None,
            log_probs=self.fresh.log_probs if self.real else None,
        )

    def _nll(self, episodes: Episodes) -> float:
        """Returns the mean negative log-likelihood of whole episodes, in nats."""
        return -float(self.learner.log_prob(episodes).mean())

    def _score(self, contents: Array) -> float:
        """Returns a score of the policy, lower is better.

        The score is the negative log-likelihood of held-out works in nats, or, where works have no demonstrations or a
        generator makes them, the energy distance (Szekely & Rizzo 2013) between them and contents of the policy
        [N, ...].
        """
        if not self._by_distance:
            return self._nll(self.real.held_out)
        return energy_distance(self.adversary.held_out, contents[:READ])

    @property
    def _by_distance(self) -> bool:
        """True where scores are distances between pictures: those of plans say nothing of the generator."""
        return not self.real or self.generator_trainer is not None

    def _taught(self, generator: ContentGenerator) -> GeneratorTrainer:
        """Returns the trainer of a content generator, which learns on this agent's device."""
        generator.to(str(self.device))
        config = self.config
        settings = GeneratorSettings.of(
            generator.architecture.channels, config.reconstruction_realism, config.generator_weight
        )
        return GeneratorTrainer(generator, functools.partial(self.task.works, "train"), settings, self.seed or 0)

    def _share_generator(self) -> None:
        """Lets all rows of the environment have one content generator, the one that was handed over last."""
        if self.generator_trainer is None:
            return
        if self.task.generator is not self.generator_trainer.generator:
            self._adopt(self.task.generator)
        self.env.env_method("set_generator", self.generator_trainer.generator)

    def _adopt(self, generator: ContentGenerator) -> None:
        """Teaches another content generator from now on."""
        self.generator_trainer = self._taught(generator)
        self.learner.best.clear()  # a policy of other plans, as are the controller's measurements
        self.controller = self._new_controller()
        self.real = Demonstrations(self.task, self.config.augmentation)
        fresh = Schedule.of(self.config, bool(self.real), not self.generator_trainer.given)
        self.schedule = dataclasses.replace(self.schedule, reconstruction=fresh.reconstruction)

    def _apply(self, adjustment: Adjustment) -> None:
        """Applies an adjustment of the controller to D, the policy, their rates and the reward."""
        if adjustment.d_weights == "keep":
            self.adversary.backup.keep()
        elif adjustment.d_weights == "restore":
            self.adversary.backup.restore()
            self.adversary.backup.clear()
        if adjustment.policy_weights == "keep":
            self.learner.best.keep()
            if self.generator_trainer is not None:
                self.generator_trainer.best.keep()
        elif adjustment.policy_weights == "restore":
            self._restore_best()
            # ``Learner._target`` reads the target network's log_probs of fresh episodes from these. Those of the
            # rejected policy, which built the episodes, would lead back to it.
            self.fresh = self.learner.relabelled(self.fresh)
            self.made = self.reward_function.decoded(self.fresh.contents)
        # Below alpha = 1 the temperature sets the diversity of the policy, which a factor of the logits would change.
        settings = self.reward_settings
        if settings.form == "log_ratio" and self.config.alpha == 1:
            self.reward_function = self.reward_function.trusting(adjustment.trust)
        self.temperature = self.config.temperature * adjustment.temperature
        self.policy_rate = adjustment.policy_rate
        self.adversary.set_rate(adjustment.d_rate)

    def _restore_best(self) -> None:
        """Restores the best policy, with the generator that it was the best with."""
        self.learner.best.restore()
        if self.generator_trainer is not None:
            self.generator_trainer.best.restore()

    def keep_best(self) -> None:
        """Restores the best policy where the present one is clearly worse, at the end of a run."""
        if self.controller is None or not self.learner.best.weights or not self.aims_at_data:
            return
        if self._by_distance and self.trainer is None:  # whose held-out works distances are to
            return
        starts = self.task.initial(np.random.default_rng(0).integers(2**64, size=READ, dtype=np.uint64))
        drawn = play(self.q_net, self.task, starts, torch.Generator(self.device).manual_seed(0))
        if self.controller.ends_with_best(self._score(self.reward_function.decoded(drawn.contents))):
            self._restore_best()

    # Acting and evaluating

    def predict(
        self, observation: Array | dict[str, Array], *args: Any, **kwargs: Any
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...] | None]:
        """Chooses actions; arguments and result are those of ``BoltzmannPolicy.predict``."""
        return self.policy.predict(observation, *args, **kwargs)

    def log_prob(
        self, contents: Array, conditions: Ints | None = None, actions: Ints | None = None
    ) -> NDArray[np.float64]:
        """Returns log pi of contents given their conditions, float64 [N], in nats.

        The value is exact where ``task.one_to_one``. Elsewhere it is the log-probability of one building sequence, a
        lower bound.

        Args:
            contents: [N, ...].
            conditions: int [N, C]; None where the task has none.
            actions: int [N, T] that build the contents; those of ``task.demonstrations`` where None.

        Raises:
            ValueError: a content cannot be built, or conditions are missing.
        """
        return self.learner.log_prob(trace(self.task, contents, conditions, actions))

    # Files

    def save(  # type: ignore[override]  # no pickle: there is nothing to exclude or include
        self, path: checkpoint.Target, training: bool = True, half: bool = False
    ) -> None:
        """Writes one file: JSON and tensors.

        Args:
            path: replaced as a whole, or not at all; ``.zip`` is added where it has no suffix. Or an open file.
            training: True keeps everything that further training depends on (optimisers, replay, D and its trainer,
                random states), so that a loaded agent continues exactly as this one would. A frozen D that was handed
                to the constructor is not kept: pass it to ``load`` again.
            half: stores the policy in 16 bits, for shipping; leaves ``training`` out.

        Raises:
            ValueError: the environment was not made from a registered id.
        """
        state = self.state_dict(training and not half)
        if half:
            state["policy"] = {name: value.half() for name, value in state["policy"].items()}
            if "generator" in state:
                weights = state["generator"]["weights"]
                state["generator"]["weights"] = {name: value.half() for name, value in weights.items()}
        config = dataclasses.replace(self.config, learning_rate=self.lr_schedule(self._current_progress_remaining))
        if "training" not in state:  # nor the controller's factor: Q-values are in units of this temperature
            config = dataclasses.replace(config, temperature=self.temperature)
        checkpoint.save(path, self.env, config, state)

    @classmethod
    def load(  # type: ignore[override]
        cls,
        path: checkpoint.Target,
        env: GymEnv | None = None,
        device: torch.device | str = "cpu",
        precision: str = "auto",
        **changes: Any,
    ) -> Self:
        """Reads a file of ``save``; the environment is made from its id, without wrappers.

        Args:
            path: the file, with or without its ``.zip``, or an open one.
            env: another environment of the same task, such as one under wrappers.
            device: where the agent learns from now on.
            precision: of learning there; see ``AdversarialDQN``.
            **changes: constructor arguments to change, such as ``tensorboard_log``.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged or doctored, the environment does not fit, or the device cannot learn in the
                precision.
        """
        choose(precision, get_device(device))  # its error must not blame the file
        options: dict[str, Any] = {"device": device, "precision": precision, **changes}
        return checkpoint.load(
            path, lambda env, config: cls("auto", env, **{"config": config, **options}), env, changes=bool(changes)
        )

    def state_dict(self, training: bool = True) -> dict[str, Any]:
        """Returns the policy's weights and, for ``training``, everything else that later training depends on."""
        state: dict[str, Any] = {"policy": self.q_net.state_dict()}
        if self.generator_trainer is not None:
            state["generator"] = self.task.generator.state_dict()
        if not training:
            return state
        state["training"] = self.learner.state_dict() | {
            "episodes": self.replay.state_dict(),
            "waiting": self.real.state_dict(),
            "rng": json.dumps(self.rng.bit_generator.state),
            "generator": self.generator.get_state(),
            "predictions": self.policy.generator.get_state(),
            "plateau": self.schedule.plateau.state_dict(),
            "counts": {name: getattr(self, name) for name in COUNTS},
        }
        if self.generator_trainer is not None:
            state["generator_trainer"] = self.generator_trainer.state_dict()
        if self.trainer is not None:
            state["trainer"] = self.trainer.state_dict()
        if self.controller is not None:
            state["controller"] = self.controller.state_dict() | {"unhurried": self.adversary.backup.weights}
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a ``state_dict``.

        Raises:
            ValueError: it is of another network, or a number is out of range.
        """
        weights = {name: value.float() for name, value in state["policy"].items()}
        if self.config.relative_to_prior and any(name.startswith("prior.") for name in weights):
            self.policy.freeze_prior(relative=True)
        check(self.q_net, weights, f"its weights, for an agent that builds contents of {type(self.task).__name__},")
        self.q_net.load_state_dict(weights)
        self.policy.q_net_target.load_state_dict(weights)
        if self.generator_trainer is not None:
            self._load_generator(state)
        if "trainer" in state:
            self.adversary.attach(DiscriminatorTrainer.from_state_dict(state["trainer"], self.task, str(self.device)))
        if "training" in state:
            training = state["training"]
            self.learner.load_state_dict(training)
            self.replay.load_state_dict(training["episodes"])
            self.real.load_state_dict(training["waiting"])
            self.rng.bit_generator.state = json.loads(training["rng"])
            if training["generator"].shape == self.generator.get_state().shape:  # other devices have other generators
                self.generator.set_state(training["generator"])
            self.policy.generator.set_state(training["predictions"])
            self.schedule.plateau.load_state_dict(training["plateau"])
            for name in COUNTS:
                setattr(self, name, type(getattr(self, name))(training["counts"][name]))
        if "controller" in state and self.controller is not None:
            self._load_controller(self.controller, state["controller"])

    def _load_generator(self, state: dict[str, Any]) -> None:
        """Continues with the content generator of a ``state_dict``, and hands it to the environment.

        Raises:
            ValueError: there is none, it is damaged, or it makes other pictures.
        """
        if "generator" not in state:
            raise ValueError("it holds no content generator, which its task takes")
        generator = ContentGenerator.from_state_dict(state["generator"])
        self.task.set_generator(generator)
        trainer = self._taught(generator)
        if "generator_trainer" in state:
            trainer.load_state_dict(state["generator_trainer"])
        self.generator_trainer = trainer
        rebuilt = Schedule.of(self.config, bool(self.real), not trainer.given).reconstruction
        self.schedule = dataclasses.replace(self.schedule, reconstruction=rebuilt)
        self._share_generator()

    def _load_controller(self, controller: Controller, state: dict[str, Any]) -> None:
        """Continues from a controller's state and the weights kept for it.

        Raises:
            ValueError: the weights are of another network, or the numbers out of range.
        """
        controller.load_state_dict(state)
        if self.trainer is not None:
            self.adversary.backup.load(state["unhurried"])
            self._apply(controller.adjustment())


def _made(env_id: str, config: DQNConfig) -> VecEnv:
    """Makes the environment of an id, without D, of as many rows as a round has by default."""
    task = task_of(make_sb3_env(env_id, 1, discriminator="none"))
    return make_sb3_env(env_id, round_of(task).rows, seed=config.seed, discriminator="none")


def _named(task: Task[Any]) -> str:
    """Returns a task's class with its arguments."""
    return f"{type(task).__name__}({', '.join(f'{name}={value!r}' for name, value in task.kwargs().items())})"


def _refuse_rescaled(env: VecEnv) -> None:
    """Raises ``ValueError`` where an environment rescales rewards."""
    normalised = unwrap_vec_normalize(env)
    if normalised is not None and normalised.norm_reward:
        raise ValueError(
            "VecNormalize(norm_reward=True) rescales rewards, and D's is a log ratio that must keep its scale: "
            "pass norm_reward=False, and set the weight of rewards by temperature"
        )
