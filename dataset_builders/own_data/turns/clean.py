"""Clean texts: HTML becomes text; placeholders of media and names of participants are recognised."""

from __future__ import annotations

import re

from dataset_builders.own_data.rejects import Tally

# what programs write in place of a picture, file or call: a whole message
_PLACEHOLDER = re.compile(
    r"\u200e?(?:<(?:image|img|video|audio|file|document|sticker|media|attachment|voice)(?:[_ -]?\d*)/?>"
    r"|<[^<>]{0,20}(?:omitted|attached|без медиафайлов|ausgeschlossen|weggelassen)[^<>]{0,20}>"
    r"|\[(?:image|photo|picture|video|audio|file|document|sticker|voice(?: message)?|attachment|gif|location|contact"
    r"|изображение|фото|фотография|видео|аудио|файл|документ|стикер|голосовое сообщение|геопозиция|Bild|Datei)"
    r"(?::[^\]]{0,80})?\])",
    re.IGNORECASE,
)
_IMAGE_TOKEN = re.compile(r"<(?:image|img|video|audio)(?:[_ -]?\d+)?>\s*", re.IGNORECASE)
_HTML = re.compile(
    r"</(?:p|div|span|a|b|i|strong|em|ul|ol|li|table|td|tr|h[1-6]|body|html|blockquote|font|pre|code|u)>|<br\s*/?>",
    re.IGNORECASE,
)
_NAME_PART = re.compile(r"[^\W\d_][^\W\d_'’-]*(?:['’-][^\W\d_]+)*")


def clean(text: str, is_html: bool, tally: Tally) -> str:
    """A text without markup of HTML and tokens of images, stripped.

    Args:
        text: The text.
        is_html: Whether it is surely HTML; otherwise only if it has tags that are.
        tally: Counts to increase.
    """
    if "<" in text:
        text, tokens = _IMAGE_TOKEN.subn("", text)
        tally.left_out["media"] += tokens
    if is_html or ("<" in text and _HTML.search(text)):
        text = html_to_text(text)
        tally.left_out["html"] += 1
    return text.strip("\ufeff\u200e \t\r\n")


def html_to_text(html: str) -> str:
    r"""The text of an HTML fragment: a line for each block, without scripts and styles.

    >>> html_to_text("<p>Hi <b>Anna</b>,</p><p>your&nbsp;tea<br>is ready</p>")
    'Hi Anna,\nyour tea\nis ready'
    """
    from inscriptis import get_text

    text = get_text(html)
    return "\n".join(filter(None, (" ".join(line.split()) for line in text.split("\n"))))


def is_placeholder(text: str) -> bool:
    """Whether a text is nothing but a placeholder for a picture, file or call.

    >>> is_placeholder("<Media omitted>"), is_placeholder("[Photo]"), is_placeholder("Look: [Photo]")
    (True, True, False)
    """
    text = text.strip()
    return text[:1] in ("<", "[", "\u200e") and _PLACEHOLDER.fullmatch(text) is not None
