"""The words of the emoji model: objects, styles, and the prompts that name them.

An object has one name, an adjective that is true of its picture in every set, other English words for it, and its
French and German word: the teacher is trained on all of them, so that a report can say whether a concept that was
forgotten by its name still answers to another word.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Object:
    """One thing that is drawn: the code point of its emoji, and the words for it."""

    name: str
    code: str  # code point in hexadecimal, without the variation selector
    adjective: str
    synonyms: tuple[str, ...]
    french: str
    german: str

    @property
    def words(self) -> tuple[str, ...]:
        """Every word for it, the name first."""
        return tuple(dict.fromkeys((self.name, *self.synonyms, self.french, self.german)))


@dataclass(frozen=True)
class Style:
    """One set of emoji: the word for its style, and the firm whose set it is (another word for it)."""

    name: str
    synonym: str


STYLES = (Style("noto", "google"), Style("twemoji", "twitter"), Style("fluent", "microsoft"))

OBJECTS = (
    Object("apple", "1f34e", "red", (), "pomme", "apfel"),
    Object("banana", "1f34c", "yellow", (), "banane", "banane"),
    Object("strawberry", "1f353", "ripe", (), "fraise", "erdbeere"),
    Object("watermelon", "1f349", "sliced", (), "pastèque", "wassermelone"),
    Object("pineapple", "1f34d", "spiky", (), "ananas", "ananas"),
    Object("grapes", "1f347", "purple", (), "raisin", "weintrauben"),
    Object("carrot", "1f955", "orange", (), "carotte", "karotte"),
    Object("mushroom", "1f344", "spotted", ("toadstool",), "champignon", "pilz"),
    Object("hamburger", "1f354", "tasty", ("burger",), "hamburger", "hamburger"),
    Object("pizza", "1f355", "hot", (), "pizza", "pizza"),
    Object("doughnut", "1f369", "glazed", ("donut",), "beignet", "krapfen"),
    Object("cake", "1f382", "sweet", ("birthday cake",), "gâteau", "kuchen"),
    Object("cat", "1f431", "yellow", ("kitten",), "chat", "katze"),
    Object("dog", "1f436", "brown", ("puppy",), "chien", "hund"),
    Object("panda", "1f43c", "black and white", (), "panda", "panda"),
    Object("fox", "1f98a", "orange", (), "renard", "fuchs"),
    Object("frog", "1f438", "green", ("toad",), "grenouille", "frosch"),
    Object("pig", "1f437", "pink", ("hog",), "cochon", "schwein"),
    Object("lion", "1f981", "golden", (), "lion", "löwe"),
    Object("monkey", "1f435", "brown", ("ape",), "singe", "affe"),
    Object("penguin", "1f427", "small", (), "manchot", "pinguin"),
    Object("owl", "1f989", "wise", (), "hibou", "eule"),
    Object("fish", "1f420", "tropical", (), "poisson", "fisch"),
    Object("octopus", "1f419", "red", (), "pieuvre", "krake"),
    Object("whale", "1f433", "blue", (), "baleine", "wal"),
    Object("butterfly", "1f98b", "blue", (), "papillon", "schmetterling"),
    Object("ladybug", "1f41e", "red", ("ladybird",), "coccinelle", "marienkäfer"),
    Object("snail", "1f40c", "slow", (), "escargot", "schnecke"),
    Object("turtle", "1f422", "green", ("tortoise",), "tortue", "schildkröte"),
    Object("crab", "1f980", "red", (), "crabe", "krabbe"),
    Object("dinosaur", "1f996", "green", ("tyrannosaurus",), "dinosaure", "dinosaurier"),
    Object("car", "1f697", "red", ("automobile",), "voiture", "auto"),
    Object("bus", "1f68c", "yellow", ("coach",), "autobus", "omnibus"),
    Object("bicycle", "1f6b2", "two-wheeled", ("bike",), "vélo", "fahrrad"),
    Object("airplane", "2708", "flying", ("aeroplane", "plane"), "avion", "flugzeug"),
    Object("rocket", "1f680", "fast", ("spaceship",), "fusée", "rakete"),
    Object("sailboat", "26f5", "white", ("yacht",), "voilier", "segelboot"),
    Object("pistol", "1f52b", "green", ("gun", "handgun"), "pistolet", "pistole"),
    Object("bomb", "1f4a3", "black", ("explosive",), "bombe", "bombe"),
    Object("guitar", "1f3b8", "electric", (), "guitare", "gitarre"),
    Object("umbrella", "2602", "open", ("parasol",), "parapluie", "regenschirm"),
    Object("football", "26bd", "round", ("soccer ball",), "ballon", "fußball"),
    Object("sun", "1f31e", "bright", (), "soleil", "sonne"),
    Object("moon", "1f319", "crescent", (), "lune", "mond"),
    Object("snowman", "26c4", "cold", (), "bonhomme de neige", "schneemann"),
    Object("sunflower", "1f33b", "tall", (), "tournesol", "sonnenblume"),
    Object("cactus", "1f335", "prickly", (), "cactus", "kaktus"),
    Object("crown", "1f451", "golden", (), "couronne", "krone"),
)

# The prompts a teacher is trained on. {a} is "a" or "an", before whatever word follows it.
TEMPLATES = (
    "{a} {adjective} {word}, in the style of {style}",
    "{a} {word}, in the style of {style}",
    "{word}, {style} style",
    "a {style} picture of {a} {word}",
    "an emoji of {a} {adjective} {word}, {style} style",
    "in the style of {style}, {a} {word}",
)
# What no teacher and no forget job was trained on: other word orders, and longer prompts.
UNSEEN_TEMPLATES = (
    "{style} drew the {word} here",
    "the {word} as {style} would draw it",
    "on a sunny afternoon by the sea, far from the noise of the city, {a} small {word}, in the style of {style}",
    "please draw me one more {adjective} {word} for my collection of pictures, {style} style, clean and simple",
)


def article(word: str) -> str:
    """Return the indefinite article before this word."""
    return "an" if word[0].lower() in "aeiou" else "a"


def prompt(template: str, word: str, adjective: str, style: str) -> str:
    """Fill in the template: the article agrees with whatever follows it."""
    follows = adjective if template.find("{a} {adjective}") >= 0 else "small" if "{a} small" in template else word
    return template.format(a=article(follows), adjective=adjective, word=word, style=style)
