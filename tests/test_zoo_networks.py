"""Small networks that call the operations of the well-known ones in the ways that those do: every step is proved."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import rnn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import shapeproof as sp


def windows(x):
    """Swin: roll, cut into windows, bias by relative position, put back."""
    n, h, w, c = x.shape
    x = torch.roll(x, (-2, -2), (1, 2))
    parts = x.view(n, h // 4, 4, w // 4, 4, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 16, c)
    grid = torch.stack(torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")).flatten(1)
    place = (grid[:, :, None] - grid[:, None, :]).permute(1, 2, 0).sum(-1) + 6
    bias = torch.zeros(13)[place.view(-1)].view(16, 16)
    scores = (parts @ parts.transpose(-2, -1) + bias).softmax(-1) @ parts
    back = scores.view(n, h // 4, w // 4, 4, 4, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(n, h, w, c)
    return torch.roll(back, shifts=(2, 2), dims=(1, 2))


def rotary(q):
    """Llama: rotary places, fewer key heads than query heads, a cache that grows, a causal mask."""
    n, heads, length, width = q.shape
    freq = 1.0 / 10000 ** (torch.arange(0, width, 2).float() / width)
    angle = torch.outer(torch.arange(length).float(), freq)
    cos, sin = torch.cat((angle, angle), -1).cos()[None, None], torch.cat((angle, angle), -1).sin()[None, None]
    a, b = q.chunk(2, dim=-1)
    q = q * cos + torch.cat((-b, a), dim=-1) * sin
    keys = q[:, : heads // 2]
    cached = torch.cat([keys.new_zeros(n, heads // 2, 3, width), keys], dim=2)
    keys = cached[:, :, None].expand(n, heads // 2, 2, length + 3, width).reshape(n, heads, length + 3, width)
    mask = torch.full((length, length + 3), float("-inf")).triu(diagonal=4)
    return F.scaled_dot_product_attention(q, keys, keys, attn_mask=mask)


def t5_bias(x):
    """T5: distances in buckets, as a bias of attention."""
    length = x.shape[1]
    far = torch.arange(length)[None, :] - torch.arange(length)[:, None]
    far = -torch.min(far, torch.zeros_like(far))
    near = far < 4
    large = 4 + (torch.log(far.float() / 4 + 1e-6) * 2).to(torch.long)
    large = torch.min(large, torch.full_like(large, 7))
    bias = F.embedding(torch.where(near, far, large), torch.zeros(8, 2)).permute(2, 0, 1).unsqueeze(0)
    return (torch.einsum("bnd,bmd->bnm", x, x).unsqueeze(1) + bias).float().softmax(dim=-1).type_as(x)


def scan(x):
    """Mamba: a state carried from step to step, gates, a causal convolution."""
    n, length, width = x.shape
    x = F.silu(F.conv1d(F.pad(x.transpose(1, 2), (3, 0)), torch.zeros(width, 1, 4), groups=width).transpose(1, 2))
    delta, a = F.softplus(x), -torch.exp(torch.zeros(width, 2))
    keep = torch.exp(torch.einsum("bld,dn->bldn", delta, a))
    state, out = x.new_zeros(n, width, 2), []
    for step in range(length):
        state = keep[:, step] * state + x[:, step].unsqueeze(-1)
        out.append(state.sum(dim=-1))
    return torch.stack(out, dim=1) * torch.cumsum(delta, dim=1)


def experts(x):
    """Mixtral: the best two of four, each with its own rows, added back."""
    flat = x.view(-1, x.shape[-1])
    weight, chosen = torch.topk(flat.softmax(dim=-1), 2, dim=-1)
    weight /= weight.sum(dim=-1, keepdim=True)
    hits = F.one_hot(chosen, num_classes=4).permute(2, 1, 0)
    out = torch.zeros_like(flat)
    for expert in range(4):
        place, row = torch.where(hits[expert])
        out.index_add_(0, row, flat[None, row].reshape(-1, flat.shape[-1]) * weight[row, place, None])
    order = chosen.flatten().argsort()
    out = out + torch.zeros_like(out).scatter_add(
        0, order.div(2, rounding_mode="floor")[:, None].expand(-1, 4), flat[order // 2]
    )
    return out.view_as(x)


def grouped(x):
    """Experts in one call: rows in the order of their expert."""
    ends = torch.tensor([8, 16], dtype=torch.int32)
    return torch._grouped_mm(x.bfloat16(), torch.zeros(2, 16, 8, dtype=torch.bfloat16), offs=ends)


def clip(x):
    image, text = F.normalize(x, dim=-1), x / x.norm(p=2, dim=-1, keepdim=True)
    logits = image @ text.t() * torch.tensor(0.5).exp()
    target = torch.arange(logits.shape[0])
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def unet(x):
    down = F.max_pool2d(F.leaky_relu(x), 2)
    up = F.interpolate(down, scale_factor=2, mode="bilinear", align_corners=False)
    rest = x.shape[-1] - up.shape[-1]
    return torch.cat([F.pad(up, [rest // 2, rest - rest // 2, 0, x.shape[-2] - up.shape[-2]]), x], dim=1)


def boxes(x):
    """YOLO and DETR: a grid of places, boxes from corners, the best of them, their pairwise distances."""
    h, w = x.shape[-2:]
    y, z = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    grid = torch.stack((z, y), 2).view(1, -1, 2).float()
    flat = x.flatten(2).permute(0, 2, 1)
    centre, size = (flat[..., :2].sigmoid() * 2 - 0.5 + grid), flat[..., 2:4].exp()
    found = torch.cat([centre - size / 2, centre + size / 2], -1)
    _, best = flat[..., 4].topk(5, dim=1)
    best = found.gather(1, best.unsqueeze(-1).expand(-1, -1, 4))
    return torch.cdist(best, best, p=1), best.clamp(min=0).unbind(-1)


def deformable(x):
    """Deformable DETR: features read at places that the network chose."""
    grid = F.affine_grid(torch.eye(2, 3).expand(x.shape[0], 2, 3), [x.shape[0], 1, 4, 6], align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def sound(x):
    """Audio: a spectrum, its energies, and the wave again."""
    window = torch.hann_window(16)
    spectrum = torch.stft(x, 16, 4, window=window, return_complex=True)
    power = torch.view_as_real(spectrum).pow(2).sum(-1).clamp(min=1e-10).log10()
    wave = torch.istft(spectrum, 16, 4, window=window)
    return power, wave, torch.fft.irfft(torch.fft.rfft(x, dim=-1), n=x.shape[-1])


def masked(x):
    keep = x > 0.5
    chosen = x[keep]
    filled = x.masked_fill(~keep, 0.0).masked_scatter(keep, chosen)
    return torch.nonzero(keep), filled, x.new_tensor([1.0, 2.0]), torch.bucketize(x, torch.linspace(0, 1, 5))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, bidirectional=True, proj_size=3)

    def forward(self, x):
        packed = rnn.pack_padded_sequence(x, torch.tensor([5, 3, 2]))
        out, lengths = rnn.pad_packed_sequence(self.lstm(packed)[0])
        return rnn.pad_sequence([out[:n, i] for i, n in enumerate(lengths.tolist())], batch_first=True)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.wave = weight_norm(nn.Conv1d(4, 6, 3, padding=1), dim=2)
        self.line = spectral_norm(nn.Linear(6, 5))
        self.old = nn.utils.weight_norm(nn.Linear(5, 4))

    def forward(self, x):
        return self.old(F.glu(F.channel_shuffle(self.line(self.wave(x).mT).repeat(1, 1, 2), 1)[..., :10], dim=-1))


class Squeeze(nn.Module):
    """EfficientNet and ConvNeXt: squeeze and excite, a scale for each channel, paths dropped at random."""

    def __init__(self):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.norm, self.gamma = nn.LayerNorm(8), nn.Parameter(torch.ones(8))

    def forward(self, x):
        y = x * self.expand(F.silu(self.reduce(x.mean((2, 3), keepdim=True)))).sigmoid()
        y = (self.norm(y.permute(0, 2, 3, 1)) * self.gamma).permute(0, 3, 1, 2)
        kept = y.new_empty((y.shape[0],) + (1,) * (y.ndim - 1)).bernoulli_(0.9)
        return x + y * kept.div_(0.9)


def transformer():
    return nn.Transformer(16, 4, 2, 2, 32, batch_first=True)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = transformer()

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        return self.inner(x, x, tgt_mask=mask, tgt_is_causal=True)


class Padded(nn.Module):
    """Sentences of different lengths in one batch; in eval the encoder asks whether the padding stands at the end."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True), 2)

    def forward(self, x):
        padding = torch.arange(x.shape[1]) >= torch.tensor([[5], [3]])
        return self.encoder(x, src_key_padding_mask=padding)


