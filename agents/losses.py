"""The agent's objective: path consistency of a soft, Munchausen Q-function, over n steps."""

from __future__ import annotations

import torch
from torch import Tensor


def path_residuals(
    taken: Tensor,
    target_taken: Tensor,
    values: Tensor,
    target_values: Tensor,
    rewards: Tensor,
    live: Tensor,
    n_steps: int,
    alpha: float,
) -> Tensor:
    """Returns by how much each path of n steps violates soft optimality, in units of tau.

    In a deterministic problem with gamma = 1 the optimum satisfies, on any path and for any behaviour,

        V(s_i) = V(s_j) + sum_{i <= t < j} [ r_t + alpha log pi_target(a_t|s_t) - log pi(a_t|s_t) ],  V(end) = 0,

    with r and V in units of tau (path consistency: Nachum et al. 2017, equation 12; Munchausen term: Vieillard et
    al. 2020, equation 1). Here r is 0 but at the end, and j = i + n_steps, or the end of the episode. n = 1 is
    one-step soft Q-learning, n = T goes from every state to the end; V(s_j) is the target network's.

    Args:
        taken: log pi(a_t|s_t), float [B, T], 0 after the end.
        target_taken: log pi_target(a_t|s_t), float [B, T], likewise.
        values: V(s_t), float [B, T].
        target_values: V(s_t) of the target network, float [B, T].
        rewards: of the finished contents, divided by tau, float [B].
        live: which steps are no padding, bool [B, T].
        n_steps: n; T or more means to the end.
        alpha: Munchausen weight.

    Returns:
        float [B, T], right minus left side for every i; 0 after the end.
    """
    T = taken.shape[1]
    gains = (alpha * target_taken - taken) * live
    total = torch.cat([torch.zeros_like(gains[:, :1]), gains.cumsum(1)], 1)  # [B, T + 1]
    lengths = live.sum(1, keepdim=True)
    ends = torch.minimum(torch.arange(T, device=taken.device)[None] + n_steps, lengths)  # [B, T]
    ahead = torch.cat([target_values * live, torch.zeros_like(values[:, :1])], 1).gather(1, ends)
    arrived = (ends == lengths) * rewards[:, None]
    return (ahead + arrived + total.gather(1, ends) - total[:, :-1] - values) * live
