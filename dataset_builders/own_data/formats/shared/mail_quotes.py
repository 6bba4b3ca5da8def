"""What the sender of a mail wrote: its text without quotes of earlier mails and without the signature.

Only what mail programs surely write themselves is removed. A closing ("Best regards") stays: rules that cut there also
cut mails that begin with "Thanks,".
"""

from __future__ import annotations

import re

_ANSWER = re.compile(r"\s*(?:(?:re|aw|antw|sv|fwd?|wg|ha|отв|ответ|пересл?|fw)(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_SEPARATOR = re.compile(
    r"\s*-{2,}\s*(?:Original Message|Ursprüngliche Nachricht|Исходное сообщение|Исходное письмо)\s*-{2,}\s*",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"(?:On\b.{5,200}\bwrote|Am\b.{5,200}\bschrieb\b.{0,120}|Le\b.{5,200}\ba écrit"
    r"|(?=.*\d).{5,200}\b(?:пишет|написала?(?:\(а\))?|писала?(?:\(а\))?))\s?:"
)
_HEADS = (r"From|Von|От", r"Sent|Date|Gesendet|Datum|Отправлено|Дата", r"To|An|Кому", r"Subject|Betreff|Тема")
_HEAD_LINES = tuple(re.compile(rf"\s*\*?(?:{words})\s?:\*?\s.*") for words in _HEADS)
_FORWARD = re.compile(r"\s*(?:fwd?|wg|пересл?|tr)(?:\[\d+\])?\s*:", re.IGNORECASE)
_DEVICE = re.compile(
    r"(?:Sent from (?:my|Mail|Outlook|Yahoo)|Get Outlook for|Von meinem .{1,30} gesendet|Gesendet (?:von|mit)"
    r"|Отправлено (?:с|из)) ?.{0,60}"
)
# where the programs put the mail that is answered: Gmail, Outlook, Thunderbird, Yahoo
_QUOTE_IN_HTML = re.compile(
    r"<div[^>]*class=\"?(?:gmail_quote|moz-cite-prefix|yahoo_quoted|gmail_attr)|<div[^>]*id=\"?(?:divRplyFwdMsg|appendonsend"
    r"|mail-editor-reference-message-container)|<hr[^>]*id=\"?stopSpelling",
    re.IGNORECASE,
)
_BLOCKQUOTE = re.compile(r"<blockquote\b.*?</blockquote>", re.IGNORECASE | re.DOTALL)
_SIGNATURE_IN_HTML = re.compile(r"<div[^>]*class=\"?(?:gmail_signature|moz-signature)", re.IGNORECASE)


def without_answer_marks(subject: str) -> str:
    """A subject without the marks of answers.

    >>> without_answer_marks("Re: AW: Your order")
    'Your order'
    """
    return _ANSWER.sub("", subject, count=1) if _ANSWER.match(subject) else subject.strip()


def is_forwarded(subject: str) -> bool:
    """Whether a mail passes on another one, whose text is then what it says."""
    return _FORWARD.match(subject) is not None


def own_words(text: str, is_flowed: bool = False, is_forward: bool = False) -> str:
    r"""The text of a plain mail without quotes and signature.

    Args:
        text: Text.
        is_flowed: Whether a blank at the end of a line means that the paragraph goes on (RFC 3676).
        is_forward: Whether the mail passes on another one, which is kept.

    >>> own_words("It works now.\n\nOn 31 Jan 2026, Ann wrote:\n> Try again.\n-- \nBen")
    'It works now.'
    """
    if is_flowed:
        text = re.sub(r"(?<!\n--) \r?\n(?=[^>\s])", " ", text)
    lines = [line.rstrip("\r") for line in text.split("\n")]
    if is_forward:
        return "\n".join(lines).strip()
    kept: list[str] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if line.rstrip() == "--" or _SEPARATOR.fullmatch(line) or _is_head(lines[number : number + 6]):
            break
        if length := _attribution(lines[number : number + 3]):
            rest = [following for following in lines[number + length :] if following.strip()]
            if rest and not rest[0].lstrip().startswith(">"):  # all that follows is the earlier mail
                break
            number += length
            continue
        if not line.startswith(">"):
            kept.append(line)
        number += 1
    while kept and (not kept[-1].strip() or _DEVICE.fullmatch(kept[-1].strip()) or not kept[-1].strip("_- ")):
        kept.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def own_html(content: str, is_forward: bool = False) -> str:
    """The HTML of a mail without quotes and signature; it may end inside an element."""
    if is_forward:
        return content
    for pattern in (_QUOTE_IN_HTML, _SIGNATURE_IN_HTML):
        if match := pattern.search(content):
            content = content[: match.start()]
    return _BLOCKQUOTE.sub("", content)


def _is_head(lines: list[str]) -> bool:
    """Whether the header of an earlier mail begins here, as Outlook writes it: From, Sent, To, Subject."""
    if not lines or not _HEAD_LINES[0].fullmatch(lines[0]):
        return False
    return sum(any(head.fullmatch(line) for line in lines[1:]) for head in _HEAD_LINES[1:]) >= 2


def _attribution(lines: list[str]) -> int:
    """Number of lines of "On 31 Jan 2026, Ann wrote:" that begin here; 0 if there are none."""
    for length, line in enumerate(lines, start=1):
        if not line.strip():
            return 0
        if line.rstrip().endswith(":") and _ATTRIBUTION.fullmatch(" ".join(part.strip() for part in lines[:length])):
            return length
    return 0
