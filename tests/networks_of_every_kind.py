"""Small networks as people write them, each with input specs and a box of sizes: their domains are held to PyTorch."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from networks_of_sequences import (
    CausalSelfAttention,
    CeilQuarter,
    CrossAttention,
    DivMod,
    EinsumHeads,
    HardBatch,
    LearnedSlice,
    LocalAttention,
    Outer,
    Pairs,
    Positions,
    RelativeBias,
    RNNCellLoop,
    Rotary,
    SameLengthAsserts,
    StackedRNN,
    TakesTheTop,
    WaveNet,
)


class UNetCropped(nn.Module):
    """Valid convolutions; what is skipped is cropped to the middle, as in the paper."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 2, 3)
        self.mid = nn.Conv2d(2, 4, 3)
        self.up = nn.ConvTranspose2d(4, 2, 2, stride=2)
        self.out = nn.Conv2d(4, 1, 3)

    def forward(self, x):
        a = F.relu(self.down(x))
        b = self.up(F.relu(self.mid(F.max_pool2d(a, 2))))
        dh, dw = a.size(2) - b.size(2), a.size(3) - b.size(3)
        top, left = dh // 2, dw // 2
        a = a[:, :, top : top + b.size(2), left : left + b.size(3)]
        return self.out(torch.cat([a, b], dim=1))


