"""Tasks small enough to list all that can be built, and what the agent must come to on them, computed exactly."""

import copy
import dataclasses
from collections.abc import Iterable

import gymnasium as gym
import numpy as np
import torch
from toys import BitsMedium, BitsTask

from musegym.agents import AdversarialDQN
from musegym.agents.episodes import Recorder
from musegym.envs import Condition, Feature, Sequence, State, Task, Works

CPU = torch.device("cpu")
CELLS = STOP = 4
LIMITS = (2, 3)
"""Most cells that may be painted, for conditions 0 and 1."""


class EveryBitsTask(BitsTask):
    """Four bits, of which every one of the sixteen works is a training work: uniform demonstrations."""

    def works(self, split):
        return Works(np.array(list(np.ndindex(2, 2, 2, 2)), np.int8))


@dataclasses.dataclass
class CellsState(State):
    cells: np.ndarray  # int8 [B, CELLS], which cells are painted
    limit: np.ndarray  # int64 [B], the condition


class CellsMedium(BitsMedium):
    def render(self, content, condition=None, upto=None):
        return super().render(content if upto is None else np.where(content.cumsum() <= upto, content, 0))


class CellsTask(Task[CellsState]):
    """Sets of painted cells, ended by STOP or by the limit of the condition; an illegal action is replaced by STOP.

    In any order, k painted cells are built by k! sequences; ``ordered``, from the first cell to the last, by one.
    """

    horizon = max(LIMITS)
    num_actions = CELLS + 1
    layout = Sequence((CELLS,), (2,), "int8")
    conditions = (Condition("limit", ("two", "three")),)
    features = (Feature("painted", horizon + 1),)

    def __init__(self, ordered: bool = True):
        self.ordered = self.one_to_one = ordered
        self.observation_space = gym.spaces.Box(0, 1, (2 + CELLS,), np.int8)
        self.medium = CellsMedium()

    def initial(self, draws, condition=None):
        limit = draws % np.uint64(len(LIMITS)) if condition is None else condition[:, 0]
        return CellsState(np.zeros((len(draws), CELLS), np.int8), limit.astype(np.int64))

    def advance(self, state, actions):
        paints = np.flatnonzero(actions != STOP)
        state.cells[paints, actions[paints]] = 1
        return state, (actions == STOP) | (state.cells.sum(1) == np.array(LIMITS)[state.limit])

    def action_mask(self, state):
        painted = state.cells.astype(bool)
        if self.ordered:  # neither a painted cell nor one before it
            painted = np.logical_or.accumulate(painted[:, ::-1], 1)[:, ::-1]
        return np.concatenate([~painted, np.ones((len(state), 1), bool)], 1)

    def legalise(self, state, actions):
        return np.where(self.action_mask(state)[np.arange(len(actions)), actions], actions, STOP)

    def observe(self, state):
        return np.concatenate([state.limit[:, None], state.cells, state.done[:, None]], 1, dtype=np.int8)

    def restore(self, observations):
        limit, cells = observations[:, 0].astype(np.int64), observations[:, 1:-1].copy()
        return CellsState(cells, limit, done=observations[:, -1] > 0)

    def feature_values(self, state):
        return state.cells.sum(1, keepdims=True, dtype=np.int64)

    def content(self, state):
        return state.cells.copy()

    def condition(self, state):
        return state.limit[:, None].copy()

    def demonstrations(self, contents, conditions=None):
        actions = np.zeros((len(contents), self.horizon), np.int64)
        for row, (cells, (condition,)) in enumerate(zip(contents, conditions, strict=True)):
            painted = np.flatnonzero(cells)
            if len(painted) > LIMITS[condition]:
                raise ValueError(f"{len(painted)} cells cannot be painted under condition {condition}")
            actions[row, : len(painted)] = painted
            if len(painted) < LIMITS[condition]:
                actions[row, len(painted)] = STOP
        return actions

    def works(self, split):
        every = np.array(list(np.ndindex(*[2] * (1 + CELLS))), np.int8)
        every = every[every[:, 1:].sum(1) <= np.array(LIMITS)[every[:, 0]]]
        return Works(every[:, 1:], every[:, :1].astype(np.int64))

    def kwargs(self):
        return {"ordered": self.ordered}


def numbered(rows: Iterable[np.ndarray]) -> np.ndarray:
    """Returns int64 [N], equal for equal rows, counted from 0."""
    seen: dict[bytes, int] = {}
    return np.array([seen.setdefault(row.tobytes(), len(seen)) for row in rows])


