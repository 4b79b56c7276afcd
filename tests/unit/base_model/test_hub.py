"""Models of a hub: fetched whole and once, at a commit, only what is read; and what is refused before it is fetched."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from sfd_core.base_model import hub as hub_module
from sfd_core.base_model.hub import Progress
from sfd_core.base_model.hub_name import Hub
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused, ModelUnavailable
from sfd_core.families import hub as hub_models
from sfd_core.families.loading import load_base
from tests.support.hub_server import REVISION, hub_server
from tests.support.hub_server import Hub as Server
from tests.support.tiny_sdxl import make_tiny_sdxl
from tests.support.tiny_text_model import make_tiny_text_model

NAME = "acme/noise"
MODEL = Hub(NAME, REVISION)


@pytest.fixture
def server() -> Iterator[Server]:
    with hub_server() as running:
        yield running


def fetch(
    server: Server,
    folder: Path,
    progress: Progress | None = None,
    model: Hub = MODEL,
    family: str | None = "stable_diffusion",
) -> BaseModel:
    return hub_models.fetch(model, family, folder, progress, server.url)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository as hubs have them: with more than what is read."""
    folder = tmp_path_factory.mktemp("repository")
    make_tiny_text_model(folder)
    (folder / "manifest.json").unlink()
    (folder / "README.md").write_text("# Noise")
    (folder / "pipeline.py").write_text("raise SystemExit('executed')")
    (folder / "noise.ckpt").write_bytes(b"pickle")
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(b"another precision")
    return folder


@pytest.fixture
def repository(server: Server, pipeline: Path, tmp_path: Path) -> Path:
    """A copy of it for one test, served."""
    folder = tmp_path / "repository"
    shutil.copytree(pipeline, folder)
    server.repositories[NAME] = folder
    return folder


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.usefixtures("repository")
def test_what_a_run_reads_is_fetched_once_and_becomes_a_base_model(server: Server, tmp_path: Path) -> None:
    told: list[None] = []
    model = fetch(server, tmp_path / "model", lambda: told.append(None))
    assert told, "bytes that come are told of"
    assert (model.name, model.family) == (f"hub:{NAME}@{REVISION}", "stable_diffusion")
    assert (model.image.channels, model.image.height, model.image.width) == (3, 16, 16)
    there = {p.relative_to(model.folder).as_posix() for p in model.folder.rglob("*") if p.is_file()}
    assert there == {*model.files, "manifest.json"}
    assert not {name for name in there if name.endswith((".py", ".ckpt", ".md", ".fp16.safetensors"))}
    assert load_base(model).unread(["word " * 100])
    assert len(server.served) == len(set(server.served)) == len(model.files)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model", "model.lock", "repository"]

    server.down = True
    assert fetch(server, tmp_path / "model") == model, "what is here needs no hub"


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_parts_and_variants_become_the_one_file_that_is_read(
    server: Server, repository: Path, tmp_path: Path, variant: str | None
) -> None:
    unet = UNet2DConditionModel.from_pretrained(repository / "unet")
    shutil.rmtree(repository / "unet")
    unet.save_pretrained(repository / "unet", max_shard_size="50KB", variant=variant)
    vae = repository / "vae/diffusion_pytorch_model.safetensors"
    vae.rename(vae.with_name("diffusion_pytorch_model.fp16.safetensors"))
    model = fetch(server, tmp_path / "model")
    there = {p.relative_to(model.folder).as_posix() for p in model.folder.rglob("*") if p.is_file()}
    assert there == {*model.files, "manifest.json"}
    weights = load_base(model).network.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in unet.state_dict().items())


def test_a_part_that_is_not_there(server: Server, repository: Path, tmp_path: Path) -> None:
    unet = UNet2DConditionModel.from_pretrained(repository / "unet")
    shutil.rmtree(repository / "unet")
    unet.save_pretrained(repository / "unet", max_shard_size="50KB")
    first = min((repository / "unet").glob("*.safetensors"))
    first.unlink()
    with pytest.raises(ModelRefused, match=f"has no unet/{first.name}"):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served)


