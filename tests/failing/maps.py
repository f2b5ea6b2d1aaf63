"""Channels, normalisations, branches, concatenations and windows of convolutional networks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class GreyToColour(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(16, 8, 3)

    def forward(self, x):
        return self.conv2(torch.relu(self.conv1(x)))  # fails


class ColourToGrey(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3)

    def forward(self, x):
        return self.conv1(x)  # fails


class PreviousLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 128, 3, padding=1)
        self.fc = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))  # fails
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, img):
        return self.conv(img)  # fails


class OneHwcImage(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, img):
        return self.conv(img)  # fails


class NoChannel(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)

    def forward(self, x):
        return F.relu(self.conv(x))  # fails


class SignalNoChannel(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 7)

    def forward(self, x):
        return self.conv(x)  # fails


class NumFeatures(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3)
        self.bn = nn.BatchNorm2d(64)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))  # fails


class BnAgreesWithNext(nn.Module):
    """Two layers agree on 64; the convolution before them is the odd one."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 8, 3))

    def forward(self, x):
        return self.net(x)  # fails


class Bn1dOnSequence(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 24)
        self.bn = nn.BatchNorm1d(24)

    def forward(self, x):
        return self.bn(self.fc(x))  # fails


class Bn2dAfterLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(10, 24)
        self.bn = nn.BatchNorm2d(24)

    def forward(self, x):
        return self.bn(self.fc(x))  # fails


class LayerNormOnMaps(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 4, stride=4)
        self.norm = nn.LayerNorm(32)

    def forward(self, x):
        return self.norm(self.conv(x))  # fails


class LayerNormSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(8, 48)
        self.norm = nn.LayerNorm(64)

    def forward(self, x):
        return self.norm(self.lin(x))  # fails


class GroupNormWidth(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3)
        self.gn = nn.GroupNorm(8, 32)

    def forward(self, x):
        return self.gn(self.conv(x))  # fails


class ResidualNoPadding(nn.Module):
    def __init__(self, ch=16):
        super().__init__()
        self.conv1 = nn.Conv2d(ch, ch, 3, padding=1)
        self.conv2 = nn.Conv2d(ch, ch, 3)

    def forward(self, x):
        out = F.relu(self.conv1(x))
        out = self.conv2(out)
        return F.relu(out + x)  # fails