def log_sums(log_weights: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Returns log sum exp of float [N] over each of G groups, float64 [G]."""
    sums = np.full(groups.max() + 1, -np.inf)
    np.logaddexp.at(sums, groups, log_weights)
    return sums


def works(contents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
    """Returns contents with their conditions, int64 [N, ...]: equal for equal works under equal conditions."""
    contents = contents.reshape(len(contents), -1).astype(np.int64)
    return contents if conditions is None else np.concatenate([conditions.astype(np.int64), contents], 1)


class Enumeration:
    """Every way of building every content of a task, and what is exact for it.

    Attributes:
        paths: N episodes, one for every sequence of legal decisions under every condition.
        contents: [M, ...], all that can be built, with their ``conditions`` [M, C]; path n builds number ``builds[n]``.
        orders: float [M], how many paths build a content.
    """

    def __init__(self, task: Task) -> None:
        conditions = np.array(list(np.ndindex(*task.condition_sizes)), np.int64)
        state = task.initial(np.zeros(len(conditions), np.uint64), conditions)
        done, actions = np.zeros(len(conditions), bool), np.zeros((len(conditions), 0), np.int64)
        for _ in range(task.horizon):
            going = task.action_mask(state)
            going[done] = np.arange(task.num_actions) == 0  # padding
            rows, taken = np.nonzero(going)
            state, done = task.step(state.take(rows), taken)
            actions, conditions = np.concatenate([actions[rows], taken[:, None]], 1), conditions[rows]
        recorder = Recorder(task, task.initial(np.zeros(len(conditions), np.uint64), conditions))
        while not recorder.done.all():
            recorder.look()
            recorder.act(actions[recorder.rows, recorder.t])
        self.paths = recorder.episodes()
        self.live = np.arange(task.horizon) < self.paths.lengths[:, None]  # [N, T]
        self.builds = numbered(works(self.paths.contents, self.paths.conditions))  # [N]
        self.orders = np.bincount(self.builds).astype(float)
        firsts = np.unique(self.builds, return_index=True)[1]
        self.contents, self.conditions = self.paths.contents[firsts], self.paths.conditions[firsts]
        self.groups = numbered(self.paths.conditions)[firsts]  # [M], equal under equal conditions
        every = works(self.contents, self.conditions)
        self._places = {work.tobytes(): place for place, work in enumerate(every)}

    def index(self, contents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Returns which works the given ones are, int64 [B]."""
        return np.array([self._places[work.tobytes()] for work in works(contents, conditions)])

    def normalised(self, log_weights: np.ndarray) -> np.ndarray:
        """Returns log probabilities [M] that sum to one under every condition."""
        return log_weights - log_sums(log_weights, self.groups)[self.groups]

    @torch.no_grad()
    def evaluate(self, model: AdversarialDQN) -> tuple[np.ndarray, np.ndarray]:
        """Returns the agent's V(s_t) and log pi(a_t|s_t) on all paths, float64 [N, T], V in units of tau."""
        model.q_net.eval()
        taken, values, _ = self.paths.evaluate(model.q_net, model.device)
        return values.double().numpy(), taken.double().numpy()

    def log_prob(self, model: AdversarialDQN) -> np.ndarray:
        """Returns log pi(x|c) of all contents, float64 [M]: summed over all paths that build one."""
        return log_sums(self.evaluate(model)[1].sum(1), self.builds)

    def distance(self, log_p: np.ndarray, log_q: np.ndarray) -> float:
        """Returns the total variation between distributions over contents, of the condition where it is largest."""
        return float(max(np.bincount(self.groups, np.abs(np.exp(log_p) - np.exp(log_q)))) / 2)

    def states(self, t: int) -> np.ndarray:
        """Returns int64 [N]: which state every path is in after t decisions; the past is the state."""
        return numbered(np.concatenate([self.paths.conditions, self.paths.actions[:, :t]], 1))

    def ahead(self, rewards: np.ndarray, values: np.ndarray, t: int) -> np.ndarray:
        """Returns what decision t of every path leads to, float64 [N]: its reward, or the next state's value."""
        ends = self.paths.lengths <= t + 1
        return np.where(ends, rewards[self.builds], values[:, min(t + 1, values.shape[1] - 1)])

    def soft_values(self, rewards: np.ndarray, temperature: float) -> np.ndarray:
        """Returns the soft value U(s_t) on all paths, float64 [N, T], by backward induction over their states.

        U(s) = temperature log sum_a exp(q(s, a) / temperature), where q(s, a) is the reward if a ends the episode,
        else the value of where it leads (Haarnoja et al. 2017, theorems 1 and 2); temperature 0 takes the largest.

        Args:
            rewards: of contents, paid at the end, float [M].
            temperature: weight of the policy's entropy.
        """
        values = np.zeros(self.live.shape)
        for t in reversed(range(values.shape[1])):
            states = self.states(t)
            # A decision counts once, however many paths take it.
            one_each = np.unique(self.states(t + 1), return_index=True)[1]
            q, of = self.ahead(rewards, values, t)[one_each], states[one_each]
            best = np.full(states.max() + 1, -np.inf)
            np.maximum.at(best, of, q)
            values[:, t] = (temperature * log_sums(q / temperature, of) if temperature else best)[states]
        return values * self.live


def munchausen_values(
    every: Enumeration, rewards: np.ndarray, alpha: float, temperature: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the agent's V and Q at its fixed point under fixed rewards, float64 [N, T], in units of the reward.

    Where every error of ``objective.q_errors`` is zero and the target network up to date, for n = 1

        V(s) + log pi(a|s) = V(s') + r / tau + alpha log pi(a|s),

    and adding the equations of n decisions that follow one another gives those for any n: the fixed point does not
    depend on n. With U = tau V and lambda = (1 - alpha) tau this reads lambda log pi(a|s) = r + U(s') - U(s). Since pi
    sums to one,

        U(s) = lambda log sum_a exp(q'(s, a) / lambda),   q'(s, a) = r + U(s'),   pi = softmax(q' / lambda):

    the soft Bellman equation, at lambda instead of tau. What the network calls Q is then

        Q(s, a) = tau (V(s) + log pi(a|s)) = q'(s, a) + alpha tau log pi(a|s) = U(s) + (q'(s, a) - U(s)) / (1 - alpha).

    That is theorem 1 of Vieillard et al. 2020: q' = q - alpha tau log pi is regularised by a KL divergence of weight
    alpha tau to the last policy, which vanishes where the policy stays, and by an entropy of weight (1 - alpha) tau.
    """
    values = every.soft_values(rewards, (1 - alpha) * temperature)
    decisions = np.stack([every.ahead(rewards, values, t) for t in range(values.shape[1])], 1)
    return values, (values + (decisions - values) / (1 - alpha)) * every.live


def settled(every: Enumeration, log_data: np.ndarray, alpha: float, temperature: float) -> np.ndarray:
    """Returns log P(x|c) of the policy that an exact discriminator leaves as it is, float64 [M].

    By ``munchausen_values`` all paths to x satisfy V(s_0) + (1 - alpha) log pi(path) = r(x) / tau. So they are equally
    probable, P(x) = m(x) pi(path) where m of them build x, and r(x) = log p_data(x) - log P(x) gives

        P(x)  proportional to  [ p_data(x) m(x)^b ]^(1 / (1 + b)),   b = (1 - alpha) tau.

    With one path to each content it is p_data^(1 / (1 + tau (1 - alpha))). For alpha = 1 it is p_data whatever m is;
    how a content's probability is shared by its paths is then undetermined.
    """
    b = (1 - alpha) * temperature
    return every.normalised((log_data + b * np.log(every.orders)) / (1 + b))


def q_learning(every: Enumeration, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns Q(s_t, a_t) and max_a Q(s_t, a) on all paths, float64 [N, T], of tabular Q-learning.

    Q(s, a) <- r + max_a' Q(s', a') (Watkins 1989) with step size 1, exact where nothing is random, along every path in
    turn until nothing changes.
    """
    paths = [
        (tuple(conditions), actions[:length])
        for conditions, actions, length in zip(
            every.paths.conditions.tolist(), every.paths.actions.tolist(), every.paths.lengths, strict=True
        )
    ]
    table: dict[tuple[int, ...], dict[int, float]] = {}
    before = None
    while table != before:
        before = copy.deepcopy(table)
        for (past, actions), reward in zip(paths, rewards[every.builds], strict=True):
            for t, action in enumerate(actions):
                state = (*past, *actions[:t])
                after = table.get((*state, action), {}).values()
                table.setdefault(state, {})[action] = reward if t + 1 == len(actions) else max(after, default=0.0)
    q, best = np.zeros(every.live.shape), np.zeros(every.live.shape)
    for path, (past, actions) in enumerate(paths):
        for t, action in enumerate(actions):
            row = table[(*past, *actions[:t])]
            q[path, t], best[path, t] = row[action], max(row.values())
    return q, best


class Exact:
    """The best discriminator of the agent as it is now: logits log p_data(x|c) - log p_pi(x|c)."""

    def __init__(self, every: Enumeration, log_data: np.ndarray, model: AdversarialDQN) -> None:
        self.every, self.log_data, self.model = every, log_data, model

    def logits(self, contents, conditions=None):
        ratios = self.log_data - self.every.log_prob(self.model)
        return ratios[self.every.index(contents, conditions)].astype(np.float32)


class Fixed:
    """A discriminator that has made up its mind: logits of all contents, float [M]."""

    def __init__(self, every: Enumeration, rewards: np.ndarray) -> None:
        self.every, self.rewards = every, rewards

    def logits(self, contents, conditions=None):
        return self.rewards[self.every.index(contents, conditions)].astype(np.float32)
