"""The classifiers that a user names for a benchmark: transformers image-classification folders with safetensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfd_core.base_model.configs import CONFIG, read_config
from sfd_core.base_model.manifest_parts import ImageFormat, digest_of
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.intervals import wilson
from sfd_core.suites.suite import Entry, Figure, Given, Shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READ = (CONFIG, "preprocessor_config.json", "model.safetensors")
HOLDS = "a transformers image-classification folder: config.json, preprocessor_config.json, model.safetensors"


def entry(folder: str, of: str) -> Entry:
    """Return the entry of a classifier in the folder of weights. ``of``: what it tells apart."""
    return Entry(folder, f"the classifier of {of}, {HOLDS}")


def labels_of(folder: Path, faults: list[str]) -> tuple[str, ...]:
    """Return a classifier's labels in their order; none where they cannot be read, which is a fault unless the folder
    is not there at all, which is told elsewhere."""
    if not folder.exists():
        return ()
    faults += [f"{folder / name}: is not there" for name in READ if name != READ[1] and not (folder / name).is_file()]
    if not (folder / CONFIG).is_file():
        return ()
    try:
        said: Any = read_config(folder / CONFIG).get("id2label")
    except ModelRefused as error:
        faults.append(str(error))
        return ()
    right = isinstance(said, dict) and said and set(said) == {str(i) for i in range(len(said))}
    if not right or len(set(map(str, said.values()))) < len(said):
        faults.append(f"{folder / CONFIG}: id2label must name each label from 0 on, each once")
        return ()
    return tuple(str(said[str(i)]) for i in range(len(said)))


@dataclass(frozen=True)
class Seen:
    """The labels that a classifier saw: in each image the likeliest. ``digest``: of the classifier."""

    labels: NDArray[np.str_]
    digest: str


def seen_by(folder: Path, given: Given, shown: Shown) -> Seen:
    """Judge every image that is shown.

    Raises:
        ModelRefused: for a folder that is no classifier.
    """
    import numpy as np

    from sfd_core.base_model.manifest import file_sha256
    from sfd_core.evaluation.judge import ImageJudge

    faults: list[str] = []
    labels = labels_of(folder, faults)
    if faults:
        raise ModelRefused("; ".join(faults))
    judge: ImageJudge | None = None
    found: list[NDArray[np.int64]] = []
    for images in shown.pieces():
        if judge is None:
            judge = ImageJudge.read(folder, labels, ImageFormat(3, *images.shape[1:3]), given.device)
        found.append(judge.judge(images).seen)
    files = {name: file_sha256(folder / name) for name in READ if (folder / name).is_file()}
    return Seen(np.array(labels)[np.concatenate(found)], digest_of(files))


def asked(shown: Shown, kind: str) -> NDArray[np.str_]:
    """Return what each image was asked for, of one kind; empty where its ask is of none."""
    import numpy as np

    return np.array([ask.groups.get(kind, "") for ask in shown.asks])


def mean(axis: str, of: str, values: NDArray[np.floating], note: str = "") -> Figure:
    """Return the mean of ``values``, [n], as a figure with its interval; of fewer than two none can be given."""
    from sfd_core.evaluation.rates import mean_of

    if len(values) < 2:
        few = "one image alone has no interval" if len(values) else "no image was asked for"
        return Figure(axis, of, "number", None, "; ".join(filter(None, (note, few))))
    return Figure(axis, of, "number", mean_of(values), note)


def share(axis: str, of: str, hits: NDArray[np.bool_]) -> Figure:
    """Return the share of ``hits``, [n], as a figure with Wilson's interval."""
    measured = wilson(int(hits.sum()), len(hits)) if len(hits) else None
    return Figure(axis, of, "share", measured, "" if measured else "no image was asked for")
