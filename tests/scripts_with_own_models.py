"""More scripts with a line that fails: models, losses and expressions written by hand, as in scripts_that_fail."""

# name -> (code, script); the code may be any where it is ""
SCRIPTS = {
    "an autoencoder": (
        "in-features",
        """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(784, 40)
        self.dec = nn.Linear(40, 784)
    def encode(self, x):
        return self.enc(x).chunk(2, dim=1)
    def decode(self, z):
        return torch.sigmoid(self.dec(z))  # FAILS
    def forward(self, x):
        mu, logvar = self.encode(x.flatten(1))
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.decode(z), mu, logvar
vae = VAE()
def loss_fn(model, x):
    recon, mu, logvar = model(x)
    return F.binary_cross_entropy(recon, x) - 0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum()
loss_fn(vae, torch.rand(4, 1, 28, 28))
""",
    ),
    "a loss of another shape": (
        "*",
        """
class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(784, 40)
        self.dec = nn.Linear(20, 784)
    def encode(self, x):
        return self.enc(x).chunk(2, dim=1)
    def decode(self, z):
        return torch.sigmoid(self.dec(z))
    def forward(self, x):
        mu, logvar = self.encode(x.flatten(1))
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.decode(z), mu, logvar
vae = VAE()
def loss_fn(model, x):
    recon, mu, logvar = model(x)
    return F.binary_cross_entropy(recon, x) - 0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum()  # FAILS
loss_fn(vae, torch.rand(4, 1, 28, 28))
""",
    ),
    "a U-Net": (
        "concat",
        """
class Up(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.up = nn.ConvTranspose2d(c, c // 2, 2, 2)
        self.conv = nn.Conv2d(c, c // 2, 3, padding=1)
    def forward(self, x, skip):
        x = self.up(x)
        x = torch.cat([skip, x], dim=1)  # FAILS
        return self.conv(x)
class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1 = nn.Conv2d(3, 8, 3, padding=1)
        self.d2 = nn.Conv2d(8, 16, 3, padding=1)
        self.up = Up(16)
    def forward(self, x):
        a = self.d1(x)
        b = self.d2(F.max_pool2d(a, 2))
        return self.up(b, a)
def validate(model, images):
    with torch.no_grad():
        return model(images)
validate(UNet().eval(), torch.rand(1, 3, 33, 33))
""",
    ),
    "attention by hand": (
        "matmul",
        """
class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.qkv = nn.Linear(d, 3 * d)
        self.out = nn.Linear(d, d)
    def forward(self, x):
        B, T, C = x.shape
        q, k, v = self.qkv(x).split(C, dim=2)
        q = q.view(B, T, self.h, C // self.h).transpose(1, 2)
        k = k.view(B, T, self.h, C // self.h).transpose(1, 2)
        v = v.view(B, T, self.h, C // self.h).transpose(1, 2)
        att = (q @ k) / 8.0  # FAILS
        y = att.softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(B, T, C))
net = nn.Sequential(nn.Embedding(50, 64), Block(64, 4), Block(64, 4))
net(torch.randint(0, 50, (2, 12)))
""",
    ),
    "added in place": (
        "broadcast",
        """
a = torch.rand(3, 4)
b = torch.rand(3, 5)
a += b  # FAILS
""",
    ),
    "a loss by hand": (
        "broadcast",
        """
def rmse(pred, target):
    diff = pred - target  # FAILS
    return diff.pow(2).mean().sqrt()
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 2)
    def forward(self, x):
        return self.l(x)
m = Model()
for x, y in [(torch.rand(5, 3), torch.rand(5, 3))]:
    pred = m(x)
    loss = rmse(pred, y)
""",
    ),
    "a loss that is no number": (
        "",
        """
m = nn.Linear(3, 2)
crit = nn.MSELoss(reduction="none")
loss = crit(m(torch.rand(4, 3)), torch.rand(4, 2))
loss.backward()  # FAILS
""",
    ),
    "all in one expression": (
        "target-batch",
        """
m = nn.Linear(3, 2)
crit = nn.NLLLoss()
x, y = torch.rand(4, 3), torch.zeros(5).long()
print(crit(m(x).log_softmax(1), y).item())  # FAILS
""",
    ),
    "coroutines": (
        "in-features",
        """
import asyncio
m = nn.Linear(3, 2)
async def infer(x):
    await asyncio.sleep(0)
    return m(x)  # FAILS
async def main():
    await asyncio.gather(infer(torch.rand(1, 3)), infer(torch.rand(1, 4)))
asyncio.run(main())
""",
    ),
    "unpacked sizes": (
        "*",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 2)
    def forward(self, x):
        b, c, h, w = x.shape  # FAILS
        return self.l(x.reshape(b, -1))
Net()(torch.rand(4, 3))
""",
    ),
    "asserted sizes": (
        "*",
        """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(3, 2)
    def forward(self, x):
        assert x.shape[1] == 3, "three features"  # FAILS
        return self.l(x)
Net()(torch.rand(4, 5))
""",
    ),
    "written into a slice": (
        "broadcast",
        """
buf = torch.zeros(10, 4)
feats = torch.rand(3, 5)
buf[0:3] = feats  # FAILS
""",
    ),
    "stacked": (
        "concat",
        """
def make_batch(items):
    return torch.stack(items)  # FAILS
rows = [torch.rand(3), torch.rand(4)]
make_batch(rows)
""",
    ),
    "weights of another model": (
        "",
        """
a, b = nn.Linear(3, 2), nn.Linear(4, 2)
b.load_state_dict(a.state_dict())  # FAILS
""",
    ),
}
