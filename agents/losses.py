"""The agent's objective: a soft, Munchausen Q-function is to agree with its n-step targets."""

from __future__ import annotations

import torch
from torch import Tensor


def q_errors(
    taken: Tensor,
    target_taken: Tensor,
    values: Tensor,
    target_values: Tensor,
    rewards: Tensor,
    live: Tensor,
    n_steps: int,
    alpha: float,
    gamma: float = 1.0,
) -> Tensor:
    """Returns target minus prediction of Q(s_i, a_i) = V(s_i) + log pi(a_i|s_i), in units of tau, for every step.

    The target looks n steps ahead, with the values V' and the policy pi' of the target network:

        g^(j-i) V'(s_j) + sum_{i <= t < j} g^(t-i) [r_t + alpha log pi'(a_t|s_t)]
            - sum_{i < t < j} g^(t-i) log pi(a_t|s_t),    j = min(i + n, T),  V'(end) = 0,  g the discount.

    The errors are zero on any path of any behaviour once pi = pi' is optimal, since V is then consistent along paths
    (Nachum et al. 2017, equation 12; Munchausen term: Vieillard et al. 2020, equation 1).
    n = 1 is Munchausen DQN, n = T takes all rewards to come at every step. As in any DQN the gradient reaches
    the prediction alone: for alpha = 1, n = T and an up-to-date target network it is a policy gradient with baseline V.
    What later decisions of the path have gained on pi' already is subtracted, so that an old target network bounds the
    step: for alpha = 1 the whole path is to gain r - V(s_0), and not every decision of it.

    Args:
        taken: log pi(a_t|s_t), float [B, T], 0 after the end.
        target_taken: the target network's, float [B, T], likewise.
        values: V(s_t), float [B, T].
        target_values: V(s_t) of the target network, float [B, T].
        rewards: r_t, divided by tau, float [B, T]; 0 after the end.
        live: which steps are no padding, bool [B, T].
        n_steps: n; T or more means to the end.
        alpha: Munchausen weight.
        gamma: g.

    Returns:
        float [B, T]; 0 after the end.
    """
    # Of the later decisions on the path: what the Munchausen term adds less what the entropy takes.
    kept = (alpha * target_taken - taken) * live
    steps, lengths = torch.arange(taken.shape[1], device=taken.device), live.sum(1, keepdim=True)
    ends = torch.minimum(steps + n_steps, lengths)  # [B, T]
    ahead = torch.cat([target_values * live, torch.zeros_like(values[:, :1])], 1).gather(1, ends)
    ahead = gamma ** (ends - steps).clamp_min(0) * ahead
    arrived = sums_ahead(rewards, ends, gamma)
    between = sums_ahead(kept, ends, gamma, skipped=1)
    return (ahead + arrived + alpha * target_taken + between - values - taken) * live


def sums_ahead(x: Tensor, ends: Tensor, gamma: float, skipped: int = 0) -> Tensor:
    """Returns sum_{i + skipped <= t < ends_i} gamma^(t-i) x_t, float [B, T].

    Args:
        x: float [B, T], 0 after the end.
        ends: int64 [B, T].
        gamma: discount.
        skipped: terms left out at the beginning of each sum.
    """
    T = x.shape[1]
    if gamma == 1:
        total = torch.cat([torch.zeros_like(x[:, :1]), x.cumsum(1)], 1)  # [B, T + 1]
        return total.gather(1, ends) - total[:, skipped : T + skipped]
    # Differences of discounted sums from the start would be lost to rounding.
    steps = torch.arange(T, device=x.device)
    lag = steps - steps[:, None]  # [i, t]
    weights = gamma ** lag.clamp_min(0) * (lag >= skipped)
    return (x[:, None] * weights * (steps < ends[..., None])).sum(-1)


def squared_errors(errors: Tensor, taken: Tensor, values: Tensor, live: Tensor, common: Tensor) -> Tensor:
    """Returns a sum over decisions whose gradient is that of the squared errors, at ``taken`` and at ``values`` apart.

    What all errors have in common is taken from those that move the policy: it says that V lags, and whatever it is,
    E[grad log pi] = 0 (Williams 1992, a baseline). V itself follows whole errors.

    Args:
        errors: of ``q_errors``, float [B, T], constants.
        taken: log pi(a_t|s_t), float [B, T].
        values: V(s_t), float [B, T].
        live: which steps are no padding, bool [B, T].
        common: mean error of the agent's own decisions.
    """
    policy = ((errors - common) * live - (taken - taken.detach())).square().sum()
    return policy + (errors - (values - values.detach()) * live).square().sum()
