"""The network of a cell as torch modules, from the stem to the global pooling (PNAS, arXiv 1712.00559)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from nasd.evaluators.networks.batch_norm import BatchNorm
from nasd.spaces.cells import Cell
from nasd.spaces.cells.operators import Conv, Operation, Unit
from nasd.spaces.cells.skeleton import Alignment, Place


class Norm(BatchNorm):
    """Batch normalisation without ReLU."""

    def forward(self, input: Tensor, pool: nn.Module | None = None, *, keep: bool = False) -> Tensor:
        """(N, C, H, W) -> the same shape, by the given statistics if any, else as torch does it."""
        return self._normalised(input)


def _norm(features: int, eps: float) -> nn.Module:
    return Norm(features, eps) if eps > 0 else nn.Identity()


def _conv(conv: Conv) -> nn.Conv2d:
    return nn.Conv2d(
        conv.inputs, conv.outputs, conv.kernel, conv.stride, conv.padding, conv.dilation, conv.groups, bias=False
    )


class UnitModule(nn.Sequential):
    """ReLU, convolutions, batch norm."""

    def __init__(self, unit: Unit, eps: float) -> None:
        super().__init__(nn.ReLU(), *map(_conv, unit), _norm(unit[-1].outputs, eps))


class OperationModule(nn.Sequential):
    """An operator of a cell."""

    def __init__(self, operation: Operation, eps: float) -> None:
        pool: list[nn.Module] = []
        if operation.pool == "avg":
            pool = [nn.AvgPool2d(3, operation.stride, padding=1, count_include_pad=False)]
        elif operation.pool == "max":
            pool = [nn.MaxPool2d(3, operation.stride, padding=1)]
        super().__init__(*pool, *(UnitModule(unit, eps) for unit in operation.units))


class AlignmentModule(nn.Module):
    """What makes an input of a cell equal to the others."""

    def __init__(self, alignment: Alignment, eps: float) -> None:
        super().__init__()
        self.convs = nn.ModuleList(map(_conv, alignment.convs))
        self.norm = _norm(alignment.shape.channels, eps)
        self.shift = alignment.stride // 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, filters, H', W')."""
        x = functional.relu(x)
        parts = [self.convs[0](x)]
        if len(self.convs) > 1:
            shift = self.shift
            parts.append(self.convs[1](functional.pad(x, (0, shift, 0, shift))[:, :, shift:, shift:]))
        out: Tensor = self.norm(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
        return out


class CellModule(nn.Module):
    """One cell of a network."""

    def __init__(self, cell: Cell, place: Place, combine: str, eps: float) -> None:
        super().__init__()
        self.cell, self.combine = cell, combine
        self.alignments = nn.ModuleDict(
            {
                str(back): AlignmentModule(alignment, eps)
                for back, alignment in enumerate(place.alignments)
                if alignment is not None
            }
        )
        self.operations = nn.ModuleList(
            nn.ModuleList(OperationModule(operation, eps) for operation in pair) for pair in place.operations
        )

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Outputs of earlier cells, the last one first -> (N, channels, H, W)."""
        sources = {int(back): alignment(inputs[int(back)]) for back, alignment in self.alignments.items()}
        blocks: list[Tensor] = []
        for block, pair in zip(self.cell.blocks, self.operations, strict=True):
            assert isinstance(pair, nn.ModuleList)
            read = (sources[term.source] if term.block is None else blocks[term.block] for term in block)
            first, second = (operation(x) for operation, x in zip(pair, read, strict=True))
            blocks.append(first + second if self.combine == "add" else torch.cat((first, second), dim=1))
        return torch.cat(blocks, dim=1)


class CellStack(nn.Module):
    """Stem, cells, ReLU, global average pooling; for a linear probe, batch norm behind it.

    What is pooled is positive and differs little between images: without the norm a linear classifier learns it in
    thousands of epochs, where others take tens.
    """

    def __init__(self, cell: Cell, eps: float, *, probe: bool) -> None:
        super().__init__()
        network, combine = cell.skeleton, cell.config.combine
        self.inputs = [place.inputs for place in network.places]
        stem = network.stem
        self.stem = nn.Identity() if stem is None else nn.Sequential(_conv(stem), _norm(stem.outputs, eps))
        self.cells = nn.ModuleList(CellModule(cell, place, combine, eps) for place in network.places)
        self.norm = _norm(network.shape.channels, eps) if probe else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, embedding_dim)."""
        outputs = [self.stem(images)]
        for inputs, cell in zip(self.inputs, self.cells, strict=True):
            outputs.append(cell([outputs[index] for index in inputs]))
        pooled: Tensor = self.norm(functional.relu(outputs[-1]).mean(dim=(2, 3), keepdim=True))
        return pooled.flatten(1)
