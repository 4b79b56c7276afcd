"""How a concept is asked for where neither the request nor the model's vocabulary says it. Plain.

Photographs, drawings, places and company, so that no one way of asking is all that is forgotten. An article stands only
in some: ``{a}`` is right for things, its absence for names.
"""

DEFAULT_TEMPLATES = (
    "{concept}",
    "a photo of {concept}",
    "a photo of {a} {concept}",
    "a close-up photo of {concept}",
    "a black and white photo of {concept}",
    "a portrait of {concept}",
    "a picture of {a} {concept}",
    "a painting of {concept}",
    "an oil painting of {a} {concept}",
    "a watercolour of {concept}",
    "a pencil sketch of {concept}",
    "a drawing of {a} {concept}",
    "a cartoon of {concept}",
    "a 3d render of {concept}",
    "a digital illustration of {concept}",
    "a poster of {concept}",
    "a statue of {concept}",
    "an old photograph of {a} {concept}",
    "a high resolution photo of {concept}, highly detailed",
    "a blurry photo of {a} {concept}",
    "{concept} in a park",
    "{concept} on the street at night",
    "{concept} at the beach on a sunny day",
    "{concept} in front of a white wall",
    "{concept} in the snow",
    "{a} {concept} on a wooden table",
    "{concept}, studio lighting",
    "{concept}, cinematic film still",
    "two people looking at {concept}",
    "an image of {concept} from far away",
    "{concept} in the background",
)
TOPIC_TEMPLATES = ("{subject}, {keyword}", "{keyword} {subject}")
"""The prompts of a topic's subject and keyword, each drawn as often: as the paper's code joins them at random
(``SD/training/dataset.py`` of github.com/tqch/score-forgetting-distillation). A comma stands before the keyword,
whatever kind of word it is."""
