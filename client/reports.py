"""A report as frozen values: what an evaluation found of one generator.

Made by ``python -m api.client_types`` from the report's JSON Schema: do not edit.

What an answer has beside these fields is left out; the whole of it is in ``Report.raw``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class AccuracyView:
    """The accuracy that is to remain, as one judge sees it."""

    generator: Interval
    """Share of the generator's images in which this judge sees what was asked."""
    base_model: Interval
    """The same of the base model."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""


@dataclass(frozen=True, kw_only=True)
class AskedConcept:
    """The prompts by which the images of one concept were asked for. Image i of a concept is asked by a prompt that the
    concept and the image's seed alone decide."""

    concept: str
    """The concept."""
    prompts: tuple[str, ...] = ()
    """Examples, from the first seeds on."""


@dataclass(frozen=True, kw_only=True)
class BaseModelFacts:
    """The model that was to forget, which is also what the generator is compared with (papers call it the teacher)."""

    name: str
    """As it is registered."""
    title: str
    """For people."""
    digest: str
    """SHA-256 over its files and their names."""
    license: str
    """Licence of the base model."""


@dataclass(frozen=True, kw_only=True)
class BenignFineTuning:
    """One forgotten concept, watched while the generator is fine-tuned on images of other concepts."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""
    pool: int
    """Latents drawn a step, of whose images the nearest to each target is pulled towards it."""
    batch: int
    """Target images a step."""
    lr: float
    """Learning rate of Adam."""
    curves: tuple[RelearningCurve, ...] = ()
    """One for each network and n; n counts images of other concepts."""
    scored_by: str
    """The judge that looked."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The budget of the training: the most that it may take, whichever limit is met first."""

    images: int
    """Generated images to train on, at most. If left out, the default of the model's family; shown is that of
    class-conditional models."""
    seconds: float | None = None
    """Seconds of training, at most."""
    until: str
    """`pass`: training ends once the run's own check says, with a margin, that the report will pass, or when the budget
    is used up. The check looks at other images than the report, and takes a judge of the base model's own that knows
    what is forgotten: without one all of the budget is used. `budget`: always all of it."""


@dataclass(frozen=True, kw_only=True)
class ClipScore:
    """The mean CLIP score of the remaining concepts' images and their prompts."""

    model: str
    """The CLIP model."""
    digest: str
    """SHA-256 of its weights."""
    generator: Interval
    """Mean score of the generator's images against their prompts."""


@dataclass(frozen=True, kw_only=True)
class ConceptAgreement:
    """Agreement of the judges in the images asked for one concept."""

    concept: str
    """The concept that was asked for."""
    generator: float
    """Share of agreement in the generator's images."""
    base_model: float
    """Share of agreement in the base model's images."""
    real: float | None = None
    """Share of agreement in real images; null where there are none."""


@dataclass(frozen=True, kw_only=True)
class ConceptDepth:
    """The depth to which one concept is forgotten."""

    concept: str
    """The forgotten concept."""
    network_evaluations: int
    """Network evaluations of an image in many steps."""
    judge: DepthView
    """What the judge sees."""
    second_judge: DepthView | None = None
    """What the second judge sees; null without one."""


@dataclass(frozen=True, kw_only=True)
class ConceptInversion:
    """One forgotten concept, searched for over the condition vector."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""
    starts: int
    """Vectors from which the search began."""
    steps: int
    """Gradient steps from each start."""
    batch: int
    """Images a step."""
    searched_with: str
    """The judge whose answer the search maximised."""
    scored_by: str
    """The judge that counted the successes: another one where there is one, so that a picture that fools the first
    judge is not counted as the look of the concept."""
    generator: Interval
    """Share of fresh images in which the concept is seen."""
    base_model: Interval
    """The same of the untouched base model's network in one step."""
    control: Interval | None = None
    """The same of a generator of a network retrained without the concept: what such a search finds where nothing was
    learnt. Null where the base model ships no such control."""
    first_stage: Interval | None = None
    """The same of the distilled generator that forgot nothing. Null where the base model ships none."""


@dataclass(frozen=True, kw_only=True)
class ConceptOfDomain:
    """A concept of another domain."""

    concept: str
    """Its name."""
    generator: Interval | None = None
    """Share of the images that asked for it in which it is seen; null where none did."""
    base_model: Interval
    """The same of the base model."""


@dataclass(frozen=True, kw_only=True)
class ConceptVariety:
    """The variety of one remaining concept."""

    concept: str
    """A concept that is to remain."""
    ratio: float
    """What its images cover, as a share of what as many of the base model's would."""
    distinct: float
    """Share of its images that repeat no other."""
    pictures: float | None = None
    """How many equally frequent pictures its images are worth: 1 over how likely two of them are alike. Null where no
    two are."""


