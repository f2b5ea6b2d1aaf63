"""Known networks in their true layout, narrow where width does not matter to the sizes, for tests of letters."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn


def block(channels_in, channels_out, stride=1):
    """A convolution of 3, batch normalisation and relu."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1), nn.BatchNorm2d(channels_out), nn.ReLU(inplace=True)
    )


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.fc = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(400, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.fc(self.pool(self.c2(self.pool(self.c1(x)))).flatten(1))


class AlexFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 5, padding=2),
            nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip

    def forward(self, x):
        return self.features(x)


class AlexNet(AlexFeatures):
    def __init__(self):
        super().__init__()
        self.avgpool, self.classifier = nn.AdaptiveAvgPool2d(6), nn.Linear(8 * 36, 10)

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


class VGG(nn.Module):
    """Five poolings by 2, then a head of 7 x 7."""

    def __init__(self, adaptive):
        super().__init__()
        widths = [3, 4, 4, 4, 4, 4]
        stages = [nn.Sequential(block(a, b), nn.MaxPool2d(2)) for a, b in itertools.pairwise(widths)]
        self.features = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(7) if adaptive else nn.Identity()
        self.head = nn.Linear(4 * 49, 10)

    def forward(self, x):
        x = self.pool(self.features(x))
        return self.head(x.view(x.size(0), -1))


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2, self.bn3 = nn.BatchNorm2d(width), nn.BatchNorm2d(4 * width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.down = None
        if stride != 1 or channels != 4 * width:
            self.down = nn.Sequential(nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width))

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(out)))))
        return F.relu(out + (x if self.down is None else self.down(x)))


class ResNet50(nn.Module):
    """``width`` 64 is the true one."""

    def __init__(self, width=4):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        layers, channels = [], width
        for stage, count in enumerate((3, 4, 6, 3)):
            for n in range(count):
                layers.append(Bottleneck(channels, width * 2**stage, 2 if stage and not n else 1))
                channels = 4 * width * 2**stage
        self.layers = nn.Sequential(*layers)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(channels, 10)

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))


class UNet(nn.Module):
    """Down by 2 ``levels`` times and up again, each level joined with its like."""

    def __init__(self, levels=5, width=2):
        super().__init__()
        self.down = nn.ModuleList(block(1 if not n else width, width) for n in range(levels))
        self.middle = block(width, width)
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, 2) for _ in range(levels))
        self.join = nn.ModuleList(block(2 * width, width) for _ in range(levels))
        self.head = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        x = self.middle(x)
        for up, join, other in zip(self.up, self.join, reversed(kept), strict=True):
            x = join(torch.cat([up(x), other], dim=1))
        return self.head(x)


class PaddingUNet(UNet):
    """The common one that pads what comes up to what it is joined with."""

    def forward(self, x):
        kept = []
        for layer in self.down:
            x = layer(x)
            kept.append(x)
            x = F.max_pool2d(x, 2)
        for up, join, other in zip(self.up, self.join, reversed(kept), strict=True):
            x = up(x)
            dy, dx = other.size(2) - x.size(2), other.size(3) - x.size(3)
            x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
            x = join(torch.cat([other, x], dim=1))
        return self.head(x)


