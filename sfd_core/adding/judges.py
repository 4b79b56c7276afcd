"""The judges that are added with a model: image classifiers, as transformers saves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sfd_core.adding.faults import Faults
from sfd_core.adding.said import Said
from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.configs import MAX_CONFIG_BYTES
from sfd_core.base_model.sources import find_file, find_weights
from sfd_core.errors import ModelRefused
from sfd_core.text_files import read_json

CONFIG, WEIGHTS, PREPROCESSOR = "config.json", "model.safetensors", "preprocessor_config.json"


@dataclass(frozen=True)
class Judge:
    """A judge that is added with a model. ``folder``: it gets; ``network``: its class; ``labels``: in its order."""

    folder: str
    source: Path
    network: str
    labels: tuple[str, ...]


def given_judges(said: Said, files: dict[str, tuple[Path, ...]], faults: Faults) -> list[Judge]:
    """Find the judges that are given of a model's classes; their files come among ``files``."""
    if of_domains := sorted(name for name in {*said.judges, *said.second_judges} if name):
        faults.add(f"it is asked by class and has no domain {', '.join(of_domains)}: say --judge FOLDER")
        return []
    pair = said.judges.get(""), said.second_judges.get("")
    return read_pair(pair, ("judge", "second_judge"), files, faults)


def read_pair(
    given: tuple[Path | None, Path | None], names: tuple[str, str], files: dict[str, tuple[Path, ...]], faults: Faults
) -> list[Judge]:
    """Read a judge and, if it is given, a second one; ``names``: of the folders that they get. Their files come among
    ``files``."""
    first, second = given
    if second and not first:
        faults.add("a second judge stands beside a judge: say --judge too")
    if first and second and first.resolve() == second.resolve():
        faults.add("the second judge is the judge: two that agree because they are one say nothing more")
    judges = []
    for name, folder in zip(names, given, strict=True):
        if folder is not None and (judge := faults.attempt(_judge, name, folder, files)) is not None:
            judges.append(judge)
    return judges


def _judge(name: str, folder: Path, files: dict[str, tuple[Path, ...]]) -> Judge:
    if not folder.is_dir():
        raise ModelRefused(f"{folder}: no such folder: a judge is an image classifier as transformers saves it")
    faults = Faults()
    config = faults.attempt(find_file, folder / CONFIG, MAX_CONFIG_BYTES)
    weights = faults.attempt(find_weights, folder / WEIGHTS)
    labels: tuple[str, ...] = ()
    network = ""
    if config is not None:
        files[f"{name}/{CONFIG}"] = (config,)
        read = faults.attempt(object_in, config)
        architectures = (read or {}).get("architectures")
        network = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
        if read is not None and not network.endswith("ForImageClassification"):
            faults.add(
                f"{folder / CONFIG}: architectures is {shown(architectures)}, must name a network "
                "...ForImageClassification"
            )
        labels = faults.attempt(names_of, (read or {}).get("id2label"), config) or ()
    if weights is not None:
        files[f"{name}/{WEIGHTS}"] = weights
    if (folder / PREPROCESSOR).exists():
        path = faults.attempt(find_file, folder / PREPROCESSOR, MAX_CONFIG_BYTES)
        if path is not None:
            files[f"{name}/{PREPROCESSOR}"] = (path,)
    if faults.found:
        raise ModelRefused("; ".join(faults.found))
    return Judge(name, folder, network, labels)


def object_in(path: Path) -> dict[str, object]:
    try:
        read = read_json(path)
    except (OSError, ValueError, RecursionError) as error:
        raise ModelRefused(f"{path}: not readable as JSON: {error}") from None
    if not isinstance(read, dict):
        raise ModelRefused(f"{path}: must be a JSON object")
    return read


def names_of(id2label: object, path: Path) -> tuple[str, ...]:
    """Return the names of an ``id2label``, by their numbers from 0 on.

    Raises:
        ModelRefused: for another object, or one that leaves a number out.
    """
    if not isinstance(id2label, dict) or {str(key) for key in id2label} != {str(i) for i in range(len(id2label))}:
        raise ModelRefused(f"{path}: id2label must name each class from 0 on")
    return tuple(str(id2label[str(i)]) for i in range(len(id2label)))


def other_labels(judge: Judge, concepts: Sequence[str], hint: str = "") -> str:
    """Say how the labels of ``judge`` are not ``concepts``. ``hint``: what can be done about these."""
    lacks, more = (
        [name for name in some if name not in others]
        for some, others in ((concepts, judge.labels), (judge.labels, concepts))
    )
    said = [f"it lacks {', '.join(lacks)}"] if lacks else []
    said += [f"it has {', '.join(more)}"] if more else []
    return (
        f"{judge.source}: its labels are not the model's concepts: {' and '.join(said) or 'one is there twice'}"
        f"{hint and f' ({hint})'}"
    )
