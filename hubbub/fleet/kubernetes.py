"""Kubernetes' own pieces of an object (names, amounts, labels, taints), checked as its server does."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NUMBER = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
_NAMED = "a name that Kubernetes takes: lower-case letters, digits and -, a letter or digit at both ends"
Name: TypeAlias = Annotated[
    str, Meta(pattern=rf"\A{_LABEL}(\.{_LABEL})*\Z", max_length=253, description=f"{_NAMED}; dots between")
]
Label: TypeAlias = Annotated[str, Meta(pattern=rf"\A{_LABEL}\Z", max_length=63, description=_NAMED)]
LabelValue: TypeAlias = Annotated[
    str,
    Meta(
        pattern=r"\A([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?\Z",
        max_length=63,
        description="a label's value: letters, digits, - _ and ., a letter or digit at both ends",
    ),
]
ResourceName: TypeAlias = Annotated[
    str,
    Meta(
        pattern=rf"\A({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?\Z",
        max_length=253,
        description="a resource's name, such as cpu or nvidia.com/gpu",
    ),
]
Quantity: TypeAlias = (
    int
    | Annotated[
        str,
        Meta(
            pattern=rf"\A(\+|-)?{_NUMBER}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{_NUMBER}))?\Z",
            description="an amount: a number, or a text such as 500m, 1.5 or 8Gi",
        ),
    ]
)
Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
_SCALES = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def amount(quantity: Quantity) -> Decimal:
    """Return what a quantity amounts to.

    Raises:
        ValueError: it is beyond what Kubernetes counts, 2^63 - 1, or its exponent is no whole number.
    """
    match = re.fullmatch(r"(.*?)([KMGTPE]i|[numkMGTPE])?", str(quantity)[:100])
    assert match is not None
    suffix = match[2] or ""
    try:
        number = Decimal(match[1])
        scaled = number * 1024 ** ("KMGTPE".index(suffix[0]) + 1) if suffix.endswith("i") else number
        scaled = scaled.scaleb(_SCALES.get(suffix, 0))
    except ArithmeticError:
        raise ValueError(f"{str(quantity)[:100]!r} is no amount that can be counted") from None
    if abs(scaled) >= 2**63:
        raise ValueError(f"{str(quantity)[:100]!r} is beyond what Kubernetes counts, 2^63 - 1")
    return scaled


class Part(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"
):
    """A piece of an object; unknown fields are refused."""


class ObjectMeta(Part, frozen=True, kw_only=True):
    """metav1.ObjectMeta; what the server itself writes is let through."""

    name: Name
    namespace: Label | None = None
    labels: dict[str, LabelValue] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    uid: Any = None
    generation: Any = None
    resource_version: Any = None
    creation_timestamp: Any = None
    deletion_timestamp: Any = None
    managed_fields: Any = None
    owner_references: Any = None


class LabelRequirement(Part, frozen=True, kw_only=True):
    """One requirement of a selector."""

    key: str
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values where none belong, and none where some do."""
        if bool(self.values) != (self.operator in ("In", "NotIn")):
            raise ValueError(f"operator {self.operator} {'takes no' if self.values else 'needs'} values")


class LabelSelector(Part, frozen=True, kw_only=True):
    """Which namespaces; an empty one: all."""

    match_labels: dict[str, LabelValue] = {}
    match_expressions: tuple[LabelRequirement, ...] = ()


_Effect: TypeAlias = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


class Taint(Part, frozen=True, kw_only=True):
    """A node's taint."""

    key: str
    effect: _Effect
    value: str | None = None
    time_added: Any = None


class Toleration(Part, frozen=True, kw_only=True):
    """What a pod of this flavor tolerates."""

    key: str | None = None
    operator: Literal["Equal", "Exists"] | None = None
    value: str | None = None
    effect: _Effect | None = None
    toleration_seconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse what the definition's rules refuse."""
        if self.key is None and self.operator != "Exists":
            raise ValueError("operator must be Exists when key is empty")
        if self.toleration_seconds is not None and self.effect != "NoExecute":
            raise ValueError("effect must be NoExecute when tolerationSeconds is set")
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("value must be empty when operator is Exists")


class Namespace(Part, tag_field="kind", tag="Namespace", frozen=True, kw_only=True):
    """A tenant's own namespace (core/v1)."""

    api_version: Literal["v1"]
    metadata: ObjectMeta
    spec: Any = None
    status: Any = None