class SelfAttention(nn.Module):
    """As nanoGPT writes it: one product for all three, heads by view and transpose, a mask cut to the length."""

    def __init__(self, embed, heads, longest):
        super().__init__()
        self.heads = heads
        self.c_attn, self.c_proj = nn.Linear(embed, 3 * embed), nn.Linear(embed, embed)
        self.register_buffer("mask", torch.tril(torch.ones(longest, longest)).view(1, 1, longest, longest))

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
        y = F.softmax(att, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class GPT(nn.Module):
    def __init__(self, longest=64, embed=8, checks=True):
        super().__init__()
        self.longest, self.checks = longest, checks
        self.wte, self.wpe = nn.Embedding(50, embed), nn.Embedding(longest, embed)
        self.ln1, self.attn = nn.LayerNorm(embed), SelfAttention(embed, 2, longest)
        self.ln2 = nn.LayerNorm(embed)
        self.mlp = nn.Sequential(nn.Linear(embed, 4 * embed), nn.GELU(), nn.Linear(4 * embed, embed))
        self.head = nn.Linear(embed, 50, bias=False)

    def forward(self, idx):
        _, t = idx.size()
        if self.checks:
            assert t <= self.longest, f"Cannot forward sequence of length {t}, block size is only {self.longest}"
        pos = torch.arange(0, t, dtype=torch.long, device=idx.device)
        x = self.wte(idx) + self.wpe(pos)
        x = x + self.attn(self.ln1(x))
        x = x + self.mlp(self.ln2(x))
        return self.head(x)


class ViT(nn.Module):
    """Patches of 4 on pictures of 32; the table of positions has 64 places and one for the class."""

    def __init__(self, interpolates=False, embed=8):
        super().__init__()
        self.interpolates = interpolates
        self.patch = nn.Conv2d(3, embed, 4, 4)
        self.cls = nn.Parameter(torch.zeros(1, 1, embed))
        self.pos = nn.Parameter(torch.zeros(1, 65, embed))
        self.block = nn.TransformerEncoderLayer(embed, 2, 16, batch_first=True)
        self.head = nn.Linear(embed, 10)

    def positions(self, h, w):
        if not self.interpolates:
            return self.pos
        first, rest = self.pos[:, :1], self.pos[:, 1:]
        rest = rest.reshape(1, 8, 8, -1).permute(0, 3, 1, 2)
        rest = F.interpolate(rest, size=(h, w), mode="bilinear")
        return torch.cat([first, rest.flatten(2).transpose(1, 2)], dim=1)

    def forward(self, x):
        x = self.patch(x)
        h, w = x.shape[-2:]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], dim=1) + self.positions(h, w)
        return self.head(self.block(x)[:, 0])


class Dense(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(block(4 + 2 * n, 2) for n in range(3))
        self.stem, self.transition = nn.Conv2d(3, 4, 7, 2, 3), nn.Sequential(nn.Conv2d(10, 4, 1), nn.AvgPool2d(2))

    def forward(self, x):
        found = [F.max_pool2d(self.stem(x), 3, 2, 1)]
        for layer in self.layers:
            found.append(layer(torch.cat(found, 1)))
        return self.transition(torch.cat(found, 1)).mean((2, 3))


class FPN(nn.Module):
    """The top-down way: what comes from above is doubled and added."""

    def __init__(self, exact):
        super().__init__()
        self.exact = exact
        self.c = nn.ModuleList([block(3, 4, 2), block(4, 4, 2), block(4, 4, 2)])

    def forward(self, x):
        feats = []
        for layer in self.c:
            x = layer(x)
            feats.append(x)
        top = feats[-1]
        out = [top]
        for lower in feats[-2::-1]:
            size = lower.shape[-2:]
            more = {"size": size} if self.exact else {"scale_factor": 2}
            top = lower + F.interpolate(top, mode="nearest", **more)
            out.append(top)
        return out


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(10, 8, 4, 1, 0), nn.BatchNorm2d(8), nn.ReLU(True),
            nn.ConvTranspose2d(8, 4, 4, 2, 1), nn.BatchNorm2d(4), nn.ReLU(True), nn.ConvTranspose2d(4, 1, 4, 2, 1),
        )  # fmt: skip

    def forward(self, z):
        return self.net(z)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.embed, self.encoder = nn.Embedding(30, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, ids, mask):
        return self.encoder(self.embed(ids), src_key_padding_mask=mask).mean(1)


class Mobile(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = block(3, 4, 2)
        self.depth = nn.Sequential(nn.Conv2d(4, 4, 3, 2, 1, groups=4), nn.BatchNorm2d(4), nn.ReLU6())
        self.point, self.head = nn.Conv2d(4, 8, 1), nn.Linear(8, 10)

    def forward(self, x):
        x = self.point(self.depth(self.stem(x)))
        return self.head(x.mean([2, 3]))


class Counted(nn.Module):
    """Positions counted out and looked up in a table of 1024, without a word on the length."""

    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(50, 8), nn.Embedding(1024, 8)

    def forward(self, ids):
        B, T = ids.shape
        return self.wte(ids) + self.wpe(torch.arange(T, device=ids.device).unsqueeze(0).expand(B, T))
