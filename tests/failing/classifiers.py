"""Classifiers: what the last layers expect, and what the convolutions leave."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class BasicMnistOnCifar(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, kernel_size=5)
        self.conv2 = nn.Conv2d(10, 20, kernel_size=5)
        self.conv2_drop = nn.Dropout2d()
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))  # fails
        return F.log_softmax(self.fc2(x), dim=1)


class LeNetTutorial(nn.Module):
    """The CIFAR tutorial's network on grey pictures of 28."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)  # fails
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class PaddingForgotten(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
        self.layer2 = nn.Sequential(nn.Conv2d(16, 32, 5), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Linear(7 * 7 * 32, 10)

    def forward(self, x):
        out = self.layer1(x)
        out = self.layer2(out)
        out = out.reshape(out.size(0), -1)
        return self.fc(out)  # fails


class PoolingForgotten(nn.Module):
    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 64, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * 8 * 8, 256),
            nn.ReLU(),
            nn.Linear(256, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))  # fails


class AlexNetOnSmall(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.fc = nn.Linear(256 * 6 * 6, 10)

    def forward(self, x):
        x = self.features(x)
        return self.fc(torch.flatten(x, 1))  # fails


class SamplesAsFeatures(nn.Module):
    """The number of rows of the data set was taken for the number of its columns."""

    def __init__(self, n=891):
        super().__init__()
        self.l1 = nn.Linear(n, 64)
        self.l2 = nn.Linear(64, 2)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x)))  # fails


class HiddenDisagree(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        return self.net(x)  # fails


class MissingFlatten(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(8 * 14 * 14, 10)

    def forward(self, x):
        x = self.pool(F.relu(self.conv(x)))
        return self.fc(x)  # fails


class FlattenNotInSequential(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 10),
        )

    def forward(self, x):
        return self.model(x)  # fails


class MlpOnPictures(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.fc1(x))  # fails
        return self.fc2(x)


class MlpWrongAndUnflattened(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))  # fails


class ViewThrownAway(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(4 * 26 * 26, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x.view(x.size(0), -1)
        return self.fc(x)  # fails


class PermuteThrownAway(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image):
        image.permute(0, 3, 1, 2)
        return self.conv(image)  # fails


class GlobalPoolingForgotten(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 64, 3, 2, 1), nn.ReLU(), nn.Conv2d(64, 512, 3, 2, 1), nn.ReLU())
        self.fc = nn.Linear(512, 10)

    def forward(self, x):
        x = self.body(x)
        return self.fc(x)  # fails


class AfterConcat(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.table = nn.Linear(10, 16)
        self.head = nn.Linear(8 * 4 * 4 + 10, 2)

    def forward(self, image, table):
        both = torch.cat([self.image(image), self.table(table)], dim=1)
        return self.head(both)  # fails


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)
        self.bn = nn.BatchNorm2d(cout)
        self.short = nn.Conv2d(cin, cout, 1)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)) + self.short(x))  # fails


class WidthOfSubmodule(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1 = Block(3, 16)
        self.b2 = Block(32, 64)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = self.b2(self.b1(x))
        return self.fc(x.mean(dim=(2, 3)))


class Config:
    hidden = 64
    classes = 5


class WithConfig(nn.Module):
    def __init__(self, cfg=Config):
        super().__init__()
        self.enc = nn.Linear(12, cfg.hidden)
        self.mid = nn.Linear(cfg.hidden * 2, cfg.hidden)
        self.out = nn.Linear(cfg.hidden, cfg.classes)

    def forward(self, x):
        return self.out(torch.tanh(self.mid(torch.tanh(self.enc(x)))))  # fails


class FlattensTheBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 5)
        self.fc = nn.Linear(4 * 24 * 24, 10)

    def forward(self, x):
        x = torch.flatten(F.relu(self.conv(x)))
        return self.fc(x)  # fails


class PixelsIntoBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 10, 5)
        self.fc = nn.Linear(5760, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = x.view(-1, 576)
        return self.fc(x)  # fails


class MissingBatch(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 5)
        self.fc = nn.Linear(6 * 28 * 28, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        x = torch.flatten(x, 1)
        return self.fc(x)  # fails


class CeilPool(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool2 = nn.MaxPool2d(2)
        self.pool3 = nn.MaxPool2d(2)
        self.fc = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv(x)))
        x = self.pool3(self.pool2(torch.relu(self.conv2(x))))
        return self.fc(x.flatten(1))  # fails


class Conv1dSignal(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 16, kernel_size=5)
        self.pool = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(16, 32, kernel_size=5)
        self.fc = nn.Linear(32 * 50, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(x.size(0), -1)
        return self.fc(x)  # fails


class Conv3dVideo(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 8, (3, 3, 3))
        self.pool = nn.MaxPool3d(2)
        self.fc = nn.Linear(8 * 7 * 16 * 16, 5)

    def forward(self, clip):
        z = self.pool(self.conv(clip))
        return self.fc(z.flatten(start_dim=1))  # fails


class HelperFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = self._block(1, 16)
        self.c2 = self._block(32, 32)
        self.fc = nn.Linear(32 * 7 * 7, 10)

    def _block(self, i, o):
        return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))

    def forward(self, x):
        x = self.c2(self.c1(x))  # fails
        return self.fc(x.flatten(1))