@dataclass(frozen=True, kw_only=True)
class ConfusionMatrices:
    """Two matrices of what the judge sees for each concept that is asked for. Row: what was asked for. Column: what the
    judge sees."""

    concepts: tuple[str, ...] = ()
    """The order of rows and columns: the labels in `scores.safetensors`."""
    generator: tuple[tuple[float, ...], ...] = ()
    """Shares of each row; it adds up to 1, less where images were refused."""
    base_model: tuple[tuple[float, ...], ...] = ()
    """The same of the base model."""


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One threshold held against one interval."""

    name: str
    """`unlearning_accuracy` comes once for each forgotten concept, in the order of `forget`; so do `many_steps_share`
    and `part_noised_excess` of one-step generators, and `paraphrase_accuracy` for each that has paraphrases which say
    something; `cross_domain_accuracy_drop` once for each row of `cross_domain`; the others come once, those of
    text-to-image models where they apply."""
    decision: str
    """pass: the whole interval lies on the allowed side of the threshold. fail: none of it does. inconclusive: the
    threshold lies within it, or nothing could be measured. Where two judges looked the worse decides."""
    threshold: float
    """The value from `thresholds` that it was held against."""
    measured: Interval | None = None
    """What was measured; null where the images were too few for any figure, or no evaluator was available."""
    reason: str
    """The decision in one sentence with its figures; where it is inconclusive, how many images would decide it, or what
    is missing."""
    about: str | None = None
    """The forgotten concept, the other domain or the worst remaining concept that it is about; null where it is about
    all that remains."""
    domain: str | None = None
    """The domain that it was judged in, where what was forgotten lies in several; else it is left out."""


@dataclass(frozen=True, kw_only=True)
class CutPrompt:
    """A prompt that is longer than the text encoder reads."""

    prompt: str
    """The whole prompt."""
    cut: str
    """Its end, which was cut off."""


@dataclass(frozen=True, kw_only=True)
class DepthView:
    """The view of one judge."""

    many_steps: Interval
    """Share of images of the generator's network, run over the base model's own sampler, seen as the forgotten
    concept."""
    base_model: Interval
    """The same of the base model."""
    levels: tuple[NoiseStep, ...] = ()
    """From little noise to much."""


@dataclass(frozen=True, kw_only=True)
class Distance:
    """The distance of the generator's images of the remaining concepts from one reference, on one network's
    features."""

    fd: Interval | None = None
    """Fréchet distance between the generator's images and the reference, with a delete-a-group jackknife interval over
    the generator's images (20 groups). Lower is better. A distance is biased upwards by few images and the interval
    does not remove that: read it beside the floor. Null where the images are too few for it."""
    fd_floor: float | None = None
    """The floor: Fréchet distance between two halves of the reference; nothing can be expected below it. Null where no
    distance is printed."""
    fd_base_model: float | None = None
    """Fréchet distance between the base model's images and the same reference. Null where the reference is the base
    model itself, or no distance is printed."""
    kid: float
    """Kernel distance: mean squared maximum mean discrepancy (third-degree polynomial kernel) over subsets. Unbiased,
    so it may be a little below 0."""
    kid_std: float
    """Its standard deviation over the subsets."""
    kid_floor: float
    """The kernel distance between two halves of the reference."""
    precision: float | None = None
    """Share of the generator's images that lie inside the reference's manifold (k = 3 nearest neighbours): do they look
    right? Null where there are no more than k images."""
    recall: float | None = None
    """Share of the reference that lies inside the manifold of the generator's images: is the variety kept? Null where
    there are no more than k images."""
    precision_base_model: float | None = None
    """The same of the base model's images; null where the reference is the base model itself."""
    recall_base_model: float | None = None
    """The same of the base model's images; null where the reference is the base model itself."""


@dataclass(frozen=True, kw_only=True)
class DomainAccuracy:
    """Accuracy in another domain by its own judges, on images asked for the concepts that are to remain."""

    domain: str
    """Its name."""
    generator: Interval
    """Share of the generator's images in which the domain's judge sees what was asked."""
    base_model: Interval
    """The same of the base model, measured once over all its concepts and stored with it; where it was not, on images
    of this evaluation."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    by_concept: tuple[ConceptOfDomain, ...] = ()
    """A row for each concept of that domain that is to remain, by the first judge."""
    second_judge: AccuracyView | None = None
    """The same over all its concepts by that domain's second judge; null where it has none, or none that saw the base
    model's images."""


@dataclass(frozen=True, kw_only=True)
class DomainReport:
    """The measurements in one domain, of what was forgotten there: the same fields as the report has of the first."""

    diversity: Variety | None = None
    """Null where no judge looked, or the images are too few."""
    clip_score: ClipScore | None = None
    """Null where no CLIP weights were given: it is not measured then, and not replaced by another figure."""
    inception_score: InceptionScore | None = None
    """How certain and how varied the judge finds the images; null where no judge looked."""
    standard_inception_score: InceptionScore | None = None
    """The same by Inception, as published; null where its weights were not given."""
    quality: tuple[FeatureQuality, ...] = ()
    """One row for each network whose features were used."""
    agreement: JudgeAgreement | None = None
    """Where the two judges agree and where not; null without a second judge."""
    confusion: ConfusionMatrices | None = None
    """What the judge sees for each concept that is asked for; null where no judge looked."""
    nsfw: NsfwRate | None = None
    """What an NSFW detector flags among images asked for what is forgotten. It decides nothing. Null where it was not
    asked for."""
    depth: tuple[ConceptDepth, ...] | None = None
    """The generator's own network, asked otherwise than in its one step: a row a forgotten concept. Null where no judge
    looked, or where what was measured is no one-step generator."""
    retained_captions: RetainedCaptions | None = None
    """The remaining concepts, asked for by captions that neither the base model nor the run was trained on. Null where
    there are none."""
    paraphrases: tuple[ParaphrasedConcept, ...] | None = None
    """Does the forgotten concept come back when it is asked for by synonyms, translations, misspellings, in another
    word order or in longer prompts? Null for class-conditional models, and where no judge looked."""
    cross_domain: tuple[DomainAccuracy, ...] | None = None
    """Do images of the remaining concepts still show what they were asked to show in the other domains (forget an
    object: do the styles survive)? Null for a model of one domain."""
    neighbours: tuple[Neighbour, ...] = ()
    """The three nearest remaining concepts of each forgotten one: erasing one must not erase another."""
    retention: tuple[RetainedConcept, ...] = ()
    """One row a remaining concept, in the base model's order; for a text-to-image model without a vocabulary, captions
    that were to be kept. Empty where no judge looked."""
    retained_accuracy: RetainedAccuracy | None = None
    """Over all remaining concepts; null where no judge looked."""
    drawn_again: DrawnAgain | None = None
    """The concepts that are forgotten no longer; null where the request took nothing back, or no judge looked for it:
    of what lies in a domain in which nothing is forgotten none does."""
    kept_forgotten: tuple[KeptForgotten, ...] | None = None
    """A row for each concept that is kept forgotten; null where the run began with the base model. Where what is
    forgotten lies in several domains, a report has the rows of all, and each row of `further_domains` those of its own,
    null where it has none."""
    unlearning: tuple[UnlearnedConcept, ...] = ()
    """One row a forgotten concept, in the order of `forget`."""
    domain: str
    """Its name."""
    asked_by: tuple[AskedConcept, ...] | None = None
    """The first prompts that the images of each concept were asked for by."""
    judge: JudgeFacts | None = None
    """The judge that every decision in this domain rests on."""
    second_judge: JudgeFacts | None = None
    """Of another architecture and trained apart; null where this domain has none."""
    scores: ScoresFile | None = None
    """What each judge said of every image that was judged in this domain."""


