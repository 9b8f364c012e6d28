"""Networks in PyTorch, for originals that take them from torchvision.

They have the layers and the names of torchvision's, with random weights: ResNet-18 (He et al.,
CVPR 2016, table 1) and VGG19 (Simonyan and Zisserman, ICLR 2015, table 1, column E).
"""

import types
from typing import Any

from fomm_jax.config.constants import BLOCK_DEPTHS, BLOCK_WIDTHS
from fomm_jax.errors import InputError

try:
    import torch
except ImportError:
    raise InputError("the original needs torch: `pip install fomm_jax[torch]`") from None

nn = torch.nn
WIDTHS = (64, 128, 256, 512)  # of the four stages of ResNet-18, each of two blocks


def to_tensor(frames: Any) -> torch.Tensor:
    """Convert pictures (b, h, w, c) uint8 to (b, c, h, w) in [0, 1]."""
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous().float() / 255


def vgg19(**_pretrained: bool) -> types.SimpleNamespace:
    """Make all features of VGG19; the originals cut off the layers after relu5_1 themselves."""
    layers: list[torch.nn.Module] = []
    channels = 3
    for width, depth in zip(BLOCK_WIDTHS, BLOCK_DEPTHS["vgg19"], strict=True):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return types.SimpleNamespace(features=nn.Sequential(*layers))


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1:
            shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the features of the block."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """ResNet-18, which the originals train from scratch."""

    def __init__(self, **_pretrained: bool):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        before = WIDTHS[0]
        for i, width in enumerate(WIDTHS):
            first = Block(before, width, 1 if i == 0 else 2)
            self.add_module(f"layer{i + 1}", nn.Sequential(first, Block(width, width, 1)))
            before = width
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute the outputs of the last layer."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(len(WIDTHS)):
            x = self.get_submodule(f"layer{i + 1}")(x)
        outputs: torch.Tensor = self.fc(torch.flatten(self.avgpool(x), 1))
        return outputs
