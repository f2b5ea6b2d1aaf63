"""A second sample, written without looking at what the program says of it."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Discriminator(nn.Module):
    def __init__(self, nc=3, ngf=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(nc, ngf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ngf, ngf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ngf, 1, 4, 1, 0, bias=False),
        )

    def forward(self, x):
        return self.main(x)  # fails


class CifarLeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.conv2 = nn.Conv2d(6, 16, 3)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        return self.fc2(F.relu(self.fc1(x)))  # fails


class StateOfOtherAxis(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = 16
        self.lstm = nn.LSTM(8, 16, batch_first=True)

    def forward(self, x):
        h0 = torch.zeros(1, x.size(1), self.hidden)
        c0 = torch.zeros(1, x.size(1), self.hidden)
        out, _ = self.lstm(x, (h0, c0))  # fails
        return out


class OneColourImage(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))  # fails


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU())
        self.dec = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, stride=2, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return F.mse_loss(self.dec(self.enc(x)), x)  # fails


class UnpackRows(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x):
        b, c, h, w = x.shape  # fails
        return self.conv(x).view(b, -1)


class VggBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = self.make_layers([64, "M", 128, "M", 256, "M"])
        self.classifier = nn.Sequential(nn.Linear(256 * 7 * 7, 512), nn.ReLU(True), nn.Linear(512, 10))

    def make_layers(self, cfg):
        layers, c = [], 3
        for v in cfg:
            if v == "M":
                layers.append(nn.MaxPool2d(2, 2))
            else:
                layers += [nn.Conv2d(c, v, 3, padding=1), nn.BatchNorm2d(v), nn.ReLU(inplace=True)]
                c = v
        return nn.Sequential(*layers)

    def forward(self, x):
        x = self.features(x)
        x = x.view(x.size(0), -1)
        return self.classifier(x)  # fails


class LoopLayers(nn.Module):
    def __init__(self, sizes=(16, 32, 64)):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:])])
        self.out = nn.Linear(32, 2)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.out(x)  # fails


class UNetThree(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2, self.d3 = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.Conv2d(16, 32, 3, padding=1),
        )
        self.u2, self.u1 = nn.ConvTranspose2d(32, 16, 2, 2), nn.ConvTranspose2d(16, 8, 2, 2)
        self.c2, self.c1 = nn.Conv2d(32, 16, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        a = F.relu(self.d1(x))
        b = F.relu(self.d2(self.pool(a)))
        c = F.relu(self.d3(self.pool(b)))
        y = self.c2(torch.cat([self.u2(c), b], dim=1))  # fails
        return self.c1(torch.cat([self.u1(y), a], dim=1))


class UnpaddedUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Conv2d(1, 8, 3)
        self.mid = nn.Conv2d(8, 16, 3)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.dec = nn.Conv2d(16, 2, 3)

    def forward(self, x):
        e = F.relu(self.enc(x))
        m = F.relu(self.mid(F.max_pool2d(e, 2)))
        return self.dec(torch.cat((self.up(m), e), dim=1))  # fails


class TextClassifier(nn.Module):
    def __init__(self, vocab=500, dim=50, classes=4):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.convs = nn.ModuleList([nn.Conv2d(1, 10, (k, dim)) for k in (3, 4, 5)])
        self.fc = nn.Linear(10, classes)

    def forward(self, x):
        x = self.embed(x).unsqueeze(1)
        x = [F.relu(conv(x)).squeeze(3) for conv in self.convs]
        x = [F.max_pool1d(i, i.size(2)).squeeze(2) for i in x]
        x = torch.cat(x, 1)
        return self.fc(x)  # fails


class PositionalEncoding(nn.Module):
    def __init__(self, d=16, longest=50):
        super().__init__()
        self.register_buffer("pe", torch.zeros(longest, d))

    def forward(self, x):
        return x + self.pe  # fails


class WithPositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 16)
        self.pos = PositionalEncoding()

    def forward(self, t):
        return self.pos(self.emb(t))


class CausalMask(nn.Module):
    def __init__(self, block=8):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(16, 16), nn.Linear(16, 16), nn.Linear(16, 16)
        self.register_buffer("tril", torch.tril(torch.ones(block, block)))

    def forward(self, x):
        w = self.q(x) @ self.k(x).transpose(-2, -1)
        w = w.masked_fill(self.tril == 0, float("-inf"))  # fails
        return w.softmax(-1) @ self.v(x)


class PadMask(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, mask):
        n, t, _ = x.shape
        q = self.q(x).view(n, t, 2, 4).transpose(1, 2)
        k = self.k(x).view(n, t, 2, 4).transpose(1, 2)
        scores = q @ k.transpose(-2, -1)
        return scores.masked_fill(mask == 0, -1e9).softmax(-1)  # fails


class DqnHead(nn.Module):
    def __init__(self, h=84, w=84, actions=4):
        super().__init__()
        self.conv1 = nn.Conv2d(4, 32, kernel_size=8, stride=4)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=4, stride=2)
        self.conv3 = nn.Conv2d(64, 64, kernel_size=3, stride=1)
        self.head = nn.Linear(64 * 9 * 9, actions)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.relu(self.conv3(x))
        return self.head(x.view(x.size(0), -1))  # fails


class ResNetStages(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.b1 = self.block(16, 16)
        self.b2 = self.block(16, 32, 2)
        self.fc = nn.Linear(32, 10)

    def block(self, i, o, s=1):
        return nn.Sequential(
            nn.Conv2d(i, o, 3, s, 1), nn.BatchNorm2d(o), nn.ReLU(), nn.Conv2d(o, o, 3, 1, 1), nn.BatchNorm2d(o)
        )

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = F.relu(self.b1(x) + x)
        x = F.relu(self.b2(x) + x)  # fails
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class BilinearHead(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(32, 10))
        self.fc = nn.Linear(20, 24)

    def forward(self, x):
        return torch.mm(self.fc(x), self.w)  # fails


class RnnLastStep(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(6, 12, 2, batch_first=True)
        self.fc = nn.Linear(24, 3)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.fc(h[-1])  # fails


class ThreeDimensional(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(self.conv(x))  # fails


class Multimodal(nn.Module):
    def __init__(self):
        super().__init__()
        self.text = nn.LSTM(16, 32, batch_first=True)
        self.image = nn.Linear(100, 20)
        self.fuse = nn.Linear(52, 2)

    def forward(self, t, v):
        out, _ = self.text(t)
        return self.fuse(torch.cat([out, self.image(v)], dim=1))  # fails


class ActorCritic(nn.Module):
    def __init__(self, state=8, hidden=32, actions=2):
        super().__init__()
        self.affine = nn.Linear(4, hidden)
        self.action = nn.Linear(hidden, actions)
        self.value = nn.Linear(hidden, 1)

    def forward(self, s):
        h = F.relu(self.affine(s))  # fails
        return F.softmax(self.action(h), -1), self.value(h)


class Upsampler(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(16, 1, 3, padding=1))

    def forward(self, x):
        return self.net(x)  # fails


class LastBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.batch = 32
        self.fc = nn.Linear(5 * 6, 2)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out.contiguous().view(self.batch, -1))  # fails


class Grid(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 14, 1)

    def forward(self, x):
        n = x.shape[0]
        return self.conv(x).view(n, 7, 7, 14).permute(0, 3, 1, 2)  # fails


class Mixer(nn.Module):
    def __init__(self, tokens=16, dim=24):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.token = nn.Linear(tokens, tokens)

    def forward(self, x):
        y = self.norm(x)
        return x + self.token(y)  # fails


CASES = [
    ("Discriminator", "2,3,32,32", "in-channels", ["argument main.5 in_channels 32"]),
    ("CifarLeNet", "4,3,32,32", "in-features", ["argument fc1 in_features 576"]),
    ("StateOfOtherAxis", "4,9,8", "hidden-size", ["call lstm * (1, 4, 16)"]),
    ("OneColourImage", "3,32,32", "missing-batch", ["input - batch (1, 3, 32, 32)"]),
    ("Autoencoder", "2,1,28,28", "target-shape",
     ["argument dec.0 output_padding (1, 1) + argument dec.2 output_padding (1, 1)",
      "argument dec.2 output_padding (1, 1) + argument dec.0 output_padding (1, 1)"]),
    ("UnpackRows", "32,784", "rank", ["input - * (32, 1, 28, 28)"]),
    ("VggBlock", "2,3,32,32", "in-features", ["argument classifier.0 in_features 4096"]),
    ("LoopLayers", "4,16", "in-features", ["argument out in_features 64"]),
    ("UNetThree", "1,3,50,50", "concat", ["insert - interpolate *", "input - size (1, 3, 52, 52)", "argument u2 output_padding (1, 1)"]),
    ("UnpaddedUNet", "1,1,32,32", "concat", ["insert - interpolate *", "argument mid padding (1, 1)*", "argument enc padding*"]),
    ("TextClassifier", "int64[2,20]", "in-features", ["argument fc in_features 30"]),
    ("WithPositions", "int64[2,12]", "broadcast", ["insert pos slice *"]),
    ("CausalMask", "2,6,16", "broadcast", ["insert - slice *"]),
    ("PadMask", ["2,5,8", "int64[2,5]"], "broadcast", ["insert - unsqueeze *"]),
    ("DqnHead", "2,4,84,84", "in-features", ["argument head in_features 3136"]),
    ("ResNetStages", "2,3,16,16", "residual", ["insert - shortcut nn.Conv2d(16, 32, kernel_size=1, stride=2)"]),
    ("BilinearHead", "4,20", "matmul", ["argument fc out_features 32", "argument - w *"]),
    ("RnnLastStep", "4,9,6", "in-features", ["argument fc in_features 12", "argument rnn hidden_size 24"]),
    ("ThreeDimensional", "2,1,8,8,8", "num-features", ["argument bn class BatchNorm3d"]),
    ("Multimodal", ["2,7,16", "2,100"], "concat", ["insert - * x[:, -1]"]),
    ("ActorCritic", "5,8", "in-features", ["argument affine in_features 8"]),
    ("Upsampler", "2,1,8,8", "in-channels", ["argument net.2 in_channels 4", "argument net.0 out_channels 64"]),
    ("LastBatch", "10,6,3", "view-size", ["call - * torch.flatten(x, 1)", "call - batch *"]),
    ("Grid", "2,3,13,13", "view-size", ["input - size (2, 3, 7, 7)", "call - * *"]),
    ("Mixer", "2,16,24", "matmul", ["insert token transpose *"]),
]  # fmt: skip