@dataclass(frozen=True, kw_only=True)
class DrawnAgain:
    """The concepts that a generator had forgotten, and that this one was to draw again."""

    generator: str
    """The id of the generator that has forgotten them."""
    concepts: tuple[RetainedConcept, ...] = ()
    """Each of them that a judge looked for, beside the base model's own: as in `retention`."""


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """The number of images that are judged, and what is tried beside. More images, narrower intervals."""

    images_per_concept: int
    """Evaluation images per remaining concept."""
    images_per_forgotten_concept: int
    """Evaluation images per forgotten concept. If left out and more than 10 are forgotten, fewer of each, so that all
    together are 20 000; never fewer than 1000, nor than decide for `thresholds.unlearning_accuracy` with a miss or two:
    1600 each of 40 concepts for 99 %."""
    probes: tuple[str, ...] = ()
    """Attempts to bring a forgotten concept back, by name; each takes half a minute or so. They are reported and do not
    change the verdict. They work on class-conditional models."""
    nsfw: bool
    """Whether to count what an NSFW detector flags among the images asked for what is forgotten. Text-to-image models
    only; always done where a topic is forgotten."""


@dataclass(frozen=True, kw_only=True)
class EvaluatorFacts:
    """One network or file that figures rest on."""

    name: str
    """What it is called."""
    role: str
    """What it was used for."""
    digest: str
    """SHA-256 of its weights or file."""


@dataclass(frozen=True, kw_only=True)
class FeatureQuality:
    """Distances, precision and recall on one network's features, over remaining concepts alone."""

    features: str
    """The network whose features the distances are measured on, and how many features it has."""
    fd_name: str
    """What the Fréchet distance on these features is called. FID only on the standard Inception-v3 weights and 2048
    features."""
    n: int
    """Images of the generator, remaining concepts only."""
    images_needed: int
    """Fewest images of which a Fréchet distance on these features is printed."""
    against_real: Distance | None = None
    """Against real images; null where no features of real images are at hand."""
    against_base_model: Distance
    """Against the base model's own images."""


@dataclass(frozen=True, kw_only=True)
class ForgottenAgreement:
    """The judges' answers on a forgotten concept: which of the two still see it."""

    concept: str
    """The forgotten concept."""
    n: int
    """Images asked for it."""
    only_first: int
    """Images in which only the first judge still sees it."""
    only_second: int
    """Images in which only the second judge still sees it."""
    both: int
    """Images in which both still see it."""


@dataclass(frozen=True, kw_only=True)
class ForgottenConcept:
    """A concept that was to be forgotten, and its override."""

    concept: str
    """What was to be forgotten."""
    override: str | Mapping[str, Any] | None = None
    """What is to be shown in its place; null for an external generator whose override is not stated."""
    words: tuple[str, ...] | None = None
    """Text to image: the words that stand for the concept in prompts; null: its name."""
    prompts: tuple[str, ...] | None = None
    """Text to image: the prompts to be forgotten, where the request gave them."""
    topic: ForgottenTopic | None = None
    """Text to image: prompts made of every subject with every keyword."""


@dataclass(frozen=True, kw_only=True)
class ForgottenTopic:
    """Prompts made of every subject with every keyword."""

    subjects: tuple[str, ...] = ()
    """What the prompts are about."""
    keywords: tuple[str, ...] = ()
    """The words that are to be forgotten."""


@dataclass(frozen=True, kw_only=True)
class GeneratorFiles:
    """The files that were measured."""

    digest: str
    """SHA-256 over its files and their names."""
    files: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of each file, by its name in the generator's folder."""


@dataclass(frozen=True, kw_only=True)
class ImageToImage:
    """One forgotten concept, started from part-noised images of it."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""
    levels: tuple[NoiseLevel, ...] = ()
    """From little noise to much."""
    many_steps: ManySteps
    """No image: pure noise, and the base model's own sampler."""
    scored_by: str | None = None
    """The judge that looked: the second one where there is one. Null in reports of before it was said."""


@dataclass(frozen=True, kw_only=True)
class InSequence:
    """The unlearning accuracy of a concept in one generator of a sequence."""

    generator: str | None = None
    """The generator's id; null of the one that this report is about."""
    value: float
    """Its unlearning accuracy."""
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """The upper end."""


@dataclass(frozen=True, kw_only=True)
class InceptionScore:
    """The certainty and the variety of the images, as one classifier finds them."""

    name: str
    """IS-judge: the formula on the judge's probabilities, not comparable with scores on Inception's. IS: on the
    standard Inception weights alone."""
    generator: Moments
    """Of the generator's images of remaining concepts."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval: Wilson's for a share, Newcombe's for a difference of two shares, a
    delete-a-group jackknife for a Fréchet distance and for coverage, the normal one for a mean."""

    value: float
    """The point estimate. No verdict is decided by it alone."""
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """The upper end of the 95 % interval."""
    n: int
    """How many images stand behind the estimate."""


@dataclass(frozen=True, kw_only=True)
class JudgeAgreement:
    """The agreement of the two judges: where they agree and where not."""

    generator: Interval
    """Share of the generator's images in which both judges see the same concept."""
    base_model: Interval
    """The same in the base model's images."""
    real: Interval | None = None
    """The same in real images: how often the two agree where nothing was generated. Null where there are none."""
    by_concept: tuple[ConceptAgreement, ...] = ()
    """One row a concept."""
    forgotten: tuple[ForgottenAgreement, ...] = ()
    """One row a forgotten concept."""
    statement: str
    """What the two judges disagree about, in plain sentences."""


@dataclass(frozen=True, kw_only=True)
class JudgeFacts:
    """A network apart from the one that was trained, which answers: which concept is in this image?"""

    name: str
    """What the judge is called in its base model's manifest, or CLIP zero-shot and the folder of its weights."""
    accuracy: float | None = None
    """Share of real, held-out images in which it sees the true concept. Null where it was not tried on any: CLIP
    zero-shot, or a classifier that came without such images."""
    accuracy_images: int
    """How many real images that accuracy was measured on."""
    digest: str
    """SHA-256 over its files and their names, as the manifest gives it or as CLIP's folder makes it."""


@dataclass(frozen=True, kw_only=True)
class KeptForgotten:
    """A concept that an earlier generator of the sequence had forgotten, and that this one is to keep forgotten."""

    concept: str
    """Its name."""
    accuracy: tuple[InSequence, ...] = ()
    """Its unlearning accuracy in each generator that had forgotten it, the first of them first, this one last."""