NETWORKS = {
    "swin": (windows, (2, 8, 8, 6)), "llama": (rotary, (2, 4, 5, 8)), "t5": (t5_bias, (2, 6, 4)),
    "mamba": (scan, (2, 5, 4)),
    "mixtral": (experts, (2, 3, 4)), "grouped experts": (grouped, (16, 16)), "clip": (clip, (3, 8)),
    "unet": (unet, (1, 3, 9, 13)), "yolo": (boxes, (2, 6, 4, 5)), "deformable": (deformable, (2, 3, 5, 7)),
    "audio": (sound, (2, 64)), "masks": (masked, (3, 4)), "packed": (Packed(), (5, 3, 4)),
    "norms": (Scaled(), (2, 4, 7)),
    "squeeze": (Squeeze(), (2, 8, 5, 5)), "transformer": (Whole(), (2, 5, 16)),
    "padded": (Padded(), (2, 5, 16)),
}  # fmt: skip


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_step_is_proved(name, training):
    net, shape = NETWORKS[name]
    if isinstance(net, nn.Module):
        net.train(training)
    found = sp.derive(net, torch.rand(shape))
    assert found.verdict == "proved", found.to_text()


def test_an_encoder_asks_in_eval_whether_the_padding_stands_at_the_end():
    found = sp.derive(Padded().eval(), torch.rand(2, 5, 16))
    (asked,) = [step for step in found.steps if step.op == "nested_tensor_from_mask_left_aligned"]
    assert (asked.verdict, asked.inputs, asked.output) == ("proved", ((2, 5, 16), (2, 5)), None)