def test_parts_that_are_more_than_one_file_may_be(
    server: Server, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are added up before any is fetched."""
    unet = UNet2DConditionModel.from_pretrained(repository / "unet")
    shutil.rmtree(repository / "unet")
    unet.save_pretrained(repository / "unet", max_shard_size="50KB")
    size = sum(path.stat().st_size for path in (repository / "unet").glob("*.safetensors"))
    monkeypatch.setattr(hub_module, "MAX_WEIGHTS_BYTES", size - 1)
    with pytest.raises(ModelRefused, match=rf"unet/diffusion_pytorch_model\.safetensors has {size} bytes; at most"):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served)


@pytest.mark.usefixtures("repository")
def test_an_interrupted_fetch_goes_on(server: Server, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def interrupt() -> None:
        if any(name.endswith(".safetensors") for name in server.served):
            raise Enough

    with pytest.raises(Enough):
        fetch(server, tmp_path / "model", interrupt)
    assert not (tmp_path / "model").exists()
    before = set(server.served)
    server.served.clear()
    fetch(server, tmp_path / "model")
    assert "model_index.json" in before - set(server.served), "what had come is not fetched again"


@pytest.mark.usefixtures("repository")
def test_of_several_at_once_one_fetches(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "PAUSE", 0.01)
    waited = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        models = list(pool.map(lambda _: fetch(server, tmp_path / "model", waited.set), range(3)))
    assert models[0] == models[1] == models[2]
    assert len(server.served) == len(models[0].files)


def test_pickled_weights(repository: Path, server: Server, tmp_path: Path) -> None:
    weights = repository / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    weights.with_suffix(".fp16.safetensors").unlink()
    with pytest.raises(ModelRefused, match=r"has no unet/diffusion_pytorch_model\.safetensors: .* never from pickles"):
        fetch(server, tmp_path / "model")
    assert server.served in ([], ["model_index.json"])


def test_a_part_that_is_missing(repository: Path, server: Server, tmp_path: Path) -> None:
    (repository / "vae" / "config.json").unlink()
    with pytest.raises(ModelRefused, match=r"has no vae/config\.json$"):
        fetch(server, tmp_path / "model")
    for file in (repository / "tokenizer").iterdir():
        file.unlink()
    shutil.copy(repository / "unet" / "config.json", repository / "vae" / "config.json")
    with pytest.raises(ModelRefused, match=r"neither tokenizer/tokenizer\.json nor tokenizer/vocab\.json and"):
        fetch(server, tmp_path / "model")


@pytest.mark.parametrize("class_name", ["AuraFlowPipeline", ["pipeline", "MyPipeline"]])
def test_another_or_a_custom_pipeline(repository: Path, server: Server, tmp_path: Path, class_name: object) -> None:
    change(repository / "model_index.json", _class_name=class_name)
    with pytest.raises(ModelRefused, match=r"_class_name is .*, must be .*'StableDiffusionPipeline'"):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served), "no weights are fetched of it"


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of another family."""
    folder = tmp_path_factory.mktemp("sdxl")
    make_tiny_sdxl(folder)
    (folder / "manifest.json").unlink()
    return folder


@pytest.mark.parametrize("family", ["sdxl", None])
def test_a_model_of_another_family_is_fetched_as_one(
    sdxl: Path, server: Server, tmp_path: Path, family: str | None
) -> None:
    server.repositories[NAME] = sdxl
    model = fetch(server, tmp_path / "model", family=family)
    assert (model.family, model.image.height) == ("sdxl", 16)
    assert {"text_encoder_2/model.safetensors", "tokenizer_2/tokenizer.json"} <= set(model.files)
    load_base(model)


def test_a_model_of_another_family_than_it_was_allowed_as(sdxl: Path, server: Server, tmp_path: Path) -> None:
    says = "acme/noise is of the family sdxl, and was allowed as one of stable_diffusion: allow acme/noise=sdxl"
    server.repositories[NAME] = sdxl
    with pytest.raises(ModelRefused, match=says):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served), "no weights are fetched of it"
    fetch(server, tmp_path / "model", family="sdxl")
    with pytest.raises(ModelRefused, match=says):
        fetch(server, tmp_path / "model")


def test_the_second_tokenizer_s_files_must_be_there_too(sdxl: Path, server: Server, tmp_path: Path) -> None:
    server.repositories[NAME] = Path(shutil.copytree(sdxl, tmp_path / "repository"))
    (server.repositories[NAME] / "tokenizer_2" / "tokenizer.json").unlink()
    with pytest.raises(ModelRefused, match=r"neither tokenizer_2/tokenizer\.json nor tokenizer_2/vocab\.json and"):
        fetch(server, tmp_path / "model", family="sdxl")


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_code_of_its_own(repository: Path, server: Server, tmp_path: Path, part: str) -> None:
    change(repository / part / "config.json", auto_map={"AutoModel": "model.MyModel"})
    with pytest.raises(ModelRefused, match=f"{part}/config.json: auto_map asks for code"):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served)


@pytest.mark.parametrize(
    ("part", "values", "says"),
    [
        ("scheduler/scheduler_config.json", {"beta_end": 7}, "beta_end is 7, must be"),
        ("vae/config.json", {"scaling_factor": 0}, "scaling_factor is 0, must be"),
    ],
)
def test_values_that_nothing_can_be_made_of(
    repository: Path, server: Server, tmp_path: Path, part: str, values: dict[str, object], says: str
) -> None:
    change(repository / part, **values)
    with pytest.raises(ModelRefused, match=says):
        fetch(server, tmp_path / "model")
    assert not any(name.endswith(".safetensors") for name in server.served), "before any weights are fetched"


def test_a_file_that_is_too_large(repository: Path, server: Server, tmp_path: Path) -> None:
    (repository / "unet" / "config.json").write_text(" " * (2 << 20))
    with pytest.raises(ModelRefused, match=r"unet/config\.json has 2097152 bytes; at most 1048576 are read"):
        fetch(server, tmp_path / "model")
    assert server.served in ([], ["model_index.json"])


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", ["unet/diffusion_pytorch_model.safetensors", "vae/config.json"])
def test_a_file_that_is_not_what_the_commit_has(server: Server, tmp_path: Path, name: str) -> None:
    server.lies.add(name)
    with pytest.raises(ModelUnavailable, match=f"{name} came otherwise than the hub lists it"):
        fetch(server, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.usefixtures("repository")
def test_what_the_hub_does_not_have(server: Server, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="has no repository acme/other, or it is private"):
        fetch(server, tmp_path / "model", model=Hub("acme/other", REVISION))
    with pytest.raises(ModelRefused, match=f"has no commit {'f' * 40} of acme/noise"):
        fetch(server, tmp_path / "model", model=Hub(NAME, "f" * 40))
    server.gated.add(NAME)
    with pytest.raises(ModelRefused, match=r"is gated: .* asks for a token"):
        fetch(server, tmp_path / "model")


@pytest.mark.usefixtures("repository")
def test_a_hub_that_is_away(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)
    server.down = True
    with pytest.raises(ModelUnavailable, match="does not hand out acme/noise now"):
        fetch(server, tmp_path / "model")
    server.url = "http://127.0.0.1:9"  # where nobody listens
    with pytest.raises(ModelUnavailable, match="does not hand out acme/noise now"):
        fetch(server, tmp_path / "model")
