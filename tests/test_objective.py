"""Errors of Q-values against targets computed by hand."""

import pytest
import torch

from musegym.agents.objective import policy_and_value_loss, q_errors, squared_errors

# Two episodes, of 3 decisions and of 1; what padding holds must not matter, so it is made conspicuous.
MASK = torch.tensor([[True, True, True], [True, False, False]])
LOG_PROBS = torch.tensor([[-1.0, -2.0, -3.0], [-0.5, 0.0, 0.0]])
TARGET_LOG_PROBS = torch.tensor([[-1.5, -1.0, -4.0], [-0.25, 0.0, 0.0]])
VALUES = torch.tensor([[10.0, 20.0, 30.0], [40.0, 99.0, 99.0]])
TARGET_VALUES = torch.tensor([[11.0, 22.0, 33.0], [44.0, 77.0, 77.0]])
REWARDS = torch.tensor([[0.0, 0.0, 5.0], [-7.0, 0.0, 0.0]])


def errors(n_steps, alpha, log_probs=LOG_PROBS, values=VALUES, rewards=REWARDS, gamma=1.0):
    return q_errors(log_probs, TARGET_LOG_PROBS, values, TARGET_VALUES, rewards, MASK, n_steps, alpha, gamma)


@pytest.mark.parametrize(
    ("n_steps", "alpha", "expected"),
    [
        # One step, no Munchausen term: V_target(s') + r - log pi - V, soft Q-learning.
        (1, 0.0, [[22 + 1 - 10, 33 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (1, 1.0, [[22 - 1.5 + 1 - 10, 33 - 1 + 2 - 20, 5 - 4 + 3 - 30], [-7 - 0.25 + 0.5 - 40, 0, 0]]),
        # Two steps: only the last two of the first episode reach its end.
        (2, 0.0, [[33 + 2 + 1 - 10, 5 + 3 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (2, 0.5, [[33 - 0.75 + 1.5 + 1 - 10, 5 - 0.5 + 1 + 2 - 20, 5 - 2 + 3 - 30], [-7 - 0.125 + 0.5 - 40, 0, 0]]),
        # To the end from everywhere: both policies' later decisions count, and no value of the target's.
        (3, 0.0, [[5 + 5 + 1 - 10, 5 + 3 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (3, 1.0, [[5 - 1.5 + 0 + 1 - 10, 5 - 1 - 1 + 2 - 20, 5 - 4 + 3 - 30], [-7 - 0.25 + 0.5 - 40, 0, 0]]),
    ],
)
def test_by_hand(n_steps, alpha, expected):
    torch.testing.assert_close(errors(n_steps, alpha), torch.tensor(expected, dtype=torch.float32))


DENSE = torch.tensor([[3.0, -4.0, 5.0], [-7.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("n_steps", "alpha", "gamma", "expected"),
    [
        (1, 0.0, 1.0, [[22 + 3 + 1 - 10, 33 - 4 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (2, 0.0, 1.0, [[33 + 3 - 4 + 2 + 1 - 10, -4 + 5 + 3 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        # Half a step ahead counts half: rewards, values and what the policy says of later decisions.
        (1, 0.0, 0.5, [[11 + 3 + 1 - 10, 16.5 - 4 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (2, 0.0, 0.5, [[8.25 + 3 - 2 + 1 + 1 - 10, -4 + 2.5 + 1.5 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
        (9, 0.0, 0.5, [[3 - 2 + 1.25 + 1 + 0.75 + 1 - 10, -4 + 2.5 + 1.5 + 2 - 20, 5 + 3 - 30], [-46.5, 0, 0]]),
        (2, 1.0, 0.5, [[8.25 - 1.5 + 3 - 2 - 0.5 + 1 + 1 - 10, -4 - 1 + 2.5 - 2 + 1.5 + 2 - 20, 5 - 4 + 3 - 30],
                       [-7 - 0.25 + 0.5 - 40, 0, 0]]),
        # Nothing but the reward of the decision.
        (9, 0.0, 0.0, [[3 + 1 - 10, -4 + 2 - 20, 5 + 3 - 30], [-7 + 0.5 - 40, 0, 0]]),
    ],
)  # fmt: skip
def test_rewards_of_every_decision_and_a_discount(n_steps, alpha, gamma, expected):
    found = errors(n_steps, alpha, rewards=DENSE, gamma=gamma)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float32))


def test_a_discount_of_almost_one_is_almost_none():
    almost = errors(2, 0.5, rewards=DENSE, gamma=1 - 1e-6)
    torch.testing.assert_close(almost, errors(2, 0.5, rewards=DENSE), rtol=1e-5, atol=1e-3)


def test_long_paths_are_discounted_without_loss():
    T = 300
    mask, x = torch.ones(1, T, dtype=torch.bool), torch.zeros(1, T)
    found = q_errors(x, x, x, x, torch.ones(1, T), mask, T, 0.0, 0.5)
    torch.testing.assert_close(found, 2 - 0.5 ** torch.arange(T - 1, -1, -1.0)[None], rtol=1e-6, atol=0)


def test_more_steps_than_there_are_mean_to_the_end():
    assert torch.equal(errors(3, 0.7), errors(1000, 0.7))


def test_vanish_at_the_soft_optimum():
    # Two actions, then two more; the reward of each of the four contents is known, tau = 1, alpha = 0.
    rewards = torch.tensor([[1.0, 2.0], [-1.0, 0.5]], dtype=torch.float64)
    after = rewards.logsumexp(1)  # V(s_1)
    start = after.logsumexp(0)  # V(s_0)
    for first in range(2):
        for second in range(2):
            log_probs = torch.tensor([[after[first] - start, rewards[first, second] - after[first]]])
            values = torch.stack([start, after[first]])[None]
            mask = torch.ones(1, 2, dtype=torch.bool)
            reward = torch.stack([torch.zeros((), dtype=torch.float64), rewards[first, second]])[None]
            for n in (1, 2):
                left = q_errors(log_probs, log_probs, values, values, reward, mask, n, 0.0)
                torch.testing.assert_close(left, torch.zeros(1, 2, dtype=torch.float64))


def half_squares(log_probs, values, left, common=0.0):
    return 0.5 * squared_errors(left, log_probs, values, MASK, torch.tensor(common))


def test_gradient_raises_what_was_better_than_expected():
    log_probs, values = LOG_PROBS.clone().requires_grad_(), torch.zeros(2, 3, requires_grad=True)
    left = errors(3, 1.0, values=values.detach(), rewards=10 * REWARDS)
    half_squares(log_probs, values, left).backward()
    # Descent moves against the gradient: actions and values of the good episode go up, of the bad one down.
    assert (log_probs.grad[0] < 0).all()
    assert (values.grad[0] < 0).all()
    assert log_probs.grad[1, 0] > 0
    assert values.grad[1, 0] > 0
    assert not log_probs.grad[1, 1:].any(), "padding has no gradient"
    assert not values.grad[1, 1:].any()


def test_gradient_is_that_of_a_policy_gradient_with_a_baseline():
    # Where the policy is the target's, d(1/2 error^2)/d log pi(a_t|s_t) = -(reward - V(s_t)).
    log_probs = TARGET_LOG_PROBS.clone().requires_grad_()
    left = errors(3, 1.0, log_probs=TARGET_LOG_PROBS)
    half_squares(log_probs, VALUES, left).backward()
    torch.testing.assert_close(log_probs.grad, (VALUES - REWARDS.sum(1, keepdim=True)) * MASK)


def test_what_errors_share_moves_the_values_alone():
    log_probs, values = LOG_PROBS.clone().requires_grad_(), VALUES.clone().requires_grad_()
    left = errors(3, 1.0)
    half_squares(log_probs, values, left, common=2.0).backward()
    torch.testing.assert_close(log_probs.grad, -(left - 2) * MASK)
    torch.testing.assert_close(values.grad, -left)


@pytest.mark.parametrize("fit_all", [False, True])
def test_loss_of_an_own_episode_and_a_real_one(fit_all):
    log_probs, values = LOG_PROBS.clone().requires_grad_(), VALUES.clone().requires_grad_()
    left = errors(3, 1.0)
    loss = policy_and_value_loss(left, log_probs, values, MASK, 1, fit_all)
    loss.backward()
    common = left[0].mean()  # of the own episode alone
    decisions = 4
    assert loss.item() == pytest.approx(
        (((left - common) * MASK).square().sum() + left.square().sum()).item() / decisions
    )
    torch.testing.assert_close(log_probs.grad, -2 * (left - common) * MASK / decisions)
    rows = torch.tensor([[True], [fit_all]])
    torch.testing.assert_close(values.grad, -2 * left * rows / decisions)