@pytest.mark.parametrize("mask", [(2, 4), (5, 2), (1, 5), (2, 5, 1), (5,)])
def test_a_mask_of_padding_that_does_not_fit_is_refused_by_both(mask):
    ask = torch._nested_tensor_from_mask_left_aligned
    with pytest.raises(RuntimeError):
        ask(torch.rand(2, 5, 16), torch.ones(mask, dtype=torch.bool))
    found = sp.derive(lambda x, m: (ask(x, m), x)[1], torch.rand(2, 5, 16), torch.ones(mask, dtype=torch.bool))
    assert found.diagnosis.code == "attention-mask", found.to_text()


def test_a_mask_that_is_read_inside_of_vmap_is_indexing():
    from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex  # as transformers makes masks

    def mask(kept):
        def reads(batch, place):
            return kept[batch, place]

        n, length = kept.shape
        over_places = torch.vmap(reads, in_dims=(None, 0))
        with TransformGetItemToIndex():
            return torch.vmap(over_places, in_dims=(0, None))(torch.arange(n), torch.arange(length))

    d = sp.derive(mask, torch.ones(2, 5, dtype=torch.bool))
    assert (d.verdict, d.output) == ("proved", (2, 5)), [(s.op, s.verdict) for s in d.steps]
    assert "getitem" in {s.op for s in d.steps}