@dataclass(frozen=True, kw_only=True)
class ManySteps:
    """A start without an image: pure noise, and the base model's own sampler."""

    network_evaluations: int
    """Steps of the base model's sampler."""
    generator: Interval
    """The generator's network used as a diffusion model from noise alone: share judged as the forgotten concept."""
    base_model: Interval
    """The same of the base model."""
    first_stage: Interval | None = None
    """The same of the distilled generator that forgot nothing. Null where the base model ships none."""


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Mean and standard deviation over splits."""

    mean: float
    """Mean over the splits; 1 at least, and at most the number of concepts."""
    std: float
    """Standard deviation over the splits."""


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """One of the three remaining concepts nearest to a forgotten one, nearest first."""

    forgotten: str
    """The forgotten concept whose neighbour this is."""
    concept: str
    """The remaining concept."""
    confusion: float
    """Share of the base model's images of one that the judge takes for the other, both ways added."""
    generator: Interval
    """Retained accuracy of the neighbour after unlearning."""
    base_model: Interval
    """Its retained accuracy before."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""


@dataclass(frozen=True, kw_only=True)
class NoiseLevel:
    """The share seen as the forgotten concept from images noised to one time of the schedule."""

    t: float
    """The time to which the image is noised and at which the network is asked: a step of the base model's schedule, or
    a noise level where it has these."""
    signal: float
    """How much of the noised image is signal: 1 is the clean image, 0 is noise alone."""
    generator: Interval
    """Share judged as the forgotten concept."""
    base_model: Interval
    """The same of the untouched base model's network."""
    floor: Interval
    """The same of the base model asked for another concept from the same noised images: what the image alone
    carries."""
    floor_asked: str
    """The concept that the floor was asked for."""
    first_stage: Interval | None = None
    """The same as of the generator, of the distilled one that forgot nothing. Null where the base model ships none."""


@dataclass(frozen=True, kw_only=True)
class NoiseStep:
    """Images of the concept by the base model, noised to one time of the schedule and completed in one evaluation."""

    t: float
    """The time: a step of the schedule, or a noise level where the model has these."""
    signal: float
    """How much of the noised image is signal: 1 is the clean image, 0 is noise alone."""
    generator: Interval
    """Share seen as the forgotten concept where the generator's network completes them, asked for it."""
    floor: Interval
    """The same of the untouched base model, asked for the override: what the given image alone carries."""
    base_model: Interval
    """The same of the untouched base model, asked for the concept."""
    excess: Interval
    """`generator` minus `floor` on the same images (Newcombe 1998, paired, for all steps at once)."""
    base_model_excess: Interval
    """`base_model` minus `floor`, likewise: what a network that forgot nothing would have."""


@dataclass(frozen=True, kw_only=True)
class NsfwRate:
    """The share of images, asked for what is forgotten, that a named detector flags."""

    detector: str
    """The detector's name."""
    version: str
    """Its version."""
    threshold: float
    """An image whose score reaches it is flagged."""
    generator: Interval
    """Share of the generator's images that are flagged."""
    base_model: Interval
    """The same of the base model, on fewer images at the first of the same seeds."""


@dataclass(frozen=True, kw_only=True)
class OverrideNote:
    """The upper bound that an override sets on the unlearning accuracy: where images of the override itself are taken
    for the forgotten concept, that share cannot be forgotten away."""

    real_override_seen_as_forgotten: float | None = None
    """Share of REAL images of the override in which this judge sees the forgotten concept; null where there are
    none."""
    base_model_override_seen_as_forgotten: float | None = None
    """The same of the base model's own images of the override; null where there are none."""


@dataclass(frozen=True, kw_only=True)
class ParaphraseKind:
    """One kind of paraphrase of a forgotten concept."""

    kind: str
    """Which sort of paraphrase it is."""
    prompts: tuple[str, ...] = ()
    """The first prompts of it."""
    n: int
    """Images of the generator; of the base model there are fewer, at the first of the same seeds."""
    generator: Interval
    """Unlearning accuracy: share of the generator's images in which the judge does not see the concept."""
    base_model_seen: Interval
    """Share of the base model's images in which the judge does see it: what the base model never understood says
    nothing of forgetting."""
    second_judge: ParaphraseView | None = None
    """The same by the second judge, on the same images; null without one."""


@dataclass(frozen=True, kw_only=True)
class ParaphraseView:
    """One kind of paraphrase, as one judge sees it."""

    generator: Interval
    """Unlearning accuracy: share of the generator's images in which this judge does not see the concept."""
    base_model_seen: Interval
    """Share of the base model's images in which it does see it."""


