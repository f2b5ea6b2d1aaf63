"""Generators and decoders, views and reshapes, sizes that Python unpacks."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Generator(nn.Module):
    def __init__(self, nz=100):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, 64, 4, 1, 0),
            nn.BatchNorm2d(64),
            nn.ReLU(True),
            nn.ConvTranspose2d(64, 1, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z)  # fails


class DecoderView(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 128 * 7 * 7)
        self.up = nn.ConvTranspose2d(128, 1, 4, 2, 1)

    def forward(self, z):
        x = self.fc(z)
        x = x.view(-1, 128, 8, 8)  # fails
        return torch.sigmoid(self.up(x))


class AutoencoderSkip(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1)

    def forward(self, x):
        y = self.up(torch.relu(self.down(x)))
        return x + y  # fails


class TransposedChannels(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Conv2d(1, 16, 3, 2, 1)
        self.dec = nn.ConvTranspose2d(32, 1, 2, 2)

    def forward(self, x):
        return self.dec(F.relu(self.enc(x)))  # fails


class HardCodedBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3 * 8 * 8, 10)

    def forward(self, x):
        x = x.view(64, 3 * 8 * 8)  # fails
        return self.fc(x)


class HardCodedBatchMap(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(20, 8 * 4 * 4)
        self.conv = nn.Conv2d(8, 1, 3)

    def forward(self, x):
        x = self.fc(x).reshape(32, 8, 4, 4)  # fails
        return self.conv(x)


class ViewAfterPermute(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8 * 6 * 6, 2)

    def forward(self, x):
        x = self.conv(x).permute(0, 2, 3, 1)
        x = x.view(x.size(0), -1)  # fails
        return self.fc(x)


class UnpackNeedsBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        b, c, h, w = x.shape  # fails
        return self.conv(x).view(b, 8, h * w)


class UnpackTooMany(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)

    def forward(self, x):
        batch, features = x.size()  # fails
        return self.lin(x)


class SizeOfThird(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        side = x.size(3)  # fails
        return self.conv(x)[..., : side - 3]


class SoftmaxDim(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        return F.softmax(self.fc(x), dim=2)  # fails


class SoftmaxModuleDim(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 4), nn.Softmax(dim=3))

    def forward(self, x):
        return self.net(x)  # fails


class NestedUnflatten(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(16, 288), nn.Unflatten(1, (32, 4, 4)), nn.ConvTranspose2d(32, 1, 2, 2))

    def forward(self, z):
        return self.net(z)  # fails


class ConditionalGenerator(nn.Module):
    def __init__(self):
        super().__init__()
        self.label = nn.Embedding(10, 10)
        self.net = nn.Sequential(nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, z, y):
        x = torch.cat([z, self.label(y)], 1)
        return self.net(x).view(-1, 1, 28, 28)  # fails


class TwoTower(nn.Module):
    def __init__(self):
        super().__init__()
        self.user = nn.Linear(12, 32)
        self.item = nn.Linear(20, 24)

    def forward(self, u, i):
        return self.user(u) @ self.item(i).T  # fails


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(784, 400)
        self.mu = nn.Linear(400, 20)
        self.logvar = nn.Linear(400, 10)
        self.dec = nn.Linear(20, 784)

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        std = torch.exp(0.5 * logvar)
        z = mu + std * torch.zeros_like(std)  # fails
        return self.dec(z)


class TargetsOfBatch(nn.Module):
    """A loss inside of the model: pixels went into the batch."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 20, 5)
        self.conv2 = nn.Conv2d(20, 50, 5)
        self.fc = nn.Linear(4 * 4 * 50, 10)

    def forward(self, x, y):
        x = F.max_pool2d(F.relu(self.conv(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(-1, 4 * 4 * 50)
        return F.cross_entropy(self.fc(x), y)  # fails


class ClassesLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(50, 8)
        self.out = nn.Linear(8, 50)

    def forward(self, tokens, y):
        logits = self.out(self.emb(tokens))
        return F.cross_entropy(logits, y)  # fails


class OneHot(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
        self.criterion = nn.CrossEntropyLoss()

    def forward(self, x, y):
        return self.criterion(self.fc(x), y)  # fails


class BinaryTrailingOne(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 1)
        self.criterion = nn.BCEWithLogitsLoss()

    def forward(self, x, y):
        return self.criterion(self.fc(x), y)  # fails


class SegmentationTarget(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 5, 3, padding=1)

    def forward(self, x, mask):
        out = self.net(x)
        return nn.CrossEntropyLoss()(out, mask)  # fails


class TargetColumn(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)

    def forward(self, x, y):
        return F.cross_entropy(self.fc(x), y)  # fails


class AutoencoderLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1)

    def forward(self, x):
        return F.binary_cross_entropy(torch.sigmoid(self.up(F.relu(self.down(x)))), x)  # fails


class SequenceTargets(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(50, 8)
        self.out = nn.Linear(8, 50)

    def forward(self, tokens, y):
        logits = self.out(self.emb(tokens)).view(-1, 50)
        return F.cross_entropy(logits, y)  # fails


class FlattenedReconstruction(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(784, 32)
        self.dec = nn.Linear(32, 784)

    def forward(self, x):
        y = torch.sigmoid(self.dec(self.enc(x.view(x.size(0), -1))))
        return F.binary_cross_entropy(y, x)  # fails


CASES = [
    ("Generator", "16,100", "rank", ["insert main.0 view x.view(-1, 100, 1, 1)"]),
    ("DecoderView", "4,64", "view-size", ["call - sizes x.view(-1, 128, 7, 7)", "argument fc out_features 8192"]),
    ("AutoencoderSkip", "2,1,28,28", "residual", ["argument up output_padding (1, 1)"]),
    ("TransposedChannels", "2,1,28,28", "in-channels", ["argument dec in_channels 16", "argument enc out_channels 32"]),
    ("HardCodedBatch", "10,3,8,8", "view-size", ["call - view torch.flatten(x, 1)", "call - batch x.size(0)"]),
    ("HardCodedBatchMap", "10,20", "view-size", ["call - batch self.fc(x).size(0)", "call - sizes *"]),
    ("ViewAfterPermute", "2,3,8,8", "view-stride", ["call - view reshape"]),
    ("UnpackNeedsBatch", "3,8,8", "missing-batch", ["input - batch (1, 3, 8, 8)"]),
    ("UnpackTooMany", "2,5,4", "rank", ["call - unpacking batch, features, _"]),
    ("SizeOfThird", "16,28,28", "missing-channel", ["input - channel (16, 1, 28, 28)"]),
    ("SoftmaxDim", "3,8", "dim-range", ["call - dim -1", "call - dim 1"]),
    ("SoftmaxModuleDim", "3,8", "dim-range", ["argument net.1 dim -1"]),
    ("NestedUnflatten", "3,16", "view-size", ["argument net.1 unflattened_size (32, 3, 3)", "argument net.0 out_features 512"]),
    ("ConditionalGenerator", ["4,100", "int64[4]"], "in-features", ["argument net.0 in_features 110"]),
    ("TwoTower", ["4,12", "6,20"], "matmul", ["argument user out_features 24", "argument item out_features 32"]),
    ("Vae", "4,784", "residual", ["argument logvar out_features 20", "argument mu out_features 10"]),
    ("TargetsOfBatch", ["8,1,36,36", "int64[8]"], "target-batch",
     ["call - view x.reshape(x.size(0), -1) + argument fc in_features 1800", "input - size (8, 1, 28, 28)"]),
    ("ClassesLast", ["int64[4,9]", "int64[4,9]"], "classes-last", ["insert - * x.transpose(1, 2)"]),
    ("OneHot", ["4,6", "int64[4,3]"], "one-hot", ["insert criterion * x.argmax(dim=1)"]),
    ("BinaryTrailingOne", ["4,6", "4"], "target-shape", ["insert criterion * x.unsqueeze(-1)", "insert criterion * x.squeeze(-1)"]),
    ("SegmentationTarget", ["2,3,8,8", "int64[2,1,8,8]"], "target-shape", ["insert - * x.squeeze(1)"]),
    ("TargetColumn", ["4,6", "int64[4,1]"], "target-shape", ["insert - * x.squeeze(1)"]),
    ("AutoencoderLoss", "2,1,28,28", "target-shape", ["argument up output_padding (1, 1)"]),
    ("SequenceTargets", ["int64[4,9]", "int64[4,9]"], "target-batch", ["insert - * x.reshape(-1)"]),
    ("FlattenedReconstruction", "4,1,28,28", "target-shape", ["insert - * x.flatten(1)"]),
]  # fmt: skip
