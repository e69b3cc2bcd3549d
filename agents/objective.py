"""The agent's objective as pure functions: a soft, Munchausen Q-function agrees with its n-step targets."""

from __future__ import annotations

import torch
from torch import Tensor


def q_errors(
    log_probs: Tensor,
    target_log_probs: Tensor,
    values: Tensor,
    target_values: Tensor,
    rewards: Tensor,
    mask: Tensor,
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
    n = 1 is Munchausen DQN, n = T adds up all rewards to come at every step. As in any DQN the gradient reaches
    the prediction alone: for alpha = 1, n = T and an up-to-date target network it is a policy gradient with baseline V.
    The target subtracts the log-ratio that later decisions of the path have already gained on pi'. An old target
    network then bounds the step: for alpha = 1 the whole path gains r - V(s_0), and not every decision of it.

    Args:
        log_probs: log pi(a_t|s_t), float [B, T], 0 after the end.
        target_log_probs: the target network's, float [B, T], likewise.
        values: V(s_t), float [B, T].
        target_values: V(s_t) of the target network, float [B, T].
        rewards: r_t, divided by tau, float [B, T]; 0 after the end.
        mask: True for steps that are not padding, bool [B, T].
        n_steps: n; T or more means to the end.
        alpha: Munchausen weight.
        gamma: g.

    Returns:
        float [B, T]; 0 after the end.
    """
    # The Munchausen term of each later decision, less its entropy term.
    bonuses = (alpha * target_log_probs - log_probs) * mask
    steps, lengths = torch.arange(log_probs.shape[1], device=log_probs.device), mask.sum(1, keepdim=True)
    ends = torch.minimum(steps + n_steps, lengths)  # [B, T]
    bootstrap = torch.cat([target_values * mask, torch.zeros_like(values[:, :1])], 1).gather(1, ends)
    bootstrap = gamma ** (ends - steps).clamp_min(0) * bootstrap
    future_rewards = sums_ahead(rewards, ends, gamma)
    future_bonuses = sums_ahead(bonuses, ends, gamma, skipped=1)
    target = bootstrap + future_rewards + alpha * target_log_probs + future_bonuses
    return (target - values - log_probs) * mask


def sums_ahead(x: Tensor, ends: Tensor, gamma: float, skipped: int = 0) -> Tensor:
    """Returns sum_{i + skipped <= t < ends_i} gamma^(t-i) x_t, float [B, T].

    Args:
        x: float [B, T], 0 after the end.
        ends: int64 [B, T].
        gamma: discount.
        skipped: number of terms left out at the beginning of each sum.
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


def policy_and_value_loss(
    errors: Tensor, log_probs: Tensor, values: Tensor, mask: Tensor, num_built: int, fit_all: bool
) -> Tensor:
    """Returns the mean squared error of Q per decision, of which errors common to all decisions move V alone.

    V follows the mean of a reward that moves with D, and lags behind it: the policy learns nothing from an error that
    all decisions share. As a baseline V is fitted to the agent's own episodes alone: with real ones it would learn to
    tell the two apart.

    Args:
        errors: result of ``q_errors``, float [N, T], constants.
        log_probs: log pi(a_t|s_t), float [N, T].
        values: V(s_t), float [N, T].
        mask: True for steps that are not padding, bool [N, T].
        num_built: number of episodes, the first ones, that the agent built itself; the others are real.
        fit_all: True where targets end in values, which real episodes then need too.
    """
    fitted = torch.arange(len(errors), device=errors.device) < num_built
    fitted |= fit_all
    values = torch.where(fitted[:, None], values, values.detach())
    common = errors[:num_built].sum() / mask[:num_built].sum()
    return squared_errors(errors, log_probs, values, mask, common) / mask.sum()


def squared_errors(errors: Tensor, log_probs: Tensor, values: Tensor, mask: Tensor, common: Tensor) -> Tensor:
    """Returns a sum over decisions whose gradients at ``log_probs`` and ``values`` are those of two squared errors.

    The mean error is subtracted from the errors that move the policy: it shows that V lags, and a constant adds
    nothing to the expected gradient, as E[grad log pi] = 0 (Williams 1992, a baseline). V follows whole errors.

    Args:
        errors: result of ``q_errors``, float [B, T], constants.
        log_probs: log pi(a_t|s_t), float [B, T].
        values: V(s_t), float [B, T].
        mask: True for steps that are not padding, bool [B, T].
        common: mean error of the agent's own decisions.
    """
    policy = ((errors - common) * mask - (log_probs - log_probs.detach())).square().sum()
    return policy + (errors - (values - values.detach()) * mask).square().sum()
