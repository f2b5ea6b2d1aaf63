"""A third sample: models from what people report on forums."""

import torch
import torch.nn.functional as F
from torch import nn


class LargerPictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(nn.Linear(32 * 8 * 8, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)  # fails


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(32, 1000)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class NewHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.backbone.fc = nn.Identity()
        self.head = nn.Linear(1000, 5)

    def forward(self, x):
        return self.head(self.backbone(x))  # fails


class SignalWithoutChannel(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 16, 5)
        self.fc = nn.Linear(16, 2)

    def forward(self, x):
        x = F.relu(self.conv(x))  # fails
        return self.fc(x.mean(-1))


class NormAfterUnsqueeze(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(20, 32)
        self.bn = nn.BatchNorm1d(32)
        self.fc2 = nn.Linear(32, 2)

    def forward(self, x):
        x = self.fc1(x).unsqueeze(1)
        x = self.bn(x)  # fails
        return self.fc2(F.relu(x))


class WordsThenConv(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(100, 32)
        self.conv = nn.Conv1d(32, 16, 3)
        self.fc = nn.Linear(16, 2)

    def forward(self, tokens):
        x = self.emb(tokens)
        x = F.relu(self.conv(x))  # fails
        return self.fc(x.max(-1).values)


class OddUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv2d(1, 8, 3, padding=1)
        self.down2 = nn.Conv2d(8, 16, 3, padding=1)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.out = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x):
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(F.max_pool2d(a, 2)))
        return self.out(torch.cat([a, self.up(b)], 1))  # fails


class AutoencoderLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(784, 64), nn.ReLU())
        self.dec = nn.Sequential(nn.Linear(64, 748), nn.Sigmoid())

    def forward(self, x):
        x = x.view(x.size(0), -1)
        return F.binary_cross_entropy(self.dec(self.enc(x)), x)  # fails


class OneLogit(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 1)
        self.loss = nn.BCEWithLogitsLoss()

    def forward(self, x, target):
        return self.loss(self.fc(x), target)  # fails


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.fc = nn.Linear(32, 1)

    def forward(self, a, b):
        joined = torch.cat((self.cnn(a), self.cnn(b)), dim=1)
        return self.fc(joined)  # fails


class PictureAndTable(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.table = nn.Linear(5, 16)
        self.fc = nn.Linear(24, 2)

    def forward(self, image, row):
        image = self.pool(self.conv(image))
        return self.fc(torch.cat([image, self.table(row)], dim=1))  # fails


class VolumeWithoutChannel(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3, padding=1)
        self.bn = nn.BatchNorm3d(4)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.bn(self.conv(x))  # fails
        return self.fc(x.mean((2, 3, 4)))


class GroupedBranch(nn.Module):
    def __init__(self):
        super().__init__()
        self.inp = nn.Conv2d(3, 24, 1)
        self.grouped = nn.Conv2d(32, 32, 3, padding=1, groups=4)
        self.out = nn.Conv2d(32, 8, 1)

    def forward(self, x):
        return self.out(F.relu(self.grouped(F.relu(self.inp(x)))))  # fails


class ConvLSTMCell(nn.Module):
    def __init__(self, channels=3, hidden=8):
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(channels, 4 * hidden, 3, padding=1)

    def forward(self, x):
        h = x.new_zeros(x.size(0), self.hidden, x.size(2), x.size(3))
        c = h
        i, f, o, g = self.gates(torch.cat([x, h], dim=1)).chunk(4, dim=1)  # fails
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c)


class SmallViT(nn.Module):
    def __init__(self, image=32, patch=8, dim=32):
        super().__init__()
        self.patch = patch
        self.embed = nn.Linear(patch * patch, dim)
        self.pos = nn.Parameter(torch.zeros(1, (image // patch) ** 2, dim))
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        b, c, h, w = x.shape
        p = self.patch
        x = x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 1, 3, 5).reshape(b, -1, c * p * p)
        x = self.embed(x) + self.pos  # fails
        return self.head(x.mean(1))


class HeadMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x):
        mask = torch.ones(x.size(0), x.size(1), x.size(1), dtype=torch.bool)
        return self.attn(x, x, x, attn_mask=mask)[0]  # fails


class GanGenerator(nn.Module):
    def __init__(self, z=64):
        super().__init__()
        self.fc = nn.Linear(z, 128 * 7 * 7)
        self.up = nn.Sequential(nn.ConvTranspose2d(128, 64, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1))

    def forward(self, z):
        x = self.fc(z).view(-1, 128, 8, 8)  # fails
        return self.up(x)


class GanCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2)
        )
        self.fc = nn.Linear(32 * 4 * 4, 1)

    def forward(self, x):
        x = self.main(x)
        return self.fc(x.view(-1, 32 * 4 * 4)).view(x.size(0))  # fails


class ShuffleUp(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 10, 3, padding=1)
        self.up = nn.PixelShuffle(2)
        self.out = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x):
        return self.out(self.up(self.conv(x)))  # fails


CASES = [
    ("LargerPictures", "4,3,64,64", "in-features", ["input - size (4, 3, 32, 32)", "argument classifier.0 in_features 8192"]),
    ("NewHead", "2,3,64,64", "in-features", ["argument head in_features 32"]),
    ("SignalWithoutChannel", "8,100", "missing-channel", ["input - channel *"]),
    ("NormAfterUnsqueeze", "4,20", "num-features", ["insert bn layout *"]),
    ("WordsThenConv", "int64[4,12]", "channels-last", ["insert conv layout x.permute(0, 2, 1)"]),
    ("OddUNet", "1,1,33,33", "concat", ["argument up output_padding (1, 1)"]),
    ("AutoencoderLoss", "4,1,28,28", "target-shape", ["argument dec.0 out_features 784"]),
    ("OneLogit", ["4,12", "4"], "target-shape", ["insert loss - x.unsqueeze(-1)", "insert loss - x.squeeze(-1)"]),
    ("Siamese", ["2,1,28,28", "2,1,28,28"], "in-features", ["argument fc in_features 64"]),
    ("PictureAndTable", ["2,3,16,16", "2,5"], "concat", ["insert - flatten torch.flatten(x, 1)"]),
    ("VolumeWithoutChannel", "2,8,16,16", "missing-channel", ["input - channel *"]),
    ("GroupedBranch", "2,3,8,8", "in-channels", ["argument inp out_channels 32", "argument grouped in_channels 24"]),
    ("ConvLSTMCell", "2,3,16,16", "in-channels", ["argument gates in_channels 11"]),
    ("SmallViT", "2,3,32,32", "in-features", ["argument embed in_features 192"]),
    ("HeadMask", "2,5,16", "attention-mask", ["call attn attn_mask *"]),
    ("GanGenerator", "4,64", "view-size", ["call - sizes *", "argument fc out_features 8192"]),
    ("GanCritic", "4,3,32,32", "lost-batch", ["call - view x.reshape(x.size(0), -1) + argument fc in_features 2048"]),
    ("ShuffleUp", "2,3,8,8", "groups", ["argument conv out_channels 12"]),
]  # fmt: skip