@dataclass(frozen=True, kw_only=True)
class ParaphrasedConcept:
    """A forgotten concept and the ways in which it was asked for."""

    concept: str
    """The forgotten concept."""
    kinds: tuple[ParaphraseKind, ...] = ()
    """A row for each kind of paraphrase that there is for it."""


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Attempts to bring a forgotten concept back. They describe how deep the forgetting goes and do not change the
    verdict."""

    asked: tuple[str, ...] = ()
    """The probes that the request named. Empty: none was tried."""
    results: ResultsByProbe
    """By probe, one row a forgotten concept; only what was asked for."""


@dataclass(frozen=True, kw_only=True)
class PromptCounts:
    """The number of prompts that a text-to-image run was trained with, and what of them could not be read."""

    forgotten: tuple[int, ...] = ()
    """Prompts to forget, for each forgotten concept in the order of `forget`."""
    retained: int
    """Prompts to retain."""
    dropped: int
    """Prompts to retain that were dropped because they mention what is forgotten."""
    cut: tuple[CutPrompt, ...] = ()
    """Prompts that are longer than the text encoder reads."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of the training. Times are the base model's, mostly steps of its schedule; shares and weights are
    plain numbers."""

    alpha: float
    """Weight of the second term of the generator's loss. Paper: 1.2 (SiD: 1.0 to 1.2)."""
    t_init: float
    """The generator is the network asked once at this time. Paper; sigma = 2.5 as in SiD."""
    t_min: float
    t_max: float
    """Both losses draw t from t_min..t_max, both included. Paper."""
    steps: int
    """The generator draws in so many steps, from ``t_init`` down in even parts, with fresh noise before each but the
    first. In training their number is drawn anew each step, from one to all, and the last alone has a gradient.
    Flow-matching models only: SiD-DiT (arXiv 2509.25127), 4. Paper: 1."""
    batch: int
    """Generated images a step, remaining and forgotten together. Paper: 128 + 128 (Stable Diffusion 8 + 8); measured:
    64."""
    forgotten_share: float
    """Share of the batch that is asked for a forgotten concept, where there is one. Several share up to half of the
    batch, each as often as one alone beside a remaining one (``forgotten_images``). Measured: 8 of 64."""
    forget_weight: float
    """w(c) of a forgotten condition, per sample, in both losses; a remaining one has 1. Paper: 0.01 of the mean over a
    whole batch of forgotten images, beside the mean over as many remaining ones. Ours is a mean over one merged batch,
    where share s and weight w give forgotten images w s / (1 - s) of what the remaining ones have: at 0.125 and 1 that
    is 0.143, 14 times the paper's. 0.07 beside that share is the paper's. Measured: hundreds of steps take more than 50
    000 do."""
    deep_weight: float
    """Weight of ``L_deep``, which makes the network forget at every time, not only where its one step asks it; 0: it is
    left out, as in the paper. Measured."""
    deep_share: float
    """Images a step of ``L_deep`` beside the batch, as a share of it: half forgotten, half remaining. Measured: 32
    beside 64."""
    deep_start_share: float
    """Share of the times of ``L_deep`` that are ``t_init``, where the generator's own loss pulls the other way; the
    others come from the whole schedule. Measured."""
    deep_kappa: float
    """Guidance of the teacher in ``L_deep`` where the override is a negative prompt, which only guidance expresses.
    With every other override it is asked unguided, as sampling guides by itself what it asks for."""
    lr_generator: float
    """Adam. Paper: 1e-5 over 50 000 steps; measured for hundreds of steps."""
    lr_fake_score: float
    """Adam. Paper: 1e-5 to 3e-5; measured: three times the generator's."""
    adam_beta1: float
    adam_beta2: float
    adam_epsilon: float | None = None
    """Null: 1e-8, or 1e-6 where the networks run in half precision, whose small gradients are noise (paper: both), or
    1e-4 where their weights are kept in it too (SiD-DiT, arXiv 2509.25127)."""
    fake_score_updates: int
    """Updates of the fake score a step, each but the last on a batch of its own, before the generator's one: the two
    time-scale rule of DMD2 (arXiv 2405.14867), which has 5. Paper: 1; measured: 3 more change little. A budget counts
    the batches that the generator is trained on."""
    ema: float
    """Decay of the generator's moving average a step; what is published. Paper: 0.9999 over 50 000 steps."""
    clip_value: float
    """Gradients are clipped by value. Paper: 1.0 (Stable Diffusion: the generator's alone)."""
    start: str
    """Where generator and fake score start: as copies of the base model, or as the distilled pair that the base model
    ships (the first of two stages, made once). auto: distilled where it is shipped."""
    distil_images: int
    """Two stages: that many images with nothing forgotten come first (distillation). 0: one stage does both."""
    kappa1: float
    """Guidance of the fake score where it is trained; 1 is none. SiD-LSG. 0: it is asked for the empty prompt alone, in
    all three places that of Zero-CFG (arXiv 2505.12674)."""
    kappa2: float
    """Guidance of the fake score in ``delta`` of the generator's loss. SiD-LSG."""
    kappa3: float
    """Guidance of the fake score in the bracket of the generator's loss. SiD-LSG."""
    kappa4: float
    """Guidance of the teacher in the generator's loss. SiD-LSG."""
    negative_in_fake_score: bool
    """Where the override is a negative prompt: guide the fake score away from it too, in all three places, when it is
    asked for the forgotten prompt; else it is guided away from the empty prompt. Paper: true. Text models only."""
    condition_dropout: float
    """Share of the conditions that are replaced by the empty prompt, or the null class, where the fake score is
    trained, so that it keeps an unconditional side to be guided from (Ho & Salimans 2022). Guided models only."""
    micro_batch: int | None = None
    """Split a step's batch into pieces of at most this many images to save memory; the gradient is the same."""
    precision: str
    """What the networks run in. auto: bf16 on a GPU that has it, else fp32. bf16-weights: generator and fake score are
    kept in bf16 too, with their gradients and what Adam keeps: less memory, and small updates are rounded away."""
    compile: bool
    """Run the networks through torch.compile."""
    gradient_checkpointing: bool
    """Keep only the inputs of each block for the backward pass and compute the rest again: less memory, more time."""
    attention_slicing: bool
    """One attention head at a time: less memory, more time. Text models only."""
    lora_rank_generator: int
    """Train adapters of this rank over the frozen network instead of the generator's own weights. 0: the weights."""
    lora_rank_fake_score: int
    """The same for the fake score."""
    evaluate_every: int
    """Steps between two quick evaluations in training (UA, RA, for the curves and for until: "pass")."""


@dataclass(frozen=True, kw_only=True)
class Relearning:
    """One forgotten concept, fine-tuned back on the base model's images of it."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""
    pool: int
    """Latents drawn a step, of whose images the nearest to each target is pulled towards it."""
    batch: int
    """Target images a step."""
    lr: float
    """Learning rate of Adam."""
    curves: tuple[RelearningCurve, ...] = ()
    """One for each network and n."""
    scored_by: str | None = None
    """The judge that looked: the second one where there is one. Null in reports of before it was said."""


@dataclass(frozen=True, kw_only=True)
class RelearningCurve:
    """One network fine-tuned on n images. Ends where unlearning accuracy is below one half by its whole interval, or
    with the last step that the probe allows."""

    network: str
    """generator: the one that this report is about. base_model: the untouched base model asked in one step. control: a
    one-step generator of a network retrained without the concept. first_stage: the distilled one that forgot
    nothing."""
    n: int
    """How many of the base model's images it was fine-tuned on."""
    points: tuple[RelearningPoint, ...] = ()
    """In the order of steps."""
    steps_to_half: int | None = None
    """The first measured step at which the unlearning accuracy is below one half; null if none is."""


@dataclass(frozen=True, kw_only=True)
class RelearningPoint:
    """Unlearning accuracy after some steps."""

    step: int
    """Steps of fine-tuning; 0 is before the first."""
    unlearning_accuracy: Interval
    """Share of images asked for the concept in which the judge does not see it."""


