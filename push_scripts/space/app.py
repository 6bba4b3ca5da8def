"""A Space that answers questions with a trained core: nearest answers, nearest intents, a conversation."""

import json
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from datasets import load_dataset

from cube_model.inference.answers import answers_fingerprint, read_answers
from cube_model.inference.index import AnswerIndex
from cube_model.inference.loading import core_fingerprint, load_core, teacher_of
from cube_model.inference.processor import EmbeddingProcessor
from cube_model.inference.retriever import CubeRetriever
from cube_model.inference.search import make_search
from cube_model.teacher.teacher import Teacher

SETTINGS = json.loads(Path(__file__).with_name("settings.json").read_text(encoding="utf-8"))


def load_retriever() -> CubeRetriever:
    """Load the core and its teacher, and encode answers of the dataset that may be redistributed."""
    core = load_core(SETTINGS["model"])
    teacher = teacher_of(core, SETTINGS["teacher"])
    answers = read_answers(SETTINGS["data"], max_answers=SETTINGS["max_answers"])
    answers = answers.filter(answers["redistributable"])
    vectors = EmbeddingProcessor(core).process_answers(teacher.encode(answers["text"].to_pylist()))
    fingerprints = {
        "core": core_fingerprint(core),
        "teacher": teacher.fingerprint,
        "data": answers_fingerprint(answers),
    }
    return CubeRetriever(core, teacher, AnswerIndex(answers, make_search(vectors), fingerprints))


def load_intents(teacher: Teacher) -> tuple[list[tuple[str, str, str]], np.ndarray]:
    """Read utterances with their intents, and encode them; none if the dataset has no such config."""
    try:
        rows = load_dataset(SETTINGS["data"], "downstream", split="train")
    except ValueError:  # no such config
        return [], teacher.encode([])
    rows = rows.filter(lambda open_row: open_row, input_columns="redistributable").shuffle(seed=0)
    rows = rows.select(range(min(len(rows), SETTINGS["max_answers"])))
    names = getattr(rows.features["label"], "names", None)  # of a ClassLabel
    labels = [names[label] if names else label for label in rows["label"]]
    return list(zip(rows["utterance"], labels, rows["source"], strict=True)), teacher.encode(list(rows["utterance"]))


retriever = load_retriever()
intents = load_intents(retriever.teacher)
TURNS = retriever.model.config.context_turns


def ask(question: str) -> list[list[str]]:
    """Return the nearest answers to a question: score, answer, source, licence."""
    if not question.strip():
        return []
    return [[f"{a.score:.2f}", a.text, a.source, a.license] for a in retriever.ask(question, k=5)]


def find_intents(utterance: str) -> list[list[str]]:
    """Return the nearest utterances of the dataset: score, intent, utterance, source."""
    if not utterance.strip():
        return []
    rows, vectors = intents
    scores = vectors @ retriever.teacher.encode([utterance])[0]
    return [[f"{scores[i]:.2f}", rows[i][1], rows[i][0], rows[i][2]] for i in np.argsort(-scores)[:5]]


def text_of(message: dict[str, Any]) -> str:
    """Return the text of a message of the conversation, without the line about its source."""
    content = message["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return text.partition("\n\n")[0]


def reply(message: str, history: list[dict[str, Any]]) -> str:
    """Answer the next turn of a conversation; say what the answer would be without the earlier turns."""
    if not message.strip():
        return "Please write something."
    context = [text_of(turn) for turn in history]
    answer = retriever.ask(message, context, k=1)[0]
    alone = retriever.ask(message, k=1)[0]
    changed = f" · without the earlier turns: {alone.text}" if alone.text != answer.text else ""
    return f"{answer.text}\n\n*{answer.source}, {answer.license}{changed}*"


def table(headers: list[str], widths: list[str | int]) -> gr.Dataframe:
    """Return an empty table."""
    return gr.Dataframe(headers=headers, column_widths=widths, interactive=False, wrap=True, show_label=False)


with gr.Blocks(title=SETTINGS["title"]) as app:
    gr.Markdown(
        f"# {SETTINGS['title']}\n"
        f"[{SETTINGS['model']}](https://huggingface.co/{SETTINGS['model']}) selects real answers; it writes none. "
        f"It searches {len(retriever.answers):,} answers of "
        f"[{SETTINGS['data']}](https://huggingface.co/datasets/{SETTINGS['data']})."
    )
    with gr.Tab("Ask"):
        question = gr.Textbox(label="Question", placeholder="Is there a cheap hotel in the north?", autofocus=True)
        gr.Examples(SETTINGS["questions"], question)
        button = gr.Button("Find answers", variant="primary")
        answers_table = table(["cosine", "answer", "source", "licence"], ["10%", "60%", "15%", "15%"])
        gr.on([button.click, question.submit], ask, question, answers_table, api_name="ask")
    if intents[0]:
        with gr.Tab("Intents"):
            utterance = gr.Textbox(label="Utterance", placeholder="I lost my card")
            search = gr.Button("Find intents", variant="primary")
            nearest = table(["cosine", "intent", "nearest utterance", "source"], ["10%", "35%", "40%", "15%"])
            gr.on([search.click, utterance.submit], find_intents, utterance, nearest, api_name="intents")
    with gr.Tab("Conversation"):
        reads = f"the last {TURNS} turns" if TURNS > 1 else "the turn before it" if TURNS else "nothing else"
        gr.Markdown(f"The core reads each question and {reads}.")
        gr.ChatInterface(reply, chatbot=gr.Chatbot(show_label=False, height=420), api_name="chat")

if __name__ == "__main__":
    app.launch(
        theme=gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]), footer_links=[]
    )
