"""Dialogues -> messages of a chat, the form in which language models are fine-tuned.

Chat templates expect the roles `user` and `assistant` in turn, the user first. Dialogues do not always have that form:
the system often greets first, and a speaker may take several turns in a row.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def chat_messages(turns: pa.ChunkedArray) -> pa.ListArray:
    r"""Convert the turns of each dialogue to messages.

    Turns of one speaker in a row become one message, one line each. System turns before the first of the user are left
    out. No other text is lost.

    Args:
        turns: The column `turns` of n dialogues.

    Returns:
        n lists of messages with `role` ("user" or "assistant") and `content`; empty if the user says nothing.

    Example:
        >>> from dataset_builders.schema import ARROW_SCHEMAS
        >>> turns = [("system", "Hi!"), ("user", "A taxi."), ("system", "Booked."), ("system", "Bye.")]
        >>> rows = [[{"speaker": speaker, "text": text} for speaker, text in turns]]
        >>> chat_messages(pa.chunked_array([rows], ARROW_SCHEMAS["dialogues"].field("turns").type)).to_pylist()
        [[{'role': 'user', 'content': 'A taxi.'}, {'role': 'assistant', 'content': 'Booked.\nBye.'}]]
    """
    lengths = pc.fill_null(pc.list_value_length(turns), 0).to_numpy()
    flat = pc.list_flatten(turns).combine_chunks()
    dialogue = np.repeat(np.arange(len(lengths)), lengths)
    is_user = np.asarray(pc.equal(pc.struct_field(flat, "speaker"), "user"))
    user_turns = np.concatenate([[0], np.cumsum(is_user)])
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    begun = user_turns[1:] > user_turns[starts]
    dialogue, is_user = dialogue[begun], is_user[begun]
    texts = pc.struct_field(flat, "text").filter(pa.array(begun))
    changes = (np.diff(dialogue) != 0) | (np.diff(is_user.astype(np.int8)) != 0)
    first = np.flatnonzero(np.concatenate([[True], changes])[: len(dialogue)])
    runs = pa.ListArray.from_arrays(pa.array(np.append(first, len(dialogue)), pa.int32()), texts)
    roles = pa.array(["assistant", "user"]).take(pa.array(is_user[first].astype(np.int8)))
    messages = pa.StructArray.from_arrays([roles, pc.binary_join(runs, "\n")], names=["role", "content"])
    counts = np.bincount(dialogue[first], minlength=len(lengths))
    return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32()), messages)