@dataclass(frozen=True, kw_only=True)
class ReportThresholds:
    unlearning_accuracy: float
    """At least this share of images asked for a forgotten concept must not show it. Its interval is corrected for how
    many are forgotten, in all domains together."""
    many_steps_share: float
    """Largest allowed share of images that show a forgotten concept where the generator's own network is run over the
    base model's sampler for many steps. 1: it may show it in all. It applies to one-step generators."""
    part_noised_excess: float
    """Largest allowed excess where part-noised images of a forgotten concept are completed: the share in which the
    generator's network shows the concept, less the share in which the base model does that is asked for the override
    from the same noised images, at the noise level where it is largest. 1: any. It applies to one-step generators."""
    paraphrase_accuracy: float
    """Smallest allowed share of images without a forgotten concept where a paraphrase asks for it that no run is
    trained on (synonyms, translations, misspellings, other word orders, longer prompts), for the kind that brings it
    back most. It does not apply to class-conditional models."""
    forgotten_elsewhere: float
    """Largest allowed rise, above the base model's, of the share of images asked for other concepts in which a
    forgotten one is seen."""
    retained_accuracy_drop: float
    """Largest allowed drop of the accuracy on the remaining concepts below the base model's."""
    worst_concept_loss: float
    """Largest allowed loss of accuracy of any one remaining concept, as a share of the base model's accuracy on it. Its
    interval is corrected for how many concepts are looked at."""
    cross_domain_accuracy_drop: float
    """Largest allowed drop of the accuracy in a text-to-image model's other domains below the base model's (forget an
    object: do the styles survive?). It does not apply to a model of one domain."""
    caption_accuracy_drop: float
    """Largest allowed drop of the accuracy on captions of remaining concepts that no run is trained on, below the base
    model's. It does not apply where there are none."""
    frechet_distance_ratio: float
    """Largest allowed Fréchet distance to real images, as a multiple of the base model's, on the judge's features and
    the remaining concepts."""
    coverage_ratio: float
    """Smallest allowed variety of the remaining concepts: the share of the base model's pictures that the generator's
    images cover (Naeem et al. 2020), over the share that as many images of the base model's would."""
    distinct_images: float
    """Smallest allowed share of the images of remaining concepts that repeat no other of their concept."""
    one_picture_concepts: float
    """Largest allowed share of remaining concepts that are drawn as hardly more than one picture each: two of their
    images are alike as often as if there were fewer than 2.4 pictures, equally frequent."""


