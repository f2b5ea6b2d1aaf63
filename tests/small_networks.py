"""Networks of a few lines, for the tests that need one."""

from torch import nn


class Fn(nn.Module):
    """A function of some layers and the inputs."""

    def __init__(self, fn, **layers):
        super().__init__()
        self.fn = fn
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *given):
        return self.fn(self, *given)
