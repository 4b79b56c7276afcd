"""The losses of Score Forgetting Distillation, once: the paper's two, and one of ours (``deep_loss``).

Source: Chen, Zhang, Zhou, "Score Forgetting Distillation" (ICLR 2025, arXiv 2409.11219), which builds on Score
identity Distillation (arXiv 2404.04057). The letters are the paper's:

    x_g = f_theta(b_tinit z, t_init, c)              an image of the generator, asked for condition c
    x_t = a_t x_g + b_t eps                          the same image, noised
    f_phi, f_psi                                     the teacher's and the fake score's prediction of x0 from x_t
    theta_0                                          the generator's network before its first step
    o(c)                                             c for a remaining condition, its override for a forgotten one
    w(c)                                             1 for a remaining condition, the forget weight for a forgotten one

Networks that know an empty condition (an empty prompt, a null class) are guided (long-short guidance, SiD-LSG, arXiv
2406.01561): ``f`` at strength kappa is ``f(n) + kappa (f(c) - f(n))``, with n that condition, and each place has a
kappa of its own: kappa1 the fake score in its own loss, kappa2 in ``delta`` and kappa3 in the bracket of the
generator's, kappa4 the teacher.

The sum runs over pixels, the mean over the batch; w is applied per sample. A kind of network that is trained on
another prediction than eps (flow matching's velocity) has the error in that in place of the error in eps.
"""

from __future__ import annotations

import torch
from torch import Tensor

OMEGA_MIN = 1e-5
"""Lower bound of omega, so that a perfect image does not divide by zero."""


def fake_score_loss(eps_psi: Tensor, eps: Tensor, w: Tensor) -> Tensor:
    """Compute ``L_psi = E w(c) || eps_psi(x_t, t, c) - eps ||^2`` with ``x_t = a_t stopgrad(x_g) + b_t eps``.

    eps_psi, eps: [B, C, H, W]; w: [B]. Returns a scalar.
    """
    return (w * (eps_psi - eps).square().sum(dim=(1, 2, 3))).mean()


def generator_loss(
    x_g: Tensor,
    f_phi: Tensor,
    f_psi: Tensor,
    alpha: float,
    w: Tensor,
    f_psi3: Tensor | None = None,
    at: Tensor | None = None,
) -> Tensor:
    """Compute ``L_theta = E w(c) / omega < delta, (f_phi - x_g) - alpha delta >`` with ``delta = f_phi - f_psi``.

    ``f_phi`` is the teacher's ``f_phi(x_t, t, o(c))``: it is asked about the overriding condition; ``f_psi`` is
    the fake score's ``f_psi(x_t, t, c)``, about the asked one. ``omega = mean |f_phi - x_g|`` per image, without
    gradient. The gradient flows through ``x_g`` and, by ``x_t``, through both networks, whose weights are frozen.

    ``f_psi`` is guided by kappa2; ``f_psi3`` is the same guided by kappa3 and stands in the bracket's delta: at alpha 1
    the loss is SiD-LSG's ``< f_phi - f_psi, f_psi3 - x_g >``. Without it both are ``f_psi``.

    ``at`` is what an image counts at its time t, where the kind of network has that in place of ``1 / omega``.

    x_g, f_phi, f_psi, f_psi3: [B, C, H, W]; w, at: [B]. Returns a scalar.
    """
    delta = f_phi - f_psi
    delta3 = delta if f_psi3 is None or f_psi3 is f_psi else f_phi - f_psi3
    inner = (delta * ((f_phi - x_g) - alpha * delta3)).sum(dim=(1, 2, 3))  # [B]
    return ((w / omega_of(x_g, f_phi) if at is None else w * at) * inner).mean()


def deep_loss(eps_theta: Tensor, eps_asked: Tensor, deep_weight: float, w: Tensor) -> Tensor:
    """Compute ``L_deep = lambda E w(t) || eps_theta(x_t, t, c) - eps(x_t, t, o(c)) ||^2``, t over the whole schedule;
    ``w`` makes the error that of what the kind of network is trained on, 1 where that is eps.

    The other two losses change what one step draws; this one changes the network at every time. ``eps(., o(c))`` is the
    teacher's, asked for the override, where c is forgotten; where it remains, it is what the generator's own network
    put out before its first step (theta_0). Not in the paper.

    eps_theta, eps_asked: [B, C, H, W], the second without gradient; w: [B]. Returns a scalar.
    """
    return deep_weight * (w * (eps_theta - eps_asked).square().sum(dim=(1, 2, 3))).mean()


@torch.no_grad()
def omega_of(x_g: Tensor, f_phi: Tensor) -> Tensor:
    """Compute ``omega = mean |f_phi - x_g|`` over the pixels of each image, at least 1e-5: [B]."""
    return (f_phi - x_g).abs().mean(dim=(1, 2, 3)).clamp_min(OMEGA_MIN)
