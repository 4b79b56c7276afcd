"""Write `vocabulary.json`, the words of the emoji model as a run reads them, from `vocabulary.py`.

python -m models.emoji.make_vocabulary
"""

import json
from pathlib import Path
from typing import Any

from models.emoji.vocabulary import OBJECTS, STYLES, TEMPLATES, UNSEEN_TEMPLATES

HERE = Path(__file__).parent


def written() -> dict[str, Any]:
    """Return the contents of ``vocabulary.json``: a template's word is the object's, so it is named after that
    domain."""
    objects = [
        {
            "name": thing.name,
            "adjective": thing.adjective,
            "synonyms": list(thing.synonyms),
            "translations": {"fr": thing.french, "de": thing.german},
        }
        for thing in OBJECTS
    ]
    styles = [{"name": style.name, "synonyms": [style.synonym]} for style in STYLES]
    return {
        "domains": {"object": objects, "style": styles},
        "templates": [template.replace("{word}", "{object}") for template in TEMPLATES],
        "unseen_templates": [template.replace("{word}", "{object}") for template in UNSEEN_TEMPLATES],
    }


def main() -> None:
    (HERE / "vocabulary.json").write_text(json.dumps(written(), indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
