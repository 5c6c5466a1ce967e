"""Validate a document with pydantic and say for each error where it is and what was meant."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from appliance.config.document import Document
from appliance.config.errors import ConfigError

ModelT = TypeVar("ModelT", bound=BaseModel)
MAX_ERRORS = 1000
_PLAIN = {
    "extra_forbidden": "unknown key",
    "missing": "is required",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_type": "must be text; put it in quotes",
    "union_tag_not_found": "does not say of which type it is",
}


class Strict(BaseModel):
    """Base of all document models: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def validate(model: type[ModelT], document: Document) -> tuple[ModelT | None, list[ConfigError]]:
    """Make a ``model`` of the document, or all of its errors in the order of the file."""
    try:
        return model.model_validate({} if document.data is None else document.data), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[:MAX_ERRORS]
        errors = [_translate(model, document, item) for item in found]
        return None, sorted(dict.fromkeys(errors), key=lambda e: (e.line, e.column))


def _translate(model: type[BaseModel], document: Document, item: Any) -> ConfigError:
    path = item["loc"]
    line, column, known = document.locate(path)
    kind = item["type"]
    message = _PLAIN.get(kind, item["msg"].removeprefix("Value error, "))
    if kind == "union_tag_invalid":
        message = f"its type must be one of {item['ctx']['expected_tags']}"
    if kind == "missing":
        known = (*known, path[-1])
    hint = _did_you_mean(str(path[-1]), field_names(model, path[:-1])) if kind == "extra_forbidden" else ""
    return ConfigError(document.file, line, column, ".".join(str(step) for step in known), message, hint)


def _did_you_mean(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"known: {', '.join(sorted(known))}" if known else ""


def field_names(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Give the keys that the model at ``path`` below ``model`` knows, as written in documents.

    Where a field may hold one of several models told apart by a tag, pydantic puts the tag into the path.
    """
    current = [model]
    for step in path:
        field = next(
            (f for one in current for n, f in one.model_fields.items() if step in {n, f.alias}), None
        )
        if field is not None:
            current = _models_of(field.annotation)
        elif len(current) > 1:
            current = [one for one in current if _is_tagged(one, step)] or current
    return list(dict.fromkeys(f.alias or n for one in current[:1] for n, f in one.model_fields.items()))


def _is_tagged(model: type[BaseModel], tag: Any) -> bool:
    """Tell whether one of the model's fields can only be ``tag``."""
    return any(get_args(field.annotation) == (tag,) for field in model.model_fields.values())


def _models_of(annotation: Any) -> list[type[BaseModel]]:
    """Give the models inside a type such as ``dict[str, list[Model]]``."""
    waiting, found = [annotation], []
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found.append(kind)
        waiting.extend(get_args(kind))
    return found
