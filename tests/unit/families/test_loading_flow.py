"""What of a flow-matching pipeline's folder is refused, and that it is before any weights are read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sfd_core.adding.recognition import family_of_folder
from sfd_core.errors import ModelRefused
from sfd_core.families.flow.family import FAMILY
from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.flow.pipelines import layout_of
from sfd_core.families.images import noise_shape
from sfd_core.families.loading import load_base, load_generator
from sfd_core.families.registry import hub_layouts, load_manifest
from sfd_core.families.text.tokens import prompt_reader
from tests.support.tiny_flux import make_tiny_flux
from tests.support.tiny_sana import make_tiny_sana
from tests.support.tiny_sd3 import make_tiny_sd3

NETWORK, SCHEDULER, INDEX = "transformer/config.json", "scheduler/scheduler_config.json", "model_index.json"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of every pipeline, by its name."""
    folder = tmp_path_factory.mktemp("models")
    make_tiny_sd3(folder / "sd3", t5=True)
    make_tiny_sd3(folder / "sd3-no-t5")
    make_tiny_flux(folder / "flux")
    make_tiny_sana(folder / "sana")
    return folder


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "models"))


OF_SD3: list[tuple[str, dict[str, Any], str]] = [
    (INDEX, {"_class_name": "AuraFlowPipeline"}, "_class_name is 'AuraFlowPipeline', must be 'Stable"),
    (INDEX, {"text_encoder_2": ["transformers", "CLIPTextModel"]}, "text_encoder_2 is .*WithProjection"),
    (INDEX, {"tokenizer_3": ["my_code", "T5Tokenizer"]}, "tokenizer_3 is .*, must be a T5TokenizerFast"),
    (INDEX, {"transformer": ["diffusers", "FluxTransformer2DModel"]}, "transformer is .*, must be .*SD3Transformer"),
    (INDEX, {"scheduler": ["diffusers", "DDIMScheduler"]}, "scheduler is .*DDIM.*says .*FlowMatchEuler"),
    (NETWORK, {"sample_size": None}, "sample_size is None, must be 1 to"),
    (NETWORK, {"sample_size": [8, 8]}, r"sample_size is \[8, 8\], must be 1 to"),
    (NETWORK, {"sample_size": 7}, "sample_size is 7, must be a multiple of patch_size, 2"),
    (NETWORK, {"patch_size": 0}, "patch_size is 0, must be 1 to 64"),
    (NETWORK, {"pos_embed_max_size": 3}, "sample_size is 8: 4 patches, pos_embed_max_size has 3 places"),
    (NETWORK, {"pos_embed_max_size": 10**6}, "pos_embed_max_size is 1000000, must be 1 to 1024"),
    (NETWORK, {"num_layers": 10**6}, "num_layers is 1000000, must be 1 to 256"),
    (NETWORK, {"caption_projection_dim": 24}, "caption_projection_dim is 24, must be 16, the width of the tokens"),
    (NETWORK, {"num_attention_heads": 1, "attention_head_dim": 6}, "make 6 channels, no multiple of 4"),
    (NETWORK, {"in_channels": 16}, "in_channels is 16, the other parts make 4"),
    (NETWORK, {"out_channels": 8}, "out_channels is 8, the other parts make 4"),
    (NETWORK, {"out_channels": "4"}, "out_channels is '4', must be null or whole"),
    (NETWORK, {"joint_attention_dim": 48}, "joint_attention_dim is 48, the other parts make 24"),
    (NETWORK, {"pooled_projection_dim": 6}, "pooled_projection_dim is 6, the other parts make 16"),
    (NETWORK, {"dual_attention_layers": [0] * 99}, "dual_attention_layers has 99 entries"),
    ("text_encoder/config.json", {"projection_dim": 7}, "pooled_projection_dim is 16, the other parts make 17"),
    ("text_encoder_2/config.json", {"num_hidden_layers": 10**9}, "text_encoder_2/config.json: num_hidden_layers is"),
    ("text_encoder_3/config.json", {"d_model": 32}, "joint_attention_dim is 24, the other parts make 32"),
    ("text_encoder_3/config.json", {"d_model": "24"}, "d_model is '24', must be 1 to"),
    ("text_encoder_3/config.json", {"num_layers": 10**9}, "text_encoder_3/config.json: num_layers is 1000000000"),
    ("text_encoder_3/config.json", {"auto_map": {"AutoModel": "code.py"}}, "auto_map asks for code"),
    ("vae/config.json", {"shift_factor": "0"}, "shift_factor is '0', must be a number"),
    ("vae/config.json", {"latents_mean": [0.0] * 4}, "latents_mean .*only scales and shifts"),
    (NETWORK, {"_class_name": None}, "_class_name is None, must be 'SD3Transformer2DModel'"),
    (NETWORK, {"quantization_config": {}}, "quantization_config is {}, must be null: quantized weights are not read"),
    ("text_encoder_3/config.json", {"architectures": None}, r"architectures is None, must be \['T5EncoderModel'\]"),
    ("text_encoder/config.json", {"architectures": ["CLIPTextModel"]}, r"must be \['CLIPTextModelWithProjection'\]"),
    ("text_encoder/config.json", {"quantization_config": {"bits": 4}}, "quantized weights are not read"),
    ("vae/config.json", {"_class_name": "AutoencoderTiny"}, "_class_name is 'AutoencoderTiny', must be 'A"),
    (SCHEDULER, {"shift": -1}, "shift is -1, must be a number above 0"),
    (SCHEDULER, {"invert_sigmas": True}, "invert_sigmas is True, must be false"),
]  # fmt: skip

