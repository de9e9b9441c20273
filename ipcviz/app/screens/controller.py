"""What a screen is composed of: controllers, each with one subject, its keys, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from textual.binding import Binding
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

from ipcviz.app.panels.styles import PanelScreen

if TYPE_CHECKING:
    from ipcviz.app.source import MomentSource
    from ipcviz.app.view import View

Answer = TypeVar("Answer")


class Stage(Protocol):
    """What controllers need of the screen that they belong to. Tests give one without a terminal.

    Attributes:
        source: Where the moments come from.
        kept: Whether a kept trace is shown: nothing runs.
        command: What is observed.
        at: Number of the event after which everything is shown; 0 for the present.
        view: What is shown; None before there is anything.
    """

    kept: bool
    command: str
    at: int
    view: View | None

    @property
    def source(self) -> MomentSource:
        """Where the moments come from."""

    @property
    def focused(self) -> Widget | None:
        """The widget that gets the keys."""

    def notify(
        self,
        message: str,
        *,
        severity: SeverityLevel = ...,
        timeout: float | None = ...,
        markup: bool = ...,
    ) -> None:
        """Show a note."""

    def ask(self, screen: Screen[Answer], answered: Callable[[Answer | None], None]) -> None:
        """Show a screen that asks something; `answered` gets the answer, or None."""

    def refresh_bindings(self) -> None:
        """Have the footer show anew what can be done."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call something in so many seconds."""


class Controller:
    """One subject of a screen: the keys that belong to it, and what they do.

    A binding's action `x` is the method `action_x`, as for a widget of Textual's. The screen passes
    its actions on to the controller that has them (see `ControlledScreen`).

    Args:
        stage: The screen.
    """

    BINDINGS: ClassVar[list[Binding]] = []

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @classmethod
    def find_actions(cls) -> Iterable[str]:
        """The names of its actions."""
        prefix = "action_"
        return (name.removeprefix(prefix) for name in dir(cls) if name.startswith(prefix))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether one of its actions can be done now; the footer has what can.

        Returns:
            True if it can, False if its key is free for others, None if it is shown as disabled.
        """
        return True

    def report_unreachable(self) -> bool:
        """Tell the viewer if nothing runs here that could be sent anything. Returns whether that is
        so.
        """
        if self.stage.kept:
            self.stage.notify("This is what was seen; nothing runs here", timeout=3)
        elif self.stage.at:
            self.stage.notify("This is the past: End goes back to now", timeout=3)
        return self.stage.kept or bool(self.stage.at)


class ControlledScreen(PanelScreen):
    """A screen whose keys and actions are those of its controllers.

    A subclass names the kinds of its controllers in `CONTROLLERS`; each of its instances gives one
    of each kind to `set_controllers`. Bindings stand in the footer in the order of `CONTROLLERS`,
    and the subclass's own after them.
    """

    CONTROLLERS: ClassVar[tuple[type[Controller], ...]] = ()
    _OWNERS: ClassVar[dict[str, type[Controller]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        own = cls.__dict__.get("CONTROLLERS", ())
        cls._OWNERS = {}
        for kind in own:
            for action in kind.find_actions():
                if action in cls._OWNERS or f"action_{action}" in cls.__dict__:
                    raise TypeError(f"{cls.__name__} has two actions {action!r}")
                cls._OWNERS[action] = kind
                setattr(cls, f"action_{action}", _pass_on(kind, action))
        bindings = [binding for kind in own for binding in kind.BINDINGS]
        cls.BINDINGS = [*bindings, *cls.__dict__.get("BINDINGS", ())]
        super().__init_subclass__(**options)

    def set_controllers(self, *controllers: Controller) -> None:
        """Give the screen its controllers, one of each kind."""
        self._controllers = {type(controller): controller for controller in controllers}
        missing = set(self.CONTROLLERS) - set(self._controllers)
        if missing:
            raise TypeError(f"not given: {', '.join(sorted(kind.__name__ for kind in missing))}")

    def find_controller(self, kind: type[Controller]) -> Controller:
        """Its controller of a kind."""
        return self._controllers[kind]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action can be done now, as its controller knows."""
        kind = self._OWNERS.get(action)
        if kind is None:
            return super().check_action(action, parameters)
        return self._controllers[kind].check_action(action, parameters)


def _pass_on(kind: type[Controller], action: str) -> Callable[..., object]:
    """A method for a screen that has the controller of a kind do something."""

    @wraps(getattr(kind, f"action_{action}"))  # Textual passes as many parameters as that has
    def act(screen: ControlledScreen, *parameters: object) -> object:
        return getattr(screen.find_controller(kind), f"action_{action}")(*parameters)

    return act
