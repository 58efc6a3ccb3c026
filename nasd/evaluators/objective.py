"""What a network is trained for and how it is judged: the class of an image, or which of several labels it has.

Labels (N,) int64 are classes: cross-entropy, and the largest logit is right or wrong. Labels (N, L) bool are several to
an image: binary cross-entropy on the logits; a label is told where its logit is not negative (a probability of 1/2),
and an image is right if all of its labels are.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nasd.outcome import LabelScore


def summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over the samples; of several labels, a sample's loss is the mean over them."""
    if labels.dim() == 1:
        return functional.cross_entropy(logits, labels, reduction="sum")
    targets = labels.to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum") / labels.shape[1]


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """How many samples are right: () int64."""
    right = logits.argmax(1) == labels if labels.dim() == 1 else ((logits >= 0) == labels).all(1)
    return right.sum()


def confusion(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each label how often it was told rightly, told wrongly, and missed: (L, 3) int64; of classes (0, 3)."""
    if labels.dim() == 1:
        return torch.zeros((0, 3), dtype=torch.int64, device=logits.device)
    told = logits >= 0
    return torch.stack([(told & labels).sum(0), (told & ~labels).sum(0), (~told & labels).sum(0)], 1)


def label_scores(names: Sequence[str], confused: Sequence[Sequence[int]], samples: int) -> tuple[LabelScore, ...]:
    """Accuracy, precision, recall and F1 of each label, from what `confusion` counted over `samples` images."""
    return tuple(
        LabelScore(
            label=name,
            accuracy=1 - (wrong + missed) / samples,
            precision=_share(right, right + wrong),
            recall=_share(right, right + missed),
            f1=_share(2 * right, 2 * right + wrong + missed),
        )
        for name, (right, wrong, missed) in zip(names, confused, strict=True)
    )


def mean_label_accuracy(confused: Sequence[Sequence[int]], samples: int) -> float:
    """Mean over the labels of the share of images of which the label was told rightly, or rightly not told."""
    return 1 - sum(wrong + missed for _, wrong, missed in confused) / (samples * len(confused))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
