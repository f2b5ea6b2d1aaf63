"""Scripts as users write them, each with one line marked as the one that fails, and the code of its cause.

``None`` stands for a word without a derivation: a failure outside of the forward pass.
"""

HEAD = """import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset
"""

# name -> (code, script); the code may be any where it is ""
SCRIPTS = {
    "a training loop": (
        "view-size",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 10)
    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = x.view(-1, 16 * 5 * 5)  # FAILS
        x = F.relu(self.fc1(x))
        return self.fc2(x)

def train(model, loader, optimizer, criterion, epochs=2):
    model.train()
    for epoch in range(epochs):
        for i, (x, y) in enumerate(loader):
            optimizer.zero_grad()
            out = model(x)
            loss = criterion(out, y)
            loss.backward()
            optimizer.step()
            print(epoch, i, loss.item())

if __name__ == "__main__":
    data = TensorDataset(torch.rand(64, 3, 40, 40), torch.randint(0, 10, (64,)))
    model = Net()
    train(model, DataLoader(data, batch_size=16), torch.optim.Adam(model.parameters()), nn.CrossEntropyLoss())
""",
    ),
    "a GAN": (
        "*",
        """
G = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 784), nn.Tanh())
D = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(16 * 14 * 14, 1), nn.Sigmoid())
bce = nn.BCELoss()
optG = torch.optim.Adam(G.parameters())
optD = torch.optim.Adam(D.parameters())
def step(real):
    z = torch.randn(real.size(0), 64)
    fake = G(z)
    lossD = bce(D(real), torch.ones(real.size(0), 1)) + bce(D(fake.detach()), torch.zeros(real.size(0), 1))  # FAILS
    optD.zero_grad()
    lossD.backward()
    optD.step()
for _ in range(3):
    step(torch.rand(8, 1, 28, 28))
""",
    ),
    "a data set with workers": (
        "missing-channel",
        """
class Pictures(Dataset):
    def __init__(self, n):
        self.n = n
    def __len__(self):
        return self.n
    def __getitem__(self, i):
        return torch.rand(28, 28), i % 10
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 26 * 26, 10))
for x, y in DataLoader(Pictures(20), batch_size=4, num_workers=2):
    out = model(x)  # FAILS
    loss = F.cross_entropy(out, y)
""",
    ),
    "a batch of uneven pictures": (
        "concat",
        """
class Uneven(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, i):
        return torch.rand(3, 20 + i, 20), 0
def epoch():
    for x, y in DataLoader(Uneven(), batch_size=4):  # FAILS
        print(x.shape)
epoch()
""",
    ),
    "uneven pictures in a worker": (
        "concat",
        """
class Uneven(Dataset):
    def __len__(self):
        return 8
    def __getitem__(self, i):
        return torch.rand(3, 20 + i, 20), 0
def epoch():
    for x, y in DataLoader(Uneven(), batch_size=4, num_workers=1):  # FAILS
        print(x.shape)
epoch()
""",
    ),
    "a Siamese network": (
        "in-features",
        """
class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten())
        self.head = nn.Linear(8 * 16, 1)
    def embed(self, x):
        return self.body(x)
    def forward(self, a, b):
        d = torch.cat([self.embed(a), self.embed(b)], dim=1)
        return torch.sigmoid(self.head(d))  # FAILS
net = Siamese()
a, b = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
print(net(a, b))
""",
    ),
    "an LSTM classifier": (
        "in-features",
        """