OF_FLUX: list[tuple[str, dict[str, Any], str]] = [
    (INDEX, {"text_encoder": [None, None]}, r"text_encoder is \[None, None\], must be .*CLIPTextModel"),
    (INDEX, {"text_encoder_2": [None, None]}, r"text_encoder_2 is \[None, None\], must be .*T5EncoderModel"),
    (INDEX, {"tokenizer_2": ["transformers", "CLIPTokenizer"]}, "tokenizer_2 is .*, must be a T5TokenizerFast"),
    (NETWORK, {"patch_size": 2}, "patch_size is 2, must be 1: latents are packed by the pipeline"),
    (NETWORK, {"sample_size": 7}, "sample_size is 7, must be an even number from 2 to"),
    (NETWORK, {"sample_size": None}, "sample_size is None, must be an even number"),
    (NETWORK, {"sample_size": [8, 8]}, r"sample_size is \[8, 8\], must be an even number"),
    (NETWORK, {"in_channels": 64}, "in_channels is 64, the other parts make 16"),
    (NETWORK, {"out_channels": 4}, "out_channels is 4, must be null or in_channels"),
    (NETWORK, {"guidance_embeds": "yes"}, "guidance_embeds is 'yes', must be true or false"),
    (NETWORK, {"axes_dims_rope": [4, 2, 4]}, r"axes_dims_rope is \[4, 2, 4\], must be three even numbers that add up"),
    (NETWORK, {"axes_dims_rope": [4, 3, 1]}, r"axes_dims_rope is \[4, 3, 1\], must be three even numbers"),
    (NETWORK, {"axes_dims_rope": None}, "axes_dims_rope is None, must be three even numbers"),
    (NETWORK, {"joint_attention_dim": 48}, "joint_attention_dim is 48, the other parts make 24"),
    (NETWORK, {"pooled_projection_dim": 768}, "pooled_projection_dim is 768, the other parts make 12"),
    (NETWORK, {"num_single_layers": 10**6}, "num_single_layers is 1000000, must be 1 to 256"),
    ("text_encoder/config.json", {"hidden_size": 16}, "pooled_projection_dim is 12, the other parts make 16"),
    ("text_encoder_2/config.json", {"num_layers": 10**9}, "text_encoder_2/config.json: num_layers is 1000000000"),
    ("vae/config.json", {"latent_channels": 16}, "in_channels is 16, the other parts make 64"),
    (SCHEDULER, {"max_shift": float("inf")}, "max_shift is inf, must be a number from -10 to 10"),
    (SCHEDULER, {"max_image_seq_len": 257, "max_shift": -10}, "of a picture of 16 tokens by inf, must be above 0"),
    (SCHEDULER, {"time_shift_type": "linear", "base_shift": 0}, "of a picture of 16 tokens by -0.071875, must be"),
]  # fmt: skip

