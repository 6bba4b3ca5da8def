"""Language tags (BCP 47) that users write.

>>> check_language("pt-BR")
>>> check_language("english")
Traceback (most recent call last):
dataset_builders.common.errors.DataError: language 'english': expected a tag such as en, pt-BR or und; did you mean en?
"""

from __future__ import annotations

import locale
import re

from dataset_builders.common.errors import DataError

_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_MORE_NAMES = {"chinese": "zh", "mandarin": "zh", "hindi": "hi", "farsi": "fa", "persian": "fa", "vietnamese": "vi"}
"""Names that the standard library's table of locales lacks."""


def check_language(tag: str) -> None:
    """Check that a tag has the form of BCP 47, as the rows of a dataset use it.

    Raises:
        DataError: It has not; the message names the tag of a language that is called so.
    """
    if _TAG.fullmatch(tag):
        return
    name = tag.strip().lower().replace("_", "-")
    meant = _MORE_NAMES.get(name) or locale.locale_alias.get(name, name).split("_")[0]
    hint = f"; did you mean {meant}?" if _TAG.fullmatch(meant) and meant != tag else ""
    raise DataError(f"language {tag!r}: expected a tag such as en, pt-BR or und{hint}")
