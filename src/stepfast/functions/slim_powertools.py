"""Keeps packages of Powertools from loading all their modules, of which the functions use few.

The logger imports `utilities.jmespath_utils`, which loads jmespath, for an option that no function uses.
`aws_lambda_powertools.event_handler` imports the resolvers of all services, and `utilities.data_classes` the events of
all sources (Powertools 3.37): 50 modules in place of 10. This module puts light packages in their places, which load
the module of a name when the name is looked up. A name that is not listed here loads the whole package as it is, so
code of users finds all that it would find otherwise. Import it before anything that imports those packages.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES: Mapping[str, Mapping[str, str]] = {
    "aws_lambda_powertools.utilities.jmespath_utils": {},
    "aws_lambda_powertools.utilities.data_classes": {
        "ALBEvent": "alb_event",
        "APIGatewayProxyEvent": "api_gateway_proxy_event",
        "APIGatewayProxyEventV2": "api_gateway_proxy_event",
        "BedrockAgentEvent": "bedrock_agent_event",
        "LambdaFunctionUrlEvent": "lambda_function_url_event",
        "VPCLatticeEvent": "vpc_lattice",
        "VPCLatticeEventV2": "vpc_lattice",
    },
    "aws_lambda_powertools.event_handler": {
        "APIGatewayHttpResolver": "api_gateway",
        "ApiGatewayResolver": "api_gateway",
        "Response": "api_gateway",
        "content_types": "",
    },
}
"""Where the names of a package are that the API looks up: the module of each; "" for a module itself."""


def lighten(package: str, homes: Mapping[str, str]) -> None:
    """Puts the light package in place, unless the package is loaded already or missing."""
    spec = None if package in sys.modules else _spec_of(package)
    if spec is None or spec.loader is None:
        return
    module = _Light(spec, homes)
    sys.modules[package] = module
    parent, _, name = package.rpartition(".")
    if parent in sys.modules:
        setattr(sys.modules[parent], name, module)


def _spec_of(package: str) -> ModuleSpec | None:
    """What `importlib.util.find_spec` returns, without importing the packages around it: those import this one."""
    spec: ModuleSpec | None = None
    name = ""
    for part in package.split("."):
        within = None if spec is None else spec.submodule_search_locations
        name = f"{name}.{part}" if name else part
        spec = next(filter(None, (finder.find_spec(name, within) for finder in sys.meta_path)), None)
        if spec is None:
            return None
    return spec


class _Light(ModuleType):
    """A package whose own code has not run yet."""

    def __init__(self, spec: ModuleSpec, homes: Mapping[str, str]) -> None:
        super().__init__(spec.name)
        self.__spec__, self.__loader__, self.__file__ = spec, spec.loader, spec.origin
        self.__package__, self.__path__ = spec.name, list(spec.submodule_search_locations or ())
        self.__dict__["_homes"] = homes

    def __getattr__(self, name: str) -> Any:
        homes = self.__dict__["_homes"]
        if name in homes and not homes[name]:
            return importlib.import_module(f"{self.__name__}.{name}")
        if name in homes:
            value = getattr(importlib.import_module(f"{self.__name__}.{homes[name]}"), name)
            setattr(self, name, value)
            return value
        if self.__class__ is _Light:
            self.__class__ = ModuleType  # type: ignore[assignment]
            loader: Any = self.__loader__
            loader.exec_module(self)
            return getattr(self, name)
        raise AttributeError(name)


for _package, _homes in PACKAGES.items():
    lighten(_package, _homes)