class BasicBlockNoShortcut(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(128)
        self.conv2 = nn.Conv2d(128, 128, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(128)

    def forward(self, x):
        identity = x
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity  # fails
        return F.relu(out)


class ShortcutStride(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)
        )
        self.skip = nn.Conv2d(32, 64, 1)

    def forward(self, x):
        return torch.relu(self.main(x) + self.skip(x))  # fails


class UNetOddSize(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 8, 3, padding=1)
        self.down2 = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.out = nn.Conv2d(16, 1, 1)

    def forward(self, x):
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        u = self.up(b)
        return self.out(torch.cat([a, u], dim=1))  # fails


class UNetChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc1 = nn.Conv2d(3, 16, 3, padding=1)
        self.enc2 = nn.Conv2d(16, 32, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)
        self.dec = nn.Conv2d(32, 16, 3, padding=1)
        self.last = nn.Conv2d(16, 2, 1)

    def forward(self, x):
        e1 = F.relu(self.enc1(x))
        e2 = F.relu(self.enc2(F.max_pool2d(e1, 2)))
        d = torch.cat((self.up(e2), e1), 1)
        return self.last(F.relu(self.dec(d)))  # fails


class CatWrongAxis(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(8, 16)
        self.b = nn.Linear(8, 4)
        self.c = nn.Linear(20, 2)

    def forward(self, x):
        return self.c(torch.cat((self.a(x), self.b(x)), 0))  # fails


class CatMapWithRow(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4 * 6 * 6 + 5, 2)

    def forward(self, image, row):
        z = torch.cat([self.cnn(image), row], dim=1)  # fails
        return self.fc(z)


class KernelTooLarge(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 5)
        self.conv2 = nn.Conv2d(8, 8, 7)

    def forward(self, x):
        return self.conv2(self.conv1(x))  # fails


class PooledToNothing(nn.Module):
    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for out in (8, 16, 16, 16, 16, 16):
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            width = out
        self.features = nn.Sequential(*layers)
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.features(x)  # fails
        return self.fc(x.mean((2, 3)))


class TextKernel(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 16)
        self.conv = nn.Conv1d(16, 8, 5)

    def forward(self, tokens):
        x = self.emb(tokens).permute(0, 2, 1)
        return self.conv(x).amax(-1)  # fails


class TextNoPermute(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 32)
        self.conv = nn.Conv1d(32, 8, 3)

    def forward(self, tokens):
        x = self.emb(tokens)
        return self.conv(x).amax(-1)  # fails


class AppliedTwice(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3)
        self.conv2 = nn.Conv2d(16, 32, 3)
        self.conv3 = nn.Conv2d(32, 64, 3)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv2(x))  # fails
        return x


class GroupsPrevious(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 24, 1)
        self.b = nn.Conv2d(48, 48, 3, groups=4)

    def forward(self, x):
        return self.b(self.a(x))  # fails


class SqueezeExcite(nn.Module):
    def __init__(self, c=16):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(c, c // 4), nn.ReLU(), nn.Linear(c // 4, c), nn.Sigmoid())

    def forward(self, x):
        w = self.fc(x.mean(dim=(2, 3)))
        return x * w  # fails


class FlatToConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)

    def forward(self, x):
        return self.conv(x)  # fails


class ExtraDimension(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x):
        return self.conv(x)  # fails


class Rgba(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.conv(x).mean((2, 3)))  # fails


class InceptionBranch(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = nn.Conv2d(8, 4, 1)
        self.b2 = nn.Conv2d(8, 4, 3, padding=1)
        self.b3 = nn.Conv2d(8, 4, 5, padding=1)

    def forward(self, x):
        return torch.cat([self.b1(x), self.b2(x), self.b3(x)], 1)  # fails


class DenseLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(4, 12, 3, padding=1)
        self.c2 = nn.Conv2d(16, 12, 3, padding=1)
        self.c3 = nn.Conv2d(24, 12, 3, padding=1)

    def forward(self, x):
        a = torch.cat([x, self.c1(x)], 1)
        b = torch.cat([a, self.c2(a)], 1)
        return self.c3(b)  # fails


class OneValue(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 8)
        self.bn = nn.BatchNorm1d(8)

    def forward(self, x):
        return self.bn(self.fc(x))  # fails


class SqueezeTakesBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm1d(8)

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.conv(x), 1).squeeze()
        return self.bn(x)  # fails


CASES = [
    ("GreyToColour", "4,1,28,28", "in-channels", ["argument conv1 in_channels 1", "input - channels (4, 3, 28, 28)"]),
    ("ColourToGrey", "4,3,28,28", "in-channels", ["argument conv1 in_channels 3"]),
    ("PreviousLayer", "4,3,28,28", "in-channels", ["argument conv2 in_channels 64", "argument conv1 out_channels 32"]),
    ("ChannelsLast", "4,28,28,3", "channels-last", ["input - layout (4, 3, 28, 28)"]),
    ("OneHwcImage", "28,30,3", "channels-last", ["input - layout (1, 3, 28, 30)"]),
    ("NoChannel", "16,28,28", "missing-channel", ["input - channel (16, 1, 28, 28)"]),
    ("SignalNoChannel", "16,300", "missing-channel", ["input - channel (16, 1, 300)"]),
    ("NumFeatures", "2,3,16,16", "num-features", ["argument bn num_features 32", "argument conv out_channels 64"]),
    ("BnAgreesWithNext", "2,3,16,16", "num-features", ["argument net.0 out_channels 64"]),
    ("Bn1dOnSequence", "4,7,10", "num-features", ["insert bn layout layer(x.transpose(1, 2)).transpose(1, 2)"]),
    ("Bn2dAfterLinear", "4,10", "num-features", ["argument bn class BatchNorm1d"]),
    ("LayerNormOnMaps", "2,3,32,32", "num-features", ["insert norm layout layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)"]),
    ("LayerNormSize", "2,5,8", "num-features", ["argument norm normalized_shape (48,)", "argument lin out_features 64"]),
    ("GroupNormWidth", "2,3,9,9", "num-features", ["argument gn num_channels 24", "argument conv out_channels 32"]),
    ("ResidualNoPadding", "2,16,20,20", "residual", ["argument conv2 padding (1, 1)"]),
    ("BasicBlockNoShortcut", "2,64,16,16", "residual",
     ["insert - shortcut nn.Conv2d(64, 128, kernel_size=1, stride=2)"]),
    ("ShortcutStride", "2,32,16,16", "residual", ["argument skip stride (2, 2)"]),
    ("UNetOddSize", "1,1,45,45", "concat",
     ["insert - interpolate F.interpolate(x, size=skip.shape[2:])", "input - size (1, 1, 46, 46)", "argument up output_padding (1, 1)"]),
    ("UNetChannels", "1,3,32,32", "in-channels", ["argument dec in_channels 48"]),
    ("CatWrongAxis", "3,8", "concat", ["call - dim 1"]),
    ("CatMapWithRow", ["2,3,8,8", "2,5"], "concat", ["insert - flatten torch.flatten(x, 1)"]),
    ("KernelTooLarge", "2,1,10,10", "kernel-too-large", ["input - size (2, 1, 11, 11)"]),
    ("PooledToNothing", "2,3,32,32", "kernel-too-large", ["input - size (2, 3, 64, 64)"]),
    ("TextKernel", "int64[2,3]", "kernel-too-large", ["input - size (2, 5)"]),
    ("TextNoPermute", "int64[2,20]", "channels-last", ["insert conv layout x.permute(0, 2, 1)"]),
    ("AppliedTwice", "2,3,16,16", "applied-twice", ["call conv2 layer self.conv3"]),
    ("GroupsPrevious", "2,3,8,8", "in-channels", ["argument b in_channels 24", "argument a out_channels 48"]),
    ("SqueezeExcite", "2,16,8,8", "broadcast", ["insert - unsqueeze x[..., None, None]"]),
    ("FlatToConv", "8,784", "rank", ["insert conv view x.view(-1, 1, 28, 28)"]),
    ("ExtraDimension", "4,1,3,16,16", "rank", ["input - rank (4, 3, 16, 16)"]),
    ("Rgba", "4,4,16,16", "in-channels", ["input - channels (4, 3, 16, 16)", "argument conv in_channels 4"]),
    ("InceptionBranch", "2,8,12,12", "concat", ["argument b3 padding (2, 2)"]),
    ("DenseLayer", "2,4,9,9", "in-channels", ["argument c3 in_channels 28"]),
    ("OneValue", "1,4", "one-value", ["input - batch (2, 4)"]),
    ("SqueezeTakesBatch", "1,3,9,9", "lost-batch",
     ["call - squeeze F.adaptive_avg_pool2d(self.conv(x), 1).squeeze((-2, -1))"]),
]  # fmt: skip
