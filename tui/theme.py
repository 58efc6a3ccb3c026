"""Colours and glyphs. No meaning is carried by colour alone.

The hues are Okabe and Ito's, which people with any common colour blindness tell apart; lightened on a dark background
and darkened on a light one until text in them has a contrast of at least 4.5.
"""

from textual.theme import Theme

from nasd import protocol

DARK = Theme(
    name="nasd-dark",
    primary="#56B4E9",
    secondary="#4F6D85",
    accent="#F0E442",
    success="#2BC49A",
    warning="#E69F00",
    error="#FF7B3D",
    foreground="#D8DEE6",
    background="#0E131A",
    surface="#131A23",
    panel="#1C2631",
    dark=True,
    variables={
        "violet": "#DE94BD",
        "dim": "#8795A5",
        "faint": "#41505F",
        "border": "#33424F",
        "block-cursor-background": "#23435A",
        "block-cursor-foreground": "#FFFFFF",
        "block-cursor-text-style": "none",
        "input-cursor-background": "#56B4E9",
    },
)

LIGHT = Theme(
    name="nasd-light",
    primary="#00629B",
    secondary="#6C8293",
    accent="#7A6A00",
    success="#00704F",
    warning="#8F5F00",
    error="#B84A00",
    foreground="#1B2530",
    background="#FAFBFC",
    surface="#F1F4F7",
    panel="#E3E9EE",
    dark=False,
    variables={
        "violet": "#96447A",
        "dim": "#566472",
        "faint": "#B4C0CA",
        "border": "#B9C5CF",
        "block-cursor-background": "#C3E0F3",
        "block-cursor-foreground": "#0B1A26",
        "block-cursor-text-style": "none",
        "input-cursor-background": "#00629B",
    },
)

SERIES = ("$primary", "$warning", "$success", "$violet", "$accent", "$error")
"""Colours of curves that stand side by side."""

STATES: dict[protocol.RunState, tuple[str, str]] = {
    "starting": ("◌", "$primary"),
    "running": ("●", "$success"),
    "pausing": ("‖", "$warning"),
    "paused": ("‖", "$warning"),
    "finished": ("✓", "$primary"),
    "stopping": ("■", "$warning"),
    "failed": ("✗", "$error"),
    "stopped": ("■", "$dim"),
}

MARKS: dict[protocol.TrialStatus, tuple[str, str, str]] = {
    "evaluated": (" ", "evaluated", "$foreground"),
    "early_stopped": ("▽", "early stop", "$warning"),
    "duplicate": ("≡", "duplicate", "$primary"),
    "infeasible": ("⊘", "infeasible", "$violet"),
    "failed": ("✗", "failed", "$error"),
}
"""Of every trial status its glyph, its name and its colour."""

IMPORTED = ("⇣", "imported", "$success")

JOBS: dict[protocol.JobStatus, tuple[str, str]] = {
    "queued": ("○", "$foreground"),
    "running": ("●", "$success"),
    "done": ("✓", "$primary"),
    "failed": ("✗", "$error"),
    "cancelled": ("⊘", "$dim"),
}

LEVELS: dict[protocol.LogLevel, tuple[str, str]] = {
    "debug": ("·", "$dim"),
    "info": ("i", "$primary"),
    "warning": ("▲", "$warning"),
    "error": ("✗", "$error"),
}

KINDS: dict[str, tuple[str, str]] = {
    "input": ("input", "$dim"),
    "conv": ("convolution", "$primary"),
    "wrn": ("wide residual", "$success"),
    "separable_conv": ("separable conv", "$primary"),
    "dilated_conv": ("dilated conv", "$primary"),
    "max_pool": ("max pool", "$warning"),
    "avg_pool": ("average pool", "$warning"),
    "identity": ("identity", "$dim"),
    "add": ("add", "$success"),
    "concat": ("concatenate", "$success"),
    "spp": ("pyramid pool", "$violet"),
    "fc": ("fully connected", "$accent"),
    "classifier": ("classifier", "$error"),
}
"""Of the kinds of nodes their names and colours; another kind is shown as it is written."""
