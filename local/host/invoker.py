"""How a function is found and run by `azure-functions-runtime`, the library the real Python worker uses."""

import asyncio
import importlib
import json
import os
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import azure_functions_runtime as runtime  # type: ignore[import-untyped]
from azure.functions.decorators.core import BindingDirection
from azure_functions_runtime import handle_event, loader, native_invocation
from azure_functions_runtime.bindings import datumdef, meta  # type: ignore[import-untyped]

from local.host.functions import FunctionInfo, is_disabled

# The only part of the protobuf module that indexing looks at.
_PROTOS = SimpleNamespace(
    BindingInfo=SimpleNamespace(inout=BindingDirection.INOUT.value, out=BindingDirection.OUT.value)
)


class FunctionError(Exception):
    """A function raised. The parts are what durable failure details are made of."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.kind = type(error).__name__
        self.message = str(error)
        self.trace = "".join(traceback.format_exception(error))


def datum(value: Any, kind: str | None) -> Any:
    """Return a value as bindings take it; `kind` is string, bytes, json, int or http."""
    return datumdef.Datum(value, kind)


class FunctionTimeoutError(Exception):
    """A function took longer than host.json allows; it goes on, and only the end of its process ends it."""


class Invoker:
    """One indexed function app. The runtime keeps its registry in a module: one app per process."""

    def __init__(self, folder: Path, timeout: float | None) -> None:
        self._timeout = timeout
        runtime.start_threadpool_executor()
        meta.load_binding_registry()
        script = folder / os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
        importlib.invalidate_caches()
        self._loaded: dict[str, Any] = {}
        self.functions: dict[str, FunctionInfo] = {}
        for function in loader.index_function_app(str(script)):
            info = handle_event._functions.add_indexed_function(function=function, protos=_PROTOS)  # noqa: SLF001
            self._loaded[info.name] = info
            self.functions[info.name] = FunctionInfo(info.name, _bindings(function), is_disabled(info.name, os.environ))

    async def invoke(
        self, name: str, inputs: Sequence[tuple[str, Any]], metadata: Mapping[str, Any] | None = None
    ) -> Any:
        """Run a function as the runtime's `invocation_request_native` does; its result's Datum, or None.

        That function itself reduces an exception to text; FunctionError keeps its parts. FunctionTimeoutError if the
        function takes too long.
        """
        running = asyncio.ensure_future(self._invoke(name, inputs, metadata))
        done, _ = await asyncio.wait({running}, timeout=self._timeout)
        if not done:
            raise FunctionTimeoutError(f"Timeout value of {self._timeout:g} seconds was exceeded by function: {name}")
        return running.result()

    async def _invoke(self, name: str, inputs: Sequence[tuple[str, Any]], metadata: Mapping[str, Any] | None) -> Any:
        info, invocation_id = self._loaded[name], str(uuid4())
        try:
            arguments = native_invocation._decode_inputs(info, inputs, metadata or {})  # noqa: SLF001
            context = native_invocation._prepare_context(info, invocation_id, arguments)  # noqa: SLF001
            result = await _run(info, invocation_id, context, arguments)
            native_invocation._check_return(info, result)  # noqa: SLF001
            return native_invocation._encode_return(info, result)  # noqa: SLF001
        except Exception as error:
            raise FunctionError(error) from error


async def _run(info: Any, invocation_id: str, context: Any, arguments: dict[str, Any]) -> Any:
    if not info.is_async:
        return await asyncio.get_running_loop().run_in_executor(
            native_invocation.get_threadpool_executor(),
            native_invocation.run_sync_func,
            invocation_id,
            context,
            info.func,
            arguments,
        )
    context.thread_local_storage.invocation_id = invocation_id
    token = native_invocation.invocation_id_cv.set(invocation_id)
    try:
        return await info.func(**arguments)
    finally:
        native_invocation.invocation_id_cv.reset(token)


def _bindings(function: Any) -> list[dict[str, Any]]:
    bindings = [binding.get_dict_repr() for binding in function.get_bindings()]
    plain: list[dict[str, Any]] = json.loads(json.dumps(bindings, default=_plain))
    return plain


def _plain(value: Any) -> Any:
    return getattr(value, "value", str(value))
