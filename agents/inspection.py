"""An agent's decisions beside what it builds: probabilities, Q-values, entropy, the discriminator's opinion."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..envs.task import Array, Ints, Task
from .dqn import AdversarialDQN
from .episodes import trace
from .steering import checked, decisions_of

LISTED = 8


class Inspection(NamedTuple):
    """An episode of L decisions among A actions.

    Attributes:
        actions: int64 [L], those taken.
        probabilities: float64 [L, A] of the Boltzmann policy; 0 for illegal actions.
        q_values: float64 [L, A], in units of the reward: tau (V + log pi); minus infinity for illegal actions.
        entropies: float64 [L], of the policy, in nats.
        opinions: float64 [L + 1], logits of a discriminator, high for real: of the empty work, and of the work after
            each decision; None without a discriminator. It has learned from finished works alone. NaN for unfinished
            works that it cannot read, whose empty places hold no value of the finished ones.
        names: of each decision's likeliest actions, ``LISTED`` at most, and of the one taken, by action.
        pictures: L + 1 pictures uint8 [H, W, 3] of these works, as the environment renders them.
        content: the finished work, decoded.
        condition: int64 [C].
    """

    actions: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    q_values: NDArray[np.float64]
    entropies: NDArray[np.float64]
    opinions: NDArray[np.float64] | None
    names: list[dict[int, str]]
    pictures: list[NDArray[np.uint8]]
    content: Array
    condition: NDArray[np.int64]


@torch.no_grad()
def inspect(
    model: AdversarialDQN, content: Array, condition: Ints, actions: Ints | None = None, discriminator: Any = None
) -> Inspection:
    """Walks through the episode that built a work.

    Args:
        model: the agent, whose own it need not be.
        content: the work.
        condition: of the work, int [C].
        actions: int [L] that built it; those of ``task.demonstrations`` where None.
        discriminator: gives its opinion; the model's own where None.

    Raises:
        ValueError: the work is none of the task, or cannot be built, or not by these actions.
    """
    task, network, judge = model.task, model.q_net, discriminator or model.discriminator
    under = checked(task, content, condition)[None]
    if actions is not None:
        actions = decisions_of(task, content, under[0], actions)
        actions = np.pad(actions, (0, task.horizon - len(actions)))[None]
    built = trace(task, np.asarray(content)[None], under, actions)
    (taken,) = built.decisions()
    was_training = network.training
    network.eval()
    log_policy, values = (each[0].double().cpu().numpy() for each in built.steps(network, model.device))
    network.train(was_training)
    legal = np.unpackbits(built.masks[0, : len(taken)], axis=-1, count=task.num_actions).astype(np.bool_)
    logs = np.where(legal, log_policy, -np.inf)
    probabilities = np.exp(logs)
    entropies = -np.where(legal, probabilities * log_policy, 0.0).sum(-1)
    state = task.initial(np.zeros(1, np.uint64), under if task.conditions else None)
    names, pictures, works = list[dict[int, str]](), [task.render(state)[0]], [task.content(state)[0]]
    for action, shares in zip(taken.tolist(), probabilities, strict=True):
        likeliest = np.argsort(-shares, kind="stable")[:LISTED]
        names.append(
            _named(task, state, [int(each) for each in likeliest if shares[each] > 0 or each == action], action)
        )
        state, _ = task.step(state, np.array([action], np.int64))
        pictures.append(task.render(state)[0])
        works.append(task.content(state)[0])
    opinions = None if judge is None else _opinions(task, judge, np.stack(works), np.asarray(content), under)
    q_values = model.temperature * (values[:, None] + logs)
    finished = np.asarray(content)
    decided = taken.astype(np.int64)
    return Inspection(decided, probabilities, q_values, entropies, opinions, names, pictures, finished, under[0])


def _opinions(task: Task[Any], judge: Any, works: Array, last: Array, condition: Ints) -> NDArray[np.float64]:
    """Returns D's logits of works [N, ...] under a condition int [1, C], float64 [N]; NaN where it cannot read one.

    They are decoded without noise, as they are rendered; but for the last, which is known.
    """
    noise = np.zeros((len(works), task.noise_size), np.float32) if task.noise_size else None
    shown = task.decode(works, noise)
    shown[-1] = last
    read = ((shown >= 0) & (shown <= task.content_space.high)).reshape(len(shown), -1).all(1)
    opinions = np.full(len(shown), np.nan)
    opinions[read] = judge.logits(shown[read], np.repeat(condition, read.sum(), 0))
    return opinions


def _named(task: Task[Any], state: Any, actions: list[int], taken: int) -> dict[int, str]:
    """Returns names of some legal actions in a state, and of the one taken: of what they write, where it has a name."""
    if taken not in actions:
        actions = [*actions[: LISTED - 1], taken]
    after, _ = task.step(state.take(np.zeros(len(actions), np.int64)), np.array(actions, np.int64))
    shown, conditions = task.decoded(task.content(after), np.random.default_rng(0)), task.condition(after)
    captions = [task.medium.caption(*work) for work in zip(shown, conditions, strict=True)]
    names = (
        caption if caption and captions.count(caption) == 1 else task.action_name(action)
        for action, caption in zip(actions, captions, strict=True)
    )
    return dict(zip(actions, names, strict=True))
