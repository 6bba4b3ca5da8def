"""What the formats of Rasa have in common: marked entities in a text."""

from __future__ import annotations

import re

# as in Rasa's entities_parser: [Berlin](city), [Berlin](city:berlin), [Berlin]{"entity": "city"}, [a]{..}, [a][{..}]
_ENTITY = re.compile(r"\[(?P<text>[^\]\[]+)\](?:\([^)]+\)|\{[^}]+\}|\[\{.*?\}\])")


def without_entities(text: str) -> str:
    """A text without the marks of its entities.

    >>> without_entities('from [Berlin](city) to [Rome]{"entity": "city", "role": "to"} [now]')
    'from Berlin to Rome [now]'
    """
    return _ENTITY.sub(lambda match: match["text"], text)
