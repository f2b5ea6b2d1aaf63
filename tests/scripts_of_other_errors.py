"""Scripts that end with an error which has nothing to do with shapes, most of them in the midst of tensors."""

MODEL = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        {}
        return self.fc(x)

model = Net()
x = torch.rand(3, 4)
model({})
"""
# name -> script
SCRIPTS = {
    "another dtype": MODEL.format("pass", "x.double()"),
    "whole numbers": MODEL.format("pass", "torch.zeros(3, 4, dtype=torch.long)"),
    "a check of values": MODEL.format("assert (x < 0).all(), 'negative'", "x"),
    "its own refusal": MODEL.format("raise ValueError('no such mode')", "x"),
    "its own refusal beside a size": MODEL.format("n = x.shape\n        raise RuntimeError('license expired')", "x"),
    "a missing attribute": MODEL.format("x = self.nothing(x)", "x"),
    "a missing argument": MODEL.format("pass", ""),
    "an argument too many": MODEL.format("pass", "x, x"),
    "no end": MODEL.format("self(x)", "x"),
    "division": MODEL.format("1 / 0", "x"),
    "a list's end": MODEL.format("[][3]", "x"),
    "not written yet": MODEL.format("raise NotImplementedError", "x"),
    "targets that are no classes": "F.cross_entropy(torch.rand(3, 4), torch.zeros(3))\n",
    "a number that is none": "F.linear(torch.rand(3, 4), None)\n",
    "a leaf written in place": "w = torch.rand(3, requires_grad=True)\nw.add_(1)\n",
    "backward twice": "w = torch.rand(3, requires_grad=True)\nl = (w * w).sum()\nl.backward()\nl.backward()\n",
    "nothing to train": "torch.optim.SGD([], 0.1)\n",
    "numpy of a gradient": "torch.rand(3, requires_grad=True).numpy()\n",
    "no such device": "torch.rand(3).to('cuda:7')\n",
    "no inverse": "torch.linalg.inv(torch.zeros(3, 3))\n",
    "no such file": "torch.load('nothing-such.pt')\n",
    "missing weights": "nn.Linear(3, 2).load_state_dict({'weight': torch.rand(2, 3)})\n",
    "a truth of many": "if torch.rand(3) > 0:\n    pass\n",
    "a data set that fails": """
class Data(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        return {"a": torch.rand(3)}["b"]

for batch in DataLoader(Data(), batch_size=2):
    pass
""",
    "a worker that fails": """
class Data(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        raise RuntimeError("file is damaged")

for batch in DataLoader(Data(), batch_size=2, num_workers=1):
    pass
""",
    "a hook that fails": """
model = nn.Linear(3, 2)

def hook(module, args):
    raise RuntimeError("stop here")

model.register_forward_pre_hook(hook)
model(torch.rand(4, 3))
""",
    "a chain": "try:\n    {}['x']\nexcept KeyError as error:\n    raise RuntimeError('outer') from error\n",
    "a number of text": "x = torch.rand(3, 4)\nint('four')\n",
}