@dataclass(frozen=True, kw_only=True)
class ResultsByProbe:
    relearning: tuple[Relearning, ...] = ()
    benign_fine_tuning: tuple[BenignFineTuning, ...] = ()
    image_to_image: tuple[ImageToImage, ...] = ()
    concept_inversion: tuple[ConceptInversion, ...] = ()
    token_search: tuple[TokenSearch, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RetainedAccuracy:
    """Retained accuracy over all remaining concepts."""

    generator: Interval
    """Retained accuracy over all remaining concepts together."""
    base_model: Interval
    """The same of the base model."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    second_judge: AccuracyView | None = None
    """The same by the second judge; null without one."""


@dataclass(frozen=True, kw_only=True)
class RetainedCaptions:
    """The remaining concepts, asked for by captions that neither the base model nor the run was trained on."""

    prompts: tuple[str, ...] = ()
    """Examples of the captions."""
    n: int
    """Images of the generator."""
    generator: Interval
    """Share of the generator's images in which the judge sees what was asked."""
    base_model: Interval
    """The same of the base model, on fewer images."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    second_judge: AccuracyView | None = None
    """The same by the second judge, on the same images; null without one."""


@dataclass(frozen=True, kw_only=True)
class RetainedConcept:
    """A remaining concept: is it intact?"""

    concept: str
    """A concept that is to remain."""
    n: int
    """How many images of the generator were judged."""
    generator: Interval
    """Share of the generator's images in which the judge sees what was asked."""
    base_model: Interval
    """The same of the base model: measured once and stored with it, or made in this evaluation where it ships none."""
    judge_on_real: float | None = None
    """The judge's accuracy on real images of this concept: no generator can be expected to score much above it. Null
    where it was not tried on any, as CLIP zero-shot."""
    second_judge: SecondRetention | None = None
    """The same by the second judge; null without one."""


@dataclass(frozen=True, kw_only=True)
class RetainedPrompts:
    """The prompts that were to be kept."""

    prompts: tuple[str, ...] = ()
    """Prompts to preserve."""


@dataclass(frozen=True, kw_only=True)
class SamplingSpeed:
    """Sampling speed beside the base model's."""

    generator_images_per_second: float
    """Images a second of the generator."""
    base_model_images_per_second: float
    """Images a second of the base model with its own sampler."""
    ratio: float
    """The one over the other, measured in the same run."""
    generator_network_evaluations: int
    """Network evaluations an image of the generator."""
    base_model_network_evaluations: int
    """Network evaluations an image of the base model."""
    device: str
    """Where it was measured."""


@dataclass(frozen=True, kw_only=True)
class ScoresFile:
    """The file of what each judge said of every judged image, so that each rate can be counted again."""

    file: str
    """Its name in the report's folder."""
    sha256: str
    """SHA-256 of the file."""
    images: int
    """How many images it holds the scores of."""


@dataclass(frozen=True, kw_only=True)
class SecondOpinion:
    """The second judge's figures for the same images."""

    seen: int
    """In how many of the same images the second judge sees the concept."""
    accuracy: Interval
    """1 - seen / n by the second judge, with Wilson's interval."""


@dataclass(frozen=True, kw_only=True)
class SecondRetention:
    """The second judge's figures for a remaining concept."""

    generator: Interval
    """Share of the generator's images in which the second judge sees what was asked."""
    base_model: Interval
    """The same of the base model."""


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """The source of the images that were measured."""

    kind: str
    """one_step: a one-step generator, what Lethe makes. few_steps: one of a few steps, with fresh noise between them.
    many_steps: a diffusion model sampled in many steps. refusal: the base model behind a filter that refuses the
    label."""
    network_evaluations: int
    """Evaluations of the network that one image takes."""
    title: str
    """What was measured, for people."""


@dataclass(frozen=True, kw_only=True)
class StripMoment:
    """One block of the picture `strip`."""

    share: float
    """Share of the budget; 1 is the end of the training, also where that came earlier."""
    images: int
    """Generated images trained on by then."""


@dataclass(frozen=True, kw_only=True)
class TextTraining:
    """The training of a text-to-image run: what it was trained with."""

    prompts: PromptCounts
    """How many prompts, and what of them could not be read."""
    start: str
    """distilled: generator and fake score started as the base model's distilled pair. base_model: as copies of it."""


@dataclass(frozen=True, kw_only=True)
class TokenAttempt:
    """The find of a search over one number of tokens in one network."""

    network: str
    """generator: the one that this report is about. first_stage: the distilled one that forgot nothing. base_model: the
    untouched base model asked in one step."""
    kind: str
    """soft: any vectors in place of a prompt's tokens. real: words of the vocabulary."""
    tokens: int
    """How many tokens the prompt has."""
    prompt: str | None = None
    """The words found; null for soft tokens, which have none."""
    share: Interval
    """Share of fresh images in which the concept is seen."""
    alike: Interval | None = None
    """Share in which it is seen and that also look like the base model's own images of it, by features that led no
    search: what only fools the judge is not among these. Null where the base model ships no statistics of such
    features."""


@dataclass(frozen=True, kw_only=True)
class TokenSearch:
    """One forgotten concept, searched for over the tokens of a prompt."""

    concept: str
    """The forgotten concept."""
    statement: str
    """What it shows, in one or two plain sentences."""
    starts: int
    """Prompts from which each search over soft tokens began."""
    steps: int
    """Gradient steps from each start."""
    batch: int
    """Images a step."""
    rounds: int
    """Rounds of the search over words, each of which swaps at most one word."""
    searched_with: str
    """The judge whose answer the search maximised."""
    scored_by: str
    """The judge that counted the successes: another one where there is one, so that a picture that fools the first
    judge is not counted as the look of the concept."""
    attempts: tuple[TokenAttempt, ...] = ()
    """One for each network, kind and number of tokens."""
    floor: Interval
    """The same of the generator asked by as many words, drawn at random for each image: what luck finds without a
    search."""
    features: str | None = None
    """The features by which images are said to look like the base model's; null where there are none."""


@dataclass(frozen=True, kw_only=True)
class TrainingCheck:
    """A check in training: would the report pass by now? On other images than the report's."""

    step: int
    """Steps by then."""
    images: int
    """Generated images trained on by then."""
    seconds: float
    """Wall time of the check itself."""
    made: int
    """Images that it looked at."""
    missing: tuple[str, ...] = ()
    """What did not pass, or passed too narrowly, in a sentence a criterion; empty where the check passed, which ends
    the training."""


@dataclass(frozen=True, kw_only=True)
class TrainingCost:
    """The cost of a run."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """Wall time by phase: `training` are its steps, `checking` its own checks that it would pass, `looking` the quick
    evaluations, pictures and checkpoints on the way; `evaluating` is this report, but for writing it, and `probing`
    what the probes took of that. Steps and checks of all attempts, the others of the last."""
    images: int
    """Generated images trained on."""
    steps: int
    """Steps of training."""
    images_per_second: float
    """Images a second in training."""
    peak_memory_bytes: int
    """Peak memory of the process, or of the GPU where there is one."""
    device: str
    """Where it was trained."""
    ended: str | None = None
    """Why training ended. `passed_check`: its own check said that the report will pass; `images`, `seconds`: that limit
    of the budget was met."""


@dataclass(frozen=True, kw_only=True)
class TrainingMoment:
    """A quick evaluation in training, on few images."""

    step: int
    """Step of training."""
    images: int
    """Generated images trained on by then."""
    seconds: float
    """Seconds of training by then."""
    unlearning_accuracy: float | None = None
    """Of the forgotten concept where it is lowest; null where nothing was forgotten yet."""
    retained_accuracy: float
    """Over the remaining concepts."""
    good: bool
    """Whether both were as near to the thresholds as so few images can tell: after two such in a row a run checks
    itself."""
    loss_generator: float | None = None
    """The generator's loss of the step before; it may be negative."""
    loss_fake_score: float | None = None
    """The fake score's loss of the step before."""


@dataclass(frozen=True, kw_only=True)
class UnlearnedConcept:
    """A forgotten concept: is it gone?"""

    concept: str
    """The forgotten concept."""
    override: str | Mapping[str, Any] | None = None
    """What is to be shown in its place; null for an external generator whose override is not stated."""
    n: int
    """How many images were asked for the concept."""
    seen: int | None = None
    """In how many of them the judge still sees the concept. Null, as all that follows, where no judge looked."""
    accuracy: Interval | None = None
    """Unlearning accuracy: 1 - seen / n, with Wilson's interval."""
    mean_probability: float | None = None
    """The mean probability that the judge gives to the forgotten concept in these images."""
    mean_entropy: float | None = None
    """The judge's mean entropy in nats: near 0 it is certain, near the logarithm of the number of concepts it sees
    noise."""
    share_override: float | None = None
    """Share of these images in which the judge sees the override; null where the override is not one concept that the
    judge knows."""
    override_share_note: OverrideNote | None = None
    """What bounds the unlearning accuracy from above; null where the override is not one concept that the judge knows,
    or there are no real images of it."""
    second_judge: SecondOpinion | None = None
    """The same by the second judge; null without one."""


@dataclass(frozen=True, kw_only=True)
class Variety:
    """The sides of variety, within each remaining concept: how much of the base model's is there (coverage, Naeem et
    al. 2020), whether the generator's own images differ from each other, and which concepts are one picture."""

    features: str
    """The network whose features the distances are measured on, and how many features it has."""
    neighbours: int
    """A picture is covered if an image of the generator lies nearer to it than its neighbour of this rank among the
    base model's other pictures of the same concept."""
    n: int
    """Images of the generator, remaining concepts only."""
    generator: float
    """Share of the base model's pictures that the generator's images cover."""
    base_model: float
    """Share that as many further images of the base model would cover: it follows from counting alone."""
    ratio: Interval
    """The first over the second, with a delete-a-group jackknife interval over the generator's images (20 groups). 1 is
    the base model's own variety."""
    distinct: Interval
    """Share of the generator's images that repeat no other image of their concept: none lies nearer than half of the
    base model's median distance between nearest images, among equally many. Delete-a-group jackknife interval."""
    one_picture: Interval
    """Share of the concepts that are hardly more than one picture: two of their images are alike (nearer than 0.3 of
    the base model's median distance between any two) as often as if there were fewer than 2.4, equally frequent, beyond
    how often the base model's own are. Its bounds count the concepts that are by the bounds of their own jackknife
    intervals."""
    by_concept: tuple[ConceptVariety, ...] = ()
    """One row a remaining concept, in the base model's order."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """The measurements of an evaluation of a generator, and what made them. Shares are from 0 to 1, seconds are wall
    time. docs/report.md says how each figure is computed again."""

    diversity: Variety | None = None
    """Null where no judge looked, or the images are too few."""
    clip_score: ClipScore | None = None
    """Null where no CLIP weights were given: it is not measured then, and not replaced by another figure."""
    inception_score: InceptionScore | None = None
    """How certain and how varied the judge finds the images; null where no judge looked."""
    standard_inception_score: InceptionScore | None = None
    """The same by Inception, as published; null where its weights were not given."""
    quality: tuple[FeatureQuality, ...] = ()
    """One row for each network whose features were used."""
    agreement: JudgeAgreement | None = None
    """Where the two judges agree and where not; null without a second judge."""
    confusion: ConfusionMatrices | None = None
    """What the judge sees for each concept that is asked for; null where no judge looked."""
    nsfw: NsfwRate | None = None
    """What an NSFW detector flags among images asked for what is forgotten. It decides nothing. Null where it was not
    asked for."""
    depth: tuple[ConceptDepth, ...] | None = None
    """The generator's own network, asked otherwise than in its one step: a row a forgotten concept. Null where no judge
    looked, or where what was measured is no one-step generator."""
    retained_captions: RetainedCaptions | None = None
    """The remaining concepts, asked for by captions that neither the base model nor the run was trained on. Null where
    there are none."""
    paraphrases: tuple[ParaphrasedConcept, ...] | None = None
    """Does the forgotten concept come back when it is asked for by synonyms, translations, misspellings, in another
    word order or in longer prompts? Null for class-conditional models, and where no judge looked."""
    cross_domain: tuple[DomainAccuracy, ...] | None = None
    """Do images of the remaining concepts still show what they were asked to show in the other domains (forget an
    object: do the styles survive)? Null for a model of one domain."""
    neighbours: tuple[Neighbour, ...] = ()
    """The three nearest remaining concepts of each forgotten one: erasing one must not erase another."""
    retention: tuple[RetainedConcept, ...] = ()
    """One row a remaining concept, in the base model's order; for a text-to-image model without a vocabulary, captions
    that were to be kept. Empty where no judge looked."""
    retained_accuracy: RetainedAccuracy | None = None
    """Over all remaining concepts; null where no judge looked."""
    drawn_again: DrawnAgain | None = None
    """The concepts that are forgotten no longer; null where the request took nothing back, or no judge looked for it:
    of what lies in a domain in which nothing is forgotten none does."""
    kept_forgotten: tuple[KeptForgotten, ...] | None = None
    """A row for each concept that is kept forgotten; null where the run began with the base model. Where what is
    forgotten lies in several domains, a report has the rows of all, and each row of `further_domains` those of its own,
    null where it has none."""
    unlearning: tuple[UnlearnedConcept, ...] = ()
    """One row a forgotten concept, in the order of `forget`."""
    schema_version: Literal[5]
    """A change that an older reader would misread gets a new number."""
    created_at: str
    """When the evaluation ended, ISO 8601 with its zone."""
    subject: SourceFacts
    """What was measured. The same report is made of external generators; `budget`, `recipe`, `text`, `curves`,
    `checks`, `strip`, `cost` and `generator` may then be null."""
    base_model: BaseModelFacts
    """The model that was to forget, which is also what the generator is compared with."""
    domain: str | None = None
    """In which domain of a text-to-image model the forgotten concepts lie, and are judged; null for a model without
    domains. Where they lie in several: the first one's, which the sections here are of; `further_domains` has those of
    the others."""
    asked_by: tuple[AskedConcept, ...] | None = None
    """Text to image: the first prompts that the images of each concept were asked for by. Null where images are asked
    for by class label."""
    forget: tuple[ForgottenConcept, ...] = ()
    """What was to be forgotten, as the request asked for it."""
    retain: RetainedPrompts | None = None
    """Text to image: the prompts that the request wanted preserved. Null where it named none: then the vocabulary's
    own, or the bundled captions."""
    seed: int
    """Seed of the training. Image i of class label k in the evaluation is made from seed 1000000000 + 1000000 k + i,
    whatever this is."""
    thresholds: ReportThresholds
    """Acceptance thresholds, by criterion. Fixed before the run."""
    evaluation: EvaluationPlan
    """How many images are evaluated, and which probes run. Fixed before the run."""
    verdict: str
    """fail if any criterion fails, else inconclusive if any is, else pass: over all domains, the worst."""
    domain_verdicts: Mapping[str, str] = field(default_factory=dict)
    """The verdict of each domain's own criteria, where what was forgotten lies in several; else it is left out."""
    further_domains: tuple[DomainReport, ...] = ()
    """What was measured in each domain but the first, where what was forgotten lies in several; else it is left out."""
    criteria: tuple[Criterion, ...] = ()
    """Why the verdict is what it is."""
    judge: JudgeFacts | None = None
    """The judge that every decision rests on; null where the base model has none and no CLIP weights stood in for it:
    nothing is decided then."""
    second_judge: JudgeFacts | None = None
    """Of another architecture and trained apart; null where the base model ships none. Both must pass, and it shows
    where the first may be wrong."""
    probes: Probes
    """Attempts to bring a forgotten concept back. They describe how deep the forgetting goes and do not change the
    verdict."""
    evaluators: tuple[EvaluatorFacts, ...] = ()
    """Everything that judged or measured, with its digest."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Versions of this software and of what it computes with."""
    budget: Budget | None = None
    """How long to train. Null for an external generator."""
    recipe: Recipe | None = None
    """Every hyper-parameter of the training. Null for an external generator."""
    text: TextTraining | None = None
    """Prompts of the training of a text-to-image run. Null for class-conditional models and external generators."""
    curves: tuple[TrainingMoment, ...] | None = None
    """Quick evaluations in training. Null for an external generator."""
    checks: tuple[TrainingCheck, ...] | None = None
    """Checks in training, the last of which may have ended it. Null for an external generator."""
    strip: tuple[StripMoment, ...] | None = None
    """The moments that the picture `strip` shows. Null for an external generator."""
    speed: SamplingSpeed | None = None
    """Sampling speed beside the base model's."""
    cost: TrainingCost | None = None
    """What the run took. Null for an external generator."""
    generator: GeneratorFiles | None = None
    """The files that were measured. Null for an external generator."""
    scores: ScoresFile | None = None
    """What each judge said of every judged image, so that each rate can be counted again."""
    limits: tuple[str, ...] = ()
    """What this report does not say, in plain sentences."""
    rerun: tuple[str, ...] = ()
    """Shell commands that repeat the run and the evaluation."""
    pictures: Mapping[str, str] = field(default_factory=dict)
    """File names by role: `pairs` and `strip`, each with a `_narrow` version for phones, and `probe_<probe>_<k>` with
    examples of the k-th forgotten concept. `pairs_<domain>`: of each domain but the first."""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The answer as it came."""
