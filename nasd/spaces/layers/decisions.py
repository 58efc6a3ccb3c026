"""What was decided about an architecture: its depth, and each layer's size, features, stride and pooling."""

from nasd.spaces.layers.architecture import Architecture


def decisions(architecture: Architecture) -> dict[str, str | float]:
    """Of the whole architecture, then of each convolution and of the pooling after it, counted from the image."""
    encoder = architecture.encoder
    convolutions = [state for state in encoder if state.layer_type in ("conv", "wrn")]
    count = max(1, len(convolutions))
    found: dict[str, str | float] = {
        "depth": convolutions[-1].layer_depth if convolutions else 0,
        "pooling layers": sum(state.layer_type == "max_pool" for state in encoder),
        "residual blocks": sum(state.layer_type == "wrn" for state in convolutions),
        "linear layers": len(architecture.layers) - len(encoder),
        "conv size, mean": round(sum(state.filter_size for state in convolutions) / count, 2),
        "features, mean": round(sum(state.filter_depth for state in convolutions) / count),
    }
    place = 0
    for state in encoder:
        if state.layer_type in ("conv", "wrn"):
            place += 1
            found[f"layer {place}: size"] = "residual" if state.layer_type == "wrn" else state.filter_size
            found[f"layer {place}: features"] = state.filter_depth
            found[f"layer {place}: stride"] = state.stride
            found[f"layer {place}: pooling"] = "no"
        elif state.layer_type == "max_pool":
            found[f"layer {place}: pooling"] = f"{state.filter_size}/{state.stride}"  # of several the last
        elif state.layer_type == "spp":
            found["pyramid levels"] = state.filter_size
    return found