class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.fc = nn.Sequential(nn.Linear(8 * 50 * 50, 64), nn.ReLU(), nn.Linear(64, 5))

    def once(self, x):
        z = self.cnn(x)
        z = z.view(z.size()[0], -1)
        return self.fc(z)  # fails

    def forward(self, a, b):
        return self.once(a), self.once(b)


class MobileSeparable(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.depth = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.point = nn.Conv2d(32, 64, 1)

    def forward(self, x):
        return self.point(self.depth(self.stem(x)))  # fails


CASES = [
    ("BasicMnistOnCifar", "8,3,32,32", "in-features", ["argument fc1 in_features 500", "input - size (8, 3, 28, 28)"]),
    ("LeNetTutorial", "4,1,28,28", "view-size",
     ["input - size (4, 1, 32, 32)", "argument conv1 padding (2, 2)", "call - - torch.flatten(x, 1) + argument fc1 in_features 256"]),
    ("PaddingForgotten", "8,1,28,28", "in-features",
     ["argument layer2.0 padding (2, 2)", "argument fc in_features 800"]),
    ("PoolingForgotten", "8,3,32,32", "in-features", ["argument classifier.1 in_features 16384"]),
    ("AlexNetOnSmall", "2,3,96,96", "in-features", ["input - size (2, 3, 224, 224)", "argument fc in_features 1024"]),
    ("SamplesAsFeatures", "16,7", "in-features", ["argument l1 in_features 7"]),
    ("HiddenDisagree", "5,20", "in-features", ["argument net.2 in_features 64", "argument net.0 out_features 32"]),
    ("MissingFlatten", "5,1,28,28", "missing-flatten", ["insert fc flatten torch.flatten(x, 1)"]),
    ("FlattenNotInSequential", "4,3,32,32", "missing-flatten", ["insert model.6 flatten torch.flatten(x, 1)"]),
    ("MlpOnPictures", "64,1,28,28", "missing-flatten", ["insert fc1 flatten torch.flatten(x, 1)"]),
    ("MlpWrongAndUnflattened", "4,3,32,32", "missing-flatten",
     ["insert fc1 flatten torch.flatten(x, 1) + argument fc1 in_features 3072"]),
    ("ViewThrownAway", "3,1,28,28", "unused-result", ["call - view x = x.view(x.size(0), -1)"]),
    ("PermuteThrownAway", "3,20,20,3", "unused-result", ["call - permute image = image.permute(0, 3, 1, 2)"]),
    ("GlobalPoolingForgotten", "2,3,32,32", "missing-flatten", ["insert fc - x.mean(dim=(2, 3))"]),
    ("AfterConcat", ["2,3,16,16", "2,10"], "in-features",
     ["argument head in_features 144", "argument table out_features 10"]),
    ("WidthOfSubmodule", "2,3,16,16", "in-channels",
     ["argument b2 cin 16", "argument b2.conv in_channels 16 + argument b2.short in_channels 16", "argument b1 cout 32"]),
    ("WithConfig", "3,12", "in-features", ["argument mid in_features 64"]),
    ("FlattensTheBatch", "4,1,28,28", "lost-batch", ["call - flatten torch.flatten(F.relu(self.conv(x)), 1)",
     "call - flatten F.relu(self.conv(x)).flatten(1)"]),
    ("PixelsIntoBatch", "4,1,28,28", "lost-batch", ["call - view x.reshape(x.size(0), -1)"]),
    ("MissingBatch", "3,32,32", "missing-batch", ["input - batch (1, 3, 32, 32)"]),
    ("CeilPool", "4,1,28,28", "in-features", ["argument fc in_features 72", "input - size (4, 1, 32, 32)"]),
    ("Conv1dSignal", "4,1,200", "in-features", ["argument fc in_features 1504", "argument fc in_features *"]),
    ("Conv3dVideo", "2,3,16,32,32", "in-features", ["argument fc in_features 12600"]),
    ("HelperFunction", "2,1,28,28", "in-channels", ["argument c2.0 in_channels 16", "argument c1.0 out_channels 32"]),
    ("Siamese", ["2,1,105,105", "2,1,105,105"], "in-features", ["argument fc.0 in_features 20808"]),
    ("MobileSeparable", "2,3,32,32", "in-channels", ["argument stem out_channels 32"]),
]  # fmt: skip