FLOWS = "FlowMatchEulerDiscreteScheduler"
OF_SANA: list[tuple[str, dict[str, Any], str]] = [
    (INDEX, {"text_encoder": ["transformers", "Gemma2ForCausalLM"]}, "text_encoder is .*, must be .*Gemma2Model"),
    (INDEX, {"tokenizer": ["transformers", "T5Tokenizer"]}, "tokenizer is .*, must be a GemmaTokenizerFast"),
    (INDEX, {"vae": ["diffusers", "AutoencoderKL"]}, "vae is .*, must be .*AutoencoderDC"),
    (NETWORK, {"sample_size": None}, "sample_size is None, must be 1 to"),
    (NETWORK, {"sample_size": [8, 8]}, r"sample_size is \[8, 8\], must be 1 to"),
    (NETWORK, {"patch_size": 3}, "sample_size is 8, must be a multiple of patch_size, 3"),
    (NETWORK, {"sample_size": 4}, "sample_size makes pictures of 16 pixels, must make a multiple of 32"),
    (NETWORK, {"interpolation_scale": 1}, "interpolation_scale is 1, must be null: the places of patches"),
    (NETWORK, {"guidance_embeds": True}, "guidance_embeds is True, must be false: a SanaPipeline hands no such number"),
    (NETWORK, {"timestep_scale": 0}, "timestep_scale is 0, must be a finite number above 0"),
    (NETWORK, {"cross_attention_dim": 24}, "cross_attention_dim is 24, must be 16, the tokens' width"),
    (NETWORK, {"in_channels": 32}, "in_channels is 32, the other parts make 4"),
    (NETWORK, {"out_channels": 8}, "out_channels is 8, the other parts make 4"),
    (NETWORK, {"out_channels": True}, "out_channels is True, must be null or whole"),
    (NETWORK, {"caption_channels": 2304}, "caption_channels is 2304, the other parts make 24"),
    ("text_encoder/config.json", {"hidden_size": 32}, "caption_channels is 24, the other parts make 32"),
    ("text_encoder/config.json", {"hidden_size": 0}, "hidden_size is 0, must be 1 to"),
    ("text_encoder/config.json", {"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000"),
    ("vae/config.json", {"encoder_block_out_channels": []}, r"encoder_block_out_channels is \[\], must be 1 to 8"),
    ("vae/config.json", {"scaling_factor": None}, "scaling_factor is None, must be a finite number above 0"),
    ("vae/config.json", {"in_channels": 1}, "in_channels is 1, must be 3: pictures are RGB"),
    (SCHEDULER, {"use_flow_sigmas": False}, "use_flow_sigmas is False, must be true in a flow-matching model"),
    (SCHEDULER, {"prediction_type": "epsilon"}, "prediction_type is 'epsilon', must be 'flow_prediction'"),
]  # fmt: skip


def test_a_shift_by_the_size_of_the_picture_is_nothing_that_sana_hands_on(folders: Path) -> None:
    change(folders / "sana" / SCHEDULER, _class_name=FLOWS, use_dynamic_shifting=True)
    change(folders / "sana" / INDEX, scheduler=["diffusers", FLOWS])
    with pytest.raises(ModelRefused, match="use_dynamic_shifting is True, must be false: a SanaPipeline does not say"):
        FAMILY.load_text(folders / "sana")


def test_a_sana_with_the_solver_that_it_comes_with_is_sampled_by_euler_s(folders: Path) -> None:
    base = load_base(load_manifest(folders / "sana"))
    assert base.schedule == Flow(shift=3.0)
    assert FAMILY.base_sampler(base, "cpu", 2).sample_prompts(["a cat"], [1]).shape == (1, 32, 32, 3)


@pytest.mark.parametrize(
    ("name", "file", "values", "says"),
    [
        *(("sd3", *one) for one in OF_SD3),
        *(("flux", *one) for one in OF_FLUX),
        *(("sana", *one) for one in OF_SANA),
    ],
)
def test_a_pipeline_is_refused_by_its_configurations_and_before_its_weights_are_read(
    folders: Path, name: str, file: str, values: dict[str, Any], says: str
) -> None:
    folder = folders / name
    for weights in folder.rglob("*.safetensors"):
        weights.unlink()  # as of a hub's model, before they are fetched
    change(folder / file, **values)
    with pytest.raises(ModelRefused, match=says):
        FAMILY.load_text(folder)


def test_every_fault_of_every_part_is_told_at_once(folders: Path) -> None:
    folder = folders / "sd3"
    change(folder / NETWORK, sample_size=0, patch_size="2")
    change(folder / "text_encoder_3/config.json", d_model=0)
    change(folder / "vae/config.json", scaling_factor=0)
    change(folder / SCHEDULER, shift=0)
    with pytest.raises(ModelRefused) as refused:
        FAMILY.load_text(folder)
    for said in ("scaling_factor is 0", "sample_size is 0", "patch_size is '2'", "d_model is 0", "shift is 0"):
        assert said in str(refused.value)
    change(folder / INDEX, transformer=None, tokenizer_3=None)
    with pytest.raises(
        ModelRefused, match=r"transformer is None, must be .*; tokenizer_3 is None, must be .*; .* d_model is 0"
    ):
        FAMILY.load_text(folder)


def test_a_tokenizer_that_lost_its_third_text_encoder_is_left_aside(folders: Path) -> None:
    """As stock pipelines leave it, which are opened with text_encoder_3=None alone."""
    change(folders / "sd3" / INDEX, text_encoder_3=[None, None])
    assert len(FAMILY.load_text(folders / "sd3").readers) == 2
    assert not any("tokenizer_3" in name for name in layout_of(folders / "sd3").folders)


def test_a_third_text_encoder_may_be_missing(folders: Path) -> None:
    without = folders / "sd3-no-t5"
    assert layout_of(without).without == ("text_encoder_3",)
    assert len(FAMILY.load_text(without).readers) == 2
    for part in ("text_encoder_3", "tokenizer_3"):
        index = json.loads((without / INDEX).read_text())
        del index[part]
        (without / INDEX).write_text(json.dumps(index))
    assert len(FAMILY.load_text(without).readers) == 2
    change(without / NETWORK, joint_attention_dim=16)
    with pytest.raises(ModelRefused, match="joint_attention_dim is 16, the other parts make 20"):
        FAMILY.load_text(without)


def test_a_hub_s_folder_is_known_by_the_parts_that_it_has(folders: Path) -> None:
    for name, weights in (("sd3", 5), ("sd3-no-t5", 4), ("flux", 4), ("sana", 3)):
        layout = next(layout for layout in hub_layouts() if layout.fits(folders / name))
        assert (layout.family, len(layout.weights)) == ("flow", weights)
        description, found = family_of_folder(folders / name)
        assert (description.name, len(found.weights)) == ("flow", weights)


def test_an_autoencoder_without_a_shift_is_published_with_none(folders: Path, tmp_path: Path) -> None:
    """Stock pipelines add what is there, and end at a null."""
    folder = folders / "sd3-no-t5"
    change(folder / "vae/config.json", shift_factor=None)
    text = FAMILY.load_text(folder)
    assert text.autoencoder.vae.config.shift_factor == 0.0
    text.autoencoder.vae.save_pretrained(tmp_path / "vae")
    assert json.loads((tmp_path / "vae/config.json").read_text())["shift_factor"] == 0.0


def test_tokenizers_of_two_lengths(folders: Path) -> None:
    change(folders / "sd3/tokenizer_2/tokenizer_config.json", model_max_length=50)
    with pytest.raises(ModelRefused, match="tokenizer_2: prompts of 50 tokens, those of tokenizer have 77"):
        FAMILY.load_text(folders / "sd3")


def test_a_tokenizer_with_more_tokens_than_its_encoder_knows(folders: Path) -> None:
    path = folders / "sd3/tokenizer_3/tokenizer.json"
    written = json.loads(path.read_text())
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    written["added_tokens"].append({"id": 10_000, "content": "<my-style>", **special})
    path.write_text(json.dumps(written))
    with pytest.raises(ModelRefused, match=r"tokenizer_3: \d+ tokens, the text encoder knows \d+"):
        FAMILY.load_text(folders / "sd3")


def test_a_tokenizer_that_is_none(folders: Path) -> None:
    (folders / "sd3/tokenizer_3/tokenizer.json").write_text("{")
    with pytest.raises(ModelRefused, match="tokenizer_3: no T5 tokenizer can be read from it"):
        FAMILY.load_text(folders / "sd3")


def test_a_flux_that_does_not_say_how_large_its_pictures_are_makes_the_pipeline_s(folders: Path) -> None:
    path = folders / "flux" / NETWORK
    written = json.loads(path.read_text())
    del written["sample_size"]
    path.write_text(json.dumps(written))
    layout = layout_of(folders / "flux")
    assert (layout.image(folders / "flux").height, layout.tokens(folders / "flux")) == (256, 4096)
    network = FAMILY.load_network(folders / "flux/transformer")
    assert noise_shape(network) == (4, 128, 128)
    assert "height" not in str(FAMILY.load_text(folders / "flux").arguments)


def test_a_network_of_another_class(folders: Path) -> None:
    change(folders / "sd3/transformer/config.json", _class_name="UNet2DConditionModel")
    with pytest.raises(ModelRefused, match="_class_name is 'UNet2DConditionModel', must be 'SD3"):
        FAMILY.load_network(folders / "sd3/transformer")


def test_a_manifest_of_another_image(folders: Path) -> None:
    change(folders / "sd3/manifest.json", image={"channels": 3, "height": 32, "width": 32, "patch": 1})
    with pytest.raises(ModelRefused, match="the manifest's image is 3 x 32 x 32, the pipeline makes 3 x 16 x 16"):
        load_base(load_manifest(folders / "sd3"))


def test_a_base_model_s_folder_is_no_generator(folders: Path) -> None:
    with pytest.raises(ModelRefused, match=r"shift is 3\.0, must be 1\.0.*stochastic_sampling is False"):
        load_generator(folders / "sd3")
    change(folders / "sd3" / SCHEDULER, _class_name="FlowMatchHeunDiscreteScheduler")
    with pytest.raises(ModelRefused, match="_class_name must be 'FlowMatchEulerDiscreteScheduler'"):
        FAMILY.load_generator(folders / "sd3", "cpu")


def test_a_network_of_other_times_is_not_the_base_model_s(folders: Path) -> None:
    base = load_base(load_manifest(folders / "sd3"))
    shutil.copytree(folders / "sd3", folders / "other")
    change(folders / "other" / SCHEDULER, num_train_timesteps=500)
    with pytest.raises(ModelRefused, match="num_train_timesteps is 500, the base model's 1000"):
        FAMILY.open_elsewhere(folders / "other", base, 2, "cpu")


def test_every_tokenizer_reads_what_the_run_reads(folders: Path) -> None:
    for name, longest in (("sd3", 256), ("sd3-no-t5", 77), ("flux", 512), ("sana", 300)):
        folder = folders / name
        reader = prompt_reader(folder, layout_of(folder).tokenizers)
        assert reader is not None
        prompts = ["", "a pistol!", "wow!!! a cat", "!", "x " * 400]
        assert reader.read(prompts) == FAMILY.load_text(folder).tokens(prompts)
        assert reader.longest == longest


def test_a_tokenizer_without_words_is_none(folders: Path) -> None:
    """transformers makes one up of letters that it does not know."""
    path = folders / "sd3/tokenizer_3/tokenizer.json"
    path.unlink()
    path.with_name("vocab.json").write_text("{}")
    with pytest.raises(ModelRefused, match="tokenizer_3: the T5 tokenizer reads 'a cat' as it reads 'b dog'"):
        FAMILY.load_text(folders / "sd3")


def test_each_tokenizer_is_asked_for_in_the_forms_that_it_has(folders: Path) -> None:
    """A T5's is never two files, as one of CLIP's may be."""
    _, layout = family_of_folder(folders / "sd3")
    clips = "neither tokenizer/tokenizer.json nor tokenizer/vocab.json and tokenizer/merges.txt"
    assert layout.without_words(["tokenizer_2/tokenizer.json", "tokenizer_3/vocab.json", "tokenizer_3/merges.txt"]) == (
        f"{clips}, no tokenizer_3/tokenizer.json"
    )
    assert "tokenizer_3/vocab.json" not in layout.limits