class Classifier(nn.Module):
    def __init__(self, vocab, dim, hidden, classes):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.lstm = nn.LSTM(dim, hidden, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(hidden, classes)
    def forward(self, ids):
        x = self.embed(ids)
        out, (h, c) = self.lstm(x)
        out = out[:, -1]
        return self.fc(out)  # FAILS
model = Classifier(100, 32, 64, 5)
batch = torch.randint(0, 100, (8, 20))
logits = model(batch)
""",
    ),
    "a module with a trainer": (
        "in-features",
        """
class Lit(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(32, 10))
    def forward(self, x):
        return self.net(x)  # FAILS
    def training_step(self, batch, i):
        x, y = batch
        return F.cross_entropy(self(x), y)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
class Trainer:
    def fit(self, model, loader):
        opt = model.configure_optimizers()
        for i, batch in enumerate(loader):
            loss = self.one(model, batch, i)
            opt.zero_grad(); loss.backward(); opt.step()
    def one(self, model, batch, i):
        return model.training_step(batch, i)
loader = [(torch.rand(4, 1, 28, 28), torch.zeros(4).long())]
Trainer().fit(Lit(), loader)
""",
    ),
    "a compiled model": (
        "in-features",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(10, 20)
        self.b = nn.Linear(30, 5)
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))  # FAILS
model = torch.compile(Net(), backend="eager")
model(torch.rand(3, 10))
""",
    ),
    "a compiled function": (
        "matmul",
        """
@torch.compile(backend="eager")
def mix(a, b):
    c = a * 2
    return c @ b  # FAILS
mix(torch.rand(3, 4), torch.rand(3, 4))
""",
    ),
    "a data-parallel model": (
        "in-features",
        """
model = nn.DataParallel(nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(21, 5)))
def go():
    return model(torch.rand(3, 10))  # FAILS
go()
""",
    ),
    "heads in a comprehension": (
        "in-features",
        """
heads = nn.ModuleList([nn.Linear(16, 4), nn.Linear(8, 4)])
body = nn.Linear(10, 16)
x = body(torch.rand(2, 10))
outs = [head(x) for head in heads]  # FAILS
""",
    ),
    "a functional network": (
        "matmul",
        """
def net(x, w1, w2):
    x = F.conv2d(x, w1, padding=1)
    x = F.relu(x)
    x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    return x @ w2  # FAILS
w1, w2 = torch.rand(4, 1, 3, 3), torch.rand(100, 10)
for i in range(2):
    y = net(torch.rand(5, 1, 8, 8), w1, w2)
""",
    ),
    "targets of another batch": (
        "target-batch",
        """
model = nn.Linear(10, 3)
x, y = torch.rand(8, 10), torch.randint(0, 3, (7,))
out = model(x)
loss = F.cross_entropy(out, y)  # FAILS
""",
    ),
    "a generator": (
        "in-features",
        """
layer = nn.Linear(4, 2)
def batches():
    for n in (4, 5):
        yield layer(torch.rand(3, n))  # FAILS
for out in batches():
    print(out.shape)
""",
    ),
    "raised from": (
        "in-channels",
        """
class TrainingError(Exception):
    pass
model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(16, 8, 3))
def attempt(x):
    try:
        return model(x)  # FAILS
    except RuntimeError as e:
        raise TrainingError("step 0 failed") from e
attempt(torch.rand(1, 3, 20, 20))
""",
    ),
    "arguments": (
        "num-features",
        """
import argparse
p = argparse.ArgumentParser()
p.add_argument("--hidden", type=int, default=32)
a = p.parse_args()
class MLP(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.l1 = nn.Linear(20, hidden)
        self.bn = nn.BatchNorm1d(64)
        self.l2 = nn.Linear(hidden, 2)
    def forward(self, x):
        return self.l2(self.bn(self.l1(x)))  # FAILS
def main():
    MLP(a.hidden)(torch.rand(4, 20))
main()
""",
    ),
    "deleted and rebound": (
        "in-features",
        """
def run(model, x):
    x = x.permute(0, 3, 1, 2)
    y = x.reshape(x.size(0), -1)
    del x
    return model(y)  # FAILS
model = nn.Linear(100, 10)
def main():
    img = torch.rand(2, 8, 8, 3)
    run(model, img)
main()
""",
    ),
    "written in place": (
        "in-features",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(6, 6)
    def forward(self, x):
        x.unsqueeze_(1)
        x.resize_(2, 7)
        return self.a(x)  # FAILS
Net()(torch.rand(2, 6))
""",
    ),
    "forward called by name": (
        "in-features",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 4, 3)
        self.f = nn.Linear(100, 10)
    def forward(self, x, scale=1.0):
        x = self.c(x) * scale
        x = x.flatten(1)
        return self.f(x)  # FAILS
net = Net()
x = torch.rand(2, 1, 10, 10)
out = net.forward(x, scale=2.0)
""",
    ),
    "a class that is no module": (
        "in-features",
        """
class Net:
    def __init__(self):
        self.c = nn.Conv2d(1, 4, 3)
        self.f = nn.Linear(100, 10)
    def __call__(self, x):
        h = torch.relu(self.c(x))
        return self.f(h.flatten(1))  # FAILS
net = Net()
out = net(torch.rand(2, 1, 10, 10))
""",
    ),
}