class UNetPadded(nn.Module):
    """What comes up is padded to the skip's size, as in the implementation that everybody copies."""

    def __init__(self):
        super().__init__()
        self.inc = nn.Conv2d(1, 2, 3, padding=1)
        self.down = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 4, 3, padding=1))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1))
        self.up2 = nn.ConvTranspose2d(4, 4, 2, 2)
        self.up1 = nn.ConvTranspose2d(8, 2, 2, 2)

    @staticmethod
    def merge(up, skip):
        dy = skip.size()[2] - up.size()[2]
        dx = skip.size()[3] - up.size()[3]
        up = F.pad(up, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return torch.cat([skip, up], dim=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down(x1)
        x3 = self.down2(x2)
        x = self.merge(self.up2(x3), x2)
        return self.merge(self.up1(x), x1)


class PatchEmbed(nn.Module):
    def __init__(self, img=12, patch=4, dim=6):
        super().__init__()
        self.img, self.patch = img, patch
        self.proj = nn.Conv2d(1, dim, patch, stride=patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(torch.zeros(1, (img // patch) ** 2 + 1, dim))

    def forward(self, x):
        b, _c, _h, _w = x.shape
        x = self.proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(b, -1, -1), x], dim=1)
        return x + self.pos


class PatchAsserts(PatchEmbed):
    def forward(self, x):
        b, _c, h, w = x.shape
        assert h == self.img, f"Input height {h} does not suit"
        assert w % self.patch == 0, f"Input width {w} does not suit"
        return self.proj(x).reshape(b, -1, (h // self.patch) * (w // self.patch))


class WindowPartition(nn.Module):
    """As Swin cuts a map into windows."""

    def forward(self, x, window=3):
        b, h, w, c = x.shape
        x = x.view(b, h // window, window, w // window, window, c)
        return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, window * window, c)


class WindowPadded(WindowPartition):
    def forward(self, x):
        _, h, w, _ = x.shape
        pad_r = (3 - w % 3) % 3
        pad_b = (3 - h % 3) % 3
        x = F.pad(x, (0, 0, 0, pad_r, 0, pad_b))
        return super().forward(x)


class SubPixel(nn.Module):
    """Super-resolution by pixel shuffle, added to the picture scaled up."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x):
        return self.body(x) + F.interpolate(x, scale_factor=2, mode="nearest")


class SpaceToDepth(nn.Module):
    def forward(self, x):
        return F.pixel_unshuffle(x, 2).mean(1) + x.mean(1)[:, ::2, ::2]


class Focus(nn.Module):
    """YOLOv5's way to halve a picture."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 2, 3, padding=1)

    def forward(self, x):
        return self.conv(torch.cat((x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]), 1))


class ChannelShuffle(nn.Module):
    def __init__(self, groups=3):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        b, c, h, w = x.size()
        per = c // self.groups
        x = x.view(b, self.groups, per, h, w)
        x = torch.transpose(x, 1, 2).contiguous()
        return x.view(b, -1, h, w)


class BatchNormHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.pool, self.fc = nn.Conv2d(1, 3, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Linear(3, 4)
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x):
        return self.bn(self.fc(self.pool(self.conv(x)).flatten(1)))


class AdaptiveHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Conv2d(1, 2, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.pool, self.fc = nn.AdaptiveAvgPool2d((3, 3)), nn.Linear(18, 2)

    def forward(self, x):
        return self.fc(torch.flatten(self.pool(self.f(x)), 1))


class HardReshape(nn.Module):
    """Numbers of somebody's data set in a reshape."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(24, 3)

    def forward(self, x):
        x = F.max_pool2d(x, 2)
        return self.fc(x.reshape(-1, 2 * 3 * 4))


class BranchOnSize(nn.Module):
    """Small pictures are scaled up first."""

    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 1, 5), nn.Linear(16, 2)

    def forward(self, x):
        if min(x.shape[-2:]) < 8:
            x = F.interpolate(x, size=(8, 8))
        return self.fc(self.conv(x).flatten(1))


class HalvesUntilSmall(nn.Module):
    def forward(self, x):
        h = x.shape[2]
        while h > 4:
            x = F.avg_pool2d(x, 2)
            h = x.shape[2]
        return x


class LevelsBySize(nn.Module):
    """As many poolings as the size allows, at most three."""

    def forward(self, x):
        levels = min(3, int(math.log2(min(x.shape[2], x.shape[3]))))
        for _ in range(levels):
            x = F.max_pool2d(x, 2)
        return x


class IntHalf(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 1)

    def forward(self, x):
        h, w = x.shape[-2:]
        y = F.interpolate(x, size=(int(h * 0.5), int(w * 0.75)))
        return self.fc(y)


class UnfoldPatches(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(9, 2)

    def forward(self, x):
        patches = x.unfold(2, 3, 2).unfold(3, 3, 3)
        b, c, h, w = patches.shape[:4]
        return self.fc(patches.contiguous().view(b, c, h * w, 9))


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, stride=2, padding=1, groups=3)
        self.fc1, self.fc2 = nn.Linear(6, 2), nn.Linear(2, 6)

    def forward(self, x):
        x = self.conv(x)
        b, c, _, _ = x.shape
        y = x.mean((2, 3)).view(b, c)
        y = torch.sigmoid(self.fc2(F.relu(self.fc1(y)))).view(b, c, 1, 1)
        return x * y.expand_as(x)


class SpatialPyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2 * (1 + 4 + 9), 3)

    def forward(self, x):
        n = x.size(0)
        return self.fc(torch.cat([F.adaptive_max_pool2d(x, k).view(n, -1) for k in (1, 2, 3)], 1))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv1d(1, 2, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))

    def forward(self, a, b):
        return F.pairwise_distance(self.net(a), self.net(b))


class Correlates(nn.Module):
    """The template slides over the picture."""

    def forward(self, picture, template):
        return F.conv2d(picture, template)


class FPN(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 2, 1)
        self.lateral = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        c1 = self.c1(x)
        c2 = self.c2(c1)
        return self.lateral(c1) + F.interpolate(c2, scale_factor=2, mode="nearest")


class FPNBySize(FPN):
    def forward(self, x):
        c1 = self.c1(x)
        return self.lateral(c1) + F.interpolate(self.c2(c1), size=c1.shape[-2:], mode="bilinear")


class TwoInputsJoined(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 2)

    def forward(self, picture, facts):
        flat = F.adaptive_avg_pool2d(picture, 2).flatten(1)
        return self.fc(torch.cat((flat, facts), dim=1))


class MixesTokens(nn.Module):
    """MLP-Mixer: a linear layer over the tokens fixes their number."""

    def __init__(self):
        super().__init__()
        self.embed, self.tokens, self.chans = nn.Conv2d(1, 6, 2, 2), nn.Linear(12, 12), nn.Linear(6, 6)

    def forward(self, x):
        x = self.embed(x).flatten(2)
        x = x + self.tokens(x)
        return self.chans(x.transpose(1, 2))


class DecoderWithOutputPadding(nn.Module):
    """An autoencoder whose decoder gives back 28 of 28, added to the input."""

    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 2, 1))
        self.dec = nn.Sequential(
            nn.ConvTranspose2d(2, 2, 3, 2, 1, output_padding=1), nn.ConvTranspose2d(2, 1, 3, 2, 1, output_padding=1)
        )

    def forward(self, x):
        return F.mse_loss(self.dec(self.enc(x)), x, reduction="none")


class GroupedOverLetters(nn.Module):
    """A depthwise convolution whose weight is made for the channels that come."""

    def forward(self, x):
        c = x.size(1)
        return F.conv2d(x, torch.ones(c, 1, 3, 3) / 9, padding=1, groups=c)


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(3, 2, 3, padding=1)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        x = torch.cat([x, self.a(x)], 1)
        x = F.avg_pool2d(torch.cat([x, self.b(x)], 1), 2)
        return self.head(F.avg_pool2d(x, kernel_size=x.size()[2:]).view(x.size(0), -1))


N, S = range(1, 4), range(1, 13)
PICTURES = {"N": [1, 2], "H": range(1, 21), "W": range(1, 21)}
SMALL = {"N": [1, 3], "H": range(1, 10), "W": range(1, 10)}

# name -> how to make it, specs, the box
KINDS = {
    "u-net cropped": (UNetCropped, ["N,1,H,W"], PICTURES),
    "u-net padded": (UNetPadded, ["N,1,H,W"], PICTURES),
    "patch embedding": (PatchEmbed, ["N,1,H,W"], PICTURES),
    "patch embedding that asserts": (PatchAsserts, ["N,1,H,W"], PICTURES),
    "windows": (WindowPartition, ["N,H,W,2"], SMALL),
    "windows padded": (WindowPadded, ["N,H,W,2"], SMALL),
    "causal attention": (CausalSelfAttention, ["N,T,8"], {"N": N, "T": range(1, 15)}),
    "causal attention, width free": (CausalSelfAttention, ["N,T,C"], {"N": N, "T": [1, 9, 11], "C": range(1, 20)}),
    "cross attention": (CrossAttention, ["N,T,8", "N,S,8", "bool[N,L]"],
                        {"N": [1, 2], "T": [1, 3], "S": range(1, 6), "L": range(1, 6)}),
    "positions": (Positions, ["int64[N,T]"], {"N": N, "T": range(1, 13)}),
    "learned slice": (LearnedSlice, ["N,T,D"], {"N": N, "T": range(1, 15), "D": range(1, 9)}),
    "sub-pixel": (SubPixel, ["N,1,H,W"], SMALL),
    "space to depth": (SpaceToDepth, ["N,C,H,W"], {"N": [1, 2], "C": [1, 3], "H": S, "W": range(1, 7)}),
    "focus": (Focus, ["N,1,H,W"], SMALL),
    "channel shuffle": (ChannelShuffle, ["N,C,H,W"], {"N": N, "C": range(1, 13), "H": [1, 2], "W": [1, 3]}),
    "batch norm in training": (lambda: BatchNormHead().train(), ["N,1,H,W"], SMALL),
    "adaptive head": (AdaptiveHead, ["N,1,H,W"], PICTURES),
    "hard-coded reshape": (HardReshape, ["N,1,H,W"], {"N": range(1, 7), "H": range(1, 15), "W": range(1, 15)}),
    "hard-coded batch": (HardBatch, ["N,T"], {"N": range(1, 12), "T": range(1, 12)}),
    "stacked rnn": (StackedRNN, ["N,T,F"], {"N": N, "T": [1, 2, 5], "F": range(1, 7)}),
    "rnn cell in a loop": (RNNCellLoop, ["N,T,F"], {"N": N, "T": range(1, 6), "F": range(1, 6)}),
    "branch on size": (BranchOnSize, ["N,1,H,W"], PICTURES),
    "halves until small": (HalvesUntilSmall, ["N,1,H,W"], {"N": [1], "H": range(1, 40), "W": range(1, 12)}),
    "levels by size": (LevelsBySize, ["N,1,H,W"], {"N": [1], "H": range(1, 20), "W": range(1, 20)}),
    "int of half": (IntHalf, ["N,1,H,W"], PICTURES),
    "ceil of a quarter": (CeilQuarter, ["N,T"], {"N": N, "T": range(1, 20)}),
    "divmod": (DivMod, ["N,T"], {"N": N, "T": range(1, 20)}),
    "relative bias": (RelativeBias, ["N,T,4"], {"N": N, "T": range(1, 14)}),
    "rotary": (Rotary, ["N,2,T,D"], {"N": N, "T": [1, 2, 5], "D": range(1, 13)}),
    "einsum heads": (EinsumHeads, ["B,T,8", "B,S,8"], {"B": N, "T": range(1, 6), "S": range(1, 6)}),
    "einsum heads, batches apart": (EinsumHeads, ["B,T,8", "A,S,D"],
                                    {"B": N, "T": [1, 3], "A": N, "S": [1, 2], "D": range(6, 10)}),
    "unfold": (UnfoldPatches, ["N,1,H,W"], SMALL),
    "squeeze and excite": (SqueezeExcite, ["N,C,H,W"], {"N": N, "C": range(1, 7), "H": S, "W": [1, 2, 5]}),
    "pyramid": (SpatialPyramid, ["N,C,H,W"], {"N": [1, 2], "C": range(1, 5), "H": range(1, 6), "W": range(1, 6)}),
    "siamese": (Siamese, ["N,1,T", "M,1,S"], {"N": N, "T": range(7, 13), "M": N, "S": range(8, 12)}),
    "correlates": (Correlates, ["N,3,H,W", "K,3,A,B"],
                   {"N": [1, 2], "H": range(1, 7), "W": range(1, 6), "K": [1, 2], "A": range(1, 6), "B": range(1, 6)}),
    "fpn": (FPN, ["N,1,H,W"], PICTURES),
    "fpn by size": (FPNBySize, ["N,1,H,W"], SMALL),
    "wavenet": (WaveNet, ["N,1,T"], {"N": N, "T": range(1, 30)}),
    "same length": (SameLengthAsserts, ["N,T", "M,S"], {"N": N, "T": range(1, 20), "M": N, "S": [1, 5, 16, 17]}),
    "local attention": (LocalAttention, ["N,T,3"], {"N": N, "T": range(1, 20)}),
    "picture and facts": (TwoInputsJoined, ["N,C,H,W", "M,K"],
                          {"N": N, "C": range(1, 4), "H": [1, 3], "W": [1, 4], "M": N, "K": range(1, 9)}),
    "mixer": (MixesTokens, ["N,1,H,W"], PICTURES),
    "pairs": (Pairs, ["N,D"], {"N": range(1, 7), "D": range(1, 5)}),
    "top five": (TakesTheTop, ["N,K"], {"N": N, "K": range(1, 12)}),
    "outer product": (Outer, ["N,A", "M,B"], {"N": N, "A": range(1, 5), "M": N, "B": range(1, 5)}),
    "autoencoder": (DecoderWithOutputPadding, ["N,1,H,W"], PICTURES),
    "grouped over letters": (GroupedOverLetters, ["N,C,H,W"], {"N": N, "C": range(1, 6), "H": [1, 2, 4], "W": [1, 3]}),
    "dense": (Dense, ["N,1,H,W"], SMALL),
}  # fmt: skip
