"""Which EVE files a run writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from appliance.config.load import LoadOptions, load_settings
from appliance.config.settings import EveOutput
from appliance.daemon.assemble import Documents
from appliance.engine.engine import Engine
from appliance.model.identity import VmInterface
from appliance.sinks.eve import EveWriter, open_outputs
from appliance.sinks.filestore import FileStore

MAIN = "eve.json"


def eve_writers(documents: Documents, path: str) -> list[EveWriter]:
    """Open the outputs of the settings beside ``path``, the one named eve.json at ``path`` itself.

    Without ``path`` nothing is written. Where no output has that name, the first is written to ``path``
    as well; a foreign configuration without outputs gets the stock one, since the user asked for a file.

    Raises:
        SinkError: a file cannot be opened.
    """
    if not path or documents.settings is None:
        return []
    where = Path(path)
    outputs = documents.settings.eve or stock_outputs()
    if all(output.filename != MAIN for output in outputs):
        outputs = (replace(outputs[0], filename=MAIN), *outputs)
    named = tuple(
        replace(output, filename=where.name) if output.filename == MAIN else output for output in outputs
    )
    where.parent.mkdir(parents=True, exist_ok=True)
    policy_of = policy_names(documents) if documents.bound is not None else None
    return open_outputs(named, str(where.parent), documents.rules.references, policy_of)


def file_store(documents: Documents, path: str, engine: Engine) -> FileStore | None:
    """Make the file store of the settings, beside the EVE file at ``path``; None where there is none."""
    settings = documents.settings
    if settings is None or not settings.file_store.enabled or not path:
        return None
    folder = Path(path).parent / settings.file_store.folder
    return FileStore(settings.file_store, folder, engine.pipeline.counters.add)


def stock_outputs() -> tuple[EveOutput, ...]:
    """Give the outputs that hold when nothing is configured."""
    settings, _ = load_settings(LoadOptions())
    return settings.eve if settings is not None else ()


def policy_names(documents: Documents) -> Callable[[VmInterface], str]:
    """Give what names the policy of an interface in records."""
    bound = documents.bound

    def name(interface: VmInterface) -> str:
        policy = bound.policy_of(interface) if bound is not None else None
        return policy.name if policy is not None else ""

    return name
