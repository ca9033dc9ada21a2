"""What a signal is to the model: of each role where events have it and what its drift means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from stream.contracts.alert_event import Action, Kind

__all__ = ["OUTPUTS", "ROLES", "DerivedName", "Role", "RoleName", "keys_of", "place_of"]

#: As references, plans and alerts have it; types need the names beside the table.
RoleName: TypeAlias = Literal["feature", "label", "score", "actual", "latency"]
#: Of signals that no event has: they are derived from others of it.
DerivedName: TypeAlias = Literal["error"]


class Role(NamedTuple):
    """A role.

    Attributes
    ----------
    name : str
        `RoleName` or `DerivedName`.
    path : str
        Where an event has it: `member`, `member.key`, or `member.*` under the signal's own name;
        empty where it is derived.
    kind : Kind
        Of the alert, if its distribution changes.
    action : Action
        What that alert recommends.
    option : str
        What people call it: an option of commands.
    meaning : str
        What it is, in words.
    columns : tuple of str
        Names of a file's columns that mean it and nothing else, in lower case.
    """

    name: RoleName | DerivedName
    path: str
    kind: Kind
    action: Action
    option: str
    meaning: str
    columns: tuple[str, ...] = ()

    @property
    def derived(self) -> bool:
        """Whether it is made of other signals of the event."""
        return not self.path

    @property
    def member(self) -> str:
        """The member of an event that has it."""
        return self.path.partition(".")[0]

    def key(self, signal: str) -> str:
        """The key in that member; the member's own name where the value is the member itself."""
        key = self.path.rpartition(".")[2]
        return signal if key == "*" else key


#: Every role by name. The order is that of columns where events become tables.
ROLES: Final[Mapping[str, Role]] = {
    role.name: role
    for role in (
        Role(
            "feature", "features.*", "data_drift", "investigate_features",
            "feature", "What the model was given",
        ),
        Role(
            "label", "prediction.label", "prediction_drift", "investigate_features",
            "prediction", "What the model said",
            ("prediction", "predicted", "y_pred", "yhat", "y_hat", "predicted_label",
             "predicted_class"),
        ),
        Role(
            "score", "prediction.score", "prediction_drift", "investigate_features",
            "score", "The model's score",
            ("score", "probability", "proba", "y_score", "y_proba", "predicted_probability"),
        ),
        Role(
            "actual", "actual.label", "label_drift", "investigate_actuals",
            "actual", "What turned out to be true", ("actual", "y_true", "ground_truth"),
        ),
        Role(
            "latency", "latency_seconds", "system", "scale",
            "latency", "How many seconds the prediction took",
        ),
        Role(
            "error", "", "performance", "rollback",
            "error", "By how much the prediction was wrong, or whether it was",
        ),
    )
}  # fmt: skip

#: Roles of which a model has at most one signal, at one place of the event.
OUTPUTS: Final = tuple(
    role for role in ROLES.values() if not role.derived and not role.path.endswith(".*")
)


def place_of(name: str, role: str) -> str:
    """Where in an event a signal is: its member, or member.key."""
    return ROLES[role].path.replace("*", name)


def keys_of(member: str) -> dict[str, str]:
    """Role by the key that it has in a member of events, for roles with a key of their own."""
    return {role.key(""): role.name for role in OUTPUTS if role.member == member}
