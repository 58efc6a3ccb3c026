"""What every section `search` has."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nasd.config.section import Count, Positive, Section
from nasd.errors import ConfigError

Classes = Annotated[tuple[Count, ...], Field(min_length=2)]


class SearchSection(Section):
    """What every strategy takes. A strategy's own section adds its name and what it alone takes."""

    strategy: str
    order: Literal["ordered", "async"] = "ordered"
    lookahead: Positive | None = None  # proposals in flight; None: the number of workers when the run is created
    classes: Classes | None = None  # search on these classes of the data set only; None: on all

    @model_validator(mode="after")
    def _classes_once(self) -> Self:
        if self.classes is not None and len(set(self.classes)) != len(self.classes):
            raise ValueError(f"classes lists a class twice: {list(self.classes)}")
        return self

    @property
    def total_trials(self) -> int | None:
        """Trials with reward above 0 that the search asks for; None: known only as it goes."""
        return None

    @classmethod
    def of(cls, search: "SearchSection") -> Self:
        """`search`, as the section of this strategy.

        Raises:
            ConfigError: It is another strategy's.
        """
        if not isinstance(search, cls):
            raise ConfigError(f"search.strategy is {search.strategy}, which does not fit {cls.__name__}")
        return search
