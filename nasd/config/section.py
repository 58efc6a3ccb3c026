"""What every section of a config is made of: frozen models without unknown keys, numbers that are numbers, units."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nasd.config.units import number, seconds, size


class Section(BaseModel):
    """Frozen, and no unknown keys."""

    # Built when first needed: with all sections as one instead of one after the other.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


Fraction = Annotated[float, Field(ge=0.0, le=1.0), BeforeValidator(number)]
NonNegative = Annotated[float, Field(ge=0.0), BeforeValidator(number)]
PositiveFloat = Annotated[float, Field(gt=0.0), BeforeValidator(number)]
Real = Annotated[float, BeforeValidator(number)]
OpenFraction = Annotated[float, Field(gt=0.0, lt=1.0), BeforeValidator(number)]  # neither 0 nor 1
Rate = Annotated[float, Field(gt=0.0, le=1.0), BeforeValidator(number)]  # not 0
Share = Annotated[float, Field(ge=0.0, lt=1.0), BeforeValidator(number)]  # not 1
Positive = Annotated[int, Field(ge=1), BeforeValidator(number)]
Count = Annotated[int, Field(ge=0), BeforeValidator(number)]
Sizes = Annotated[tuple[Positive, ...], Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0.0), BeforeValidator(seconds)]
Bytes = Annotated[int, Field(ge=1), BeforeValidator(size)]
BytesOrNone = Annotated[int, Field(ge=0), BeforeValidator(size)]
