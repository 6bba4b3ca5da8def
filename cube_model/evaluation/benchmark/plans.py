"""The tasks of the benchmark, each with the data that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cube_model.errors import ModelError
from cube_model.evaluation.benchmark.action_sets import ActionSet, action_sets
from cube_model.evaluation.benchmark.actions import action_parts
from cube_model.evaluation.benchmark.config import TASKS
from cube_model.evaluation.benchmark.cost import cost_parts
from cube_model.evaluation.benchmark.dialogues import dialogue_parts, load_dialogues
from cube_model.evaluation.benchmark.inputs import Inputs, NoDataError
from cube_model.evaluation.benchmark.intents import intent_parts, load_intent_tasks
from cube_model.evaluation.benchmark.part import Part, Subject
from cube_model.evaluation.benchmark.responses import load_response_pairs, response_parts

Plan = Callable[[Subject], Iterator[Part]]
"""Function from what is judged to the parts of a task; it encodes nothing, only their `compute` does."""


def plans(inputs: Inputs, published: ActionSet | None) -> dict[str, Plan]:
    """Read the data of the tasks.

    Args:
        inputs: The dataset; its configuration selects the tasks.
        published: Further labelled utterances.

    Returns:
        Task -> its plan, without tasks that the data do not allow; `inputs.left_out` says why.

    Raises:
        ModelError: The dataset or a source does not exist or cannot be read; or the data do not allow a task that the
            configuration names, or any.
    """
    config, result = inputs.config, dict[str, Plan]()
    for task in config.tasks or TASKS:
        try:
            result[task] = _PLANS[task](inputs, published)
        except NoDataError as error:
            if config.tasks is not None:
                raise
            inputs.leave_out(task, str(error))
    if not result:
        raise ModelError("; ".join(dict.fromkeys(each["reason"] for each in inputs.left_out)))
    if inputs.available and (unknown := sorted(set(config.sources or ()) - inputs.available)):
        names = ", ".join(sorted(inputs.available))
        raise ModelError(f"{config.data}: no test rows of {', '.join(unknown)} for these tasks; choose from {names}")
    return result


def _actions(inputs: Inputs, published: ActionSet | None) -> Plan:
    sets = [] if published is None else [published]
    if published is None or inputs.config.data is not None:
        own = list(action_sets(inputs.turns))
        if not own and published is None:
            raise NoDataError(
                f"{inputs.data}: no source has enough turns with acts or slots in split test (SGD, WOZ and SMD do); "
                "add one, or pass Dialog2Flow's set with --action-set"
            )
        sets += own
    return lambda subject: action_parts(subject, sets)


def _cost(inputs: Inputs, published: ActionSet | None) -> Plan:
    texts = published.texts if inputs.config.data is None and published is not None else inputs.texts
    return lambda subject: cost_parts(subject, texts)


def _responses(inputs: Inputs, _: ActionSet | None) -> Plan:
    pairs = load_response_pairs(inputs)
    return lambda subject: response_parts(subject, pairs)


def _intents(inputs: Inputs, _: ActionSet | None) -> Plan:
    tasks = load_intent_tasks(inputs)
    return lambda subject: intent_parts(subject, tasks)


def _dialogues(inputs: Inputs, _: ActionSet | None) -> Plan:
    data = load_dialogues(inputs)
    return lambda subject: dialogue_parts(subject, data)


_PLANS: dict[str, Callable[[Inputs, ActionSet | None], Plan]] = {
    "responses": _responses,
    "intents": _intents,
    "actions": _actions,
    "dialogues": _dialogues,
    "cost": _cost,
}
