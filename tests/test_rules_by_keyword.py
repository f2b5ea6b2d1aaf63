"""Calls with every argument by keyword, by the names that PyTorch's documentation and NumPy give it."""

import pytest
import torch
import torch.nn.functional as F

import shapeproof as sp

i = torch.zeros(2, 3, 4, dtype=torch.int64)
CALLS = [
    lambda x: x.new_ones(size=x.size()), lambda x: x.new_zeros(size=(2, 3)),
    lambda x: x.new_full(size=(2, 3), fill_value=1.0), lambda x: x.new_empty(size=(2, 3)),
    lambda x: x.expand(size=(5, 2, 3, 4)), lambda x: x.repeat(repeats=(2, 1, 1)), lambda x: x.permute(dims=(2, 0, 1)),
    lambda x: x.view(size=(6, 4)), lambda x: x.reshape(shape=(6, 4)), lambda x: torch.reshape(input=x, shape=(6, 4)),
    lambda x: x.flip(dims=(0, 1)), lambda x: x.flip(0, 1), lambda x: x.roll(shifts=1, dims=0),
    lambda x: x.tile(dims=(2, 1)), lambda x: x.unflatten(dim=2, sizes=(2, 2)),
    lambda x: torch.permute(input=x, dims=(2, 0, 1)), lambda x: x.broadcast_to(size=(5, 2, 3, 4)),
    lambda x: torch.ones(size=(2, 3)), lambda x: torch.zeros(size=x.shape), lambda x: torch.rand(size=(2, 3)),
    lambda x: torch.randn(size=(2, 3)), lambda x: torch.full(size=(2, 3), fill_value=0),
    lambda x: torch.empty(size=(2,)), lambda x: torch.randint(low=0, high=3, size=(2, 3)),
    lambda x: torch.randint(high=3, size=(2, 3)), lambda x: torch.randint(3, (2,)), lambda x: torch.randperm(n=5),
    lambda x: torch.arange(end=5), lambda x: torch.arange(2, end=5),
    lambda x: torch.arange(start=0, end=5, step=2),
    lambda x: torch.linspace(start=0, end=1, steps=5), lambda x: torch.eye(n=3), lambda x: torch.eye(n=3, m=4),
    lambda x: torch.normal(mean=0.0, std=1.0, size=(2, 3)), lambda x: torch.normal(mean=x, std=1.0),
    lambda x: x.transpose(dim0=0, dim1=1), lambda x: x.swapaxes(axis0=0, axis1=1),
    lambda x: x.movedim(source=0, destination=1), lambda x: x[:1].squeeze(dim=0), lambda x: x[:1].squeeze(dim=(0, 1)),
    lambda x: x.unsqueeze(dim=-1), lambda x: x.flatten(start_dim=1, end_dim=2),
    lambda x: x.narrow(dim=0, start=0, length=1), lambda x: x.select(dim=0, index=1),
    lambda x: x.index_select(dim=0, index=torch.tensor([0])), lambda x: x.gather(dim=0, index=i),
    lambda x: x.scatter(dim=0, index=i, src=x), lambda x: x.scatter(dim=0, index=i, value=1.0),
    lambda x: x.scatter_reduce(dim=0, index=i, src=x, reduce="sum"), lambda x: x.topk(k=2, dim=1),
    lambda x: x.sort(dim=0, descending=True), lambda x: torch.sort(x, stable=True, dim=0),
    lambda x: x.argsort(dim=0, stable=True), lambda x: x.kthvalue(k=1, dim=0), lambda x: x.chunk(chunks=2, dim=1),
    lambda x: torch.chunk(input=x, chunks=2, dim=1), lambda x: torch.split(tensor=x, split_size_or_sections=1, dim=1),
    lambda x: x.split(split_size=1, dim=1), lambda x: torch.tensor_split(input=x, sections=2),
    lambda x: torch.tensor_split(x, indices=(1,)), lambda x: torch.hsplit(x, 3), lambda x: torch.dsplit(x, [1, 2]),
    lambda x: torch.cat(tensors=[x, x], dim=1), lambda x: torch.stack(tensors=[x, x], dim=1),
    lambda x: torch.concatenate([x, x], axis=1), lambda x: torch.where(condition=x > 0, input=x, other=x),
    lambda x: torch.where(x > 0, x, 0.0), lambda x: x.clamp(min=0.0, max=1.0),
    lambda x: x.masked_fill(mask=x > 0, value=0.0), lambda x: torch.lerp(x, x, weight=0.5),
    lambda x: torch.addmm(input=x[0], mat1=x[0], mat2=torch.rand(4, 4)),
    lambda x: torch.baddbmm(torch.rand(2, 3, 3), batch1=x, batch2=x.mT, beta=0, alpha=1),
    lambda x: torch.bmm(input=x, mat2=x.mT), lambda x: torch.matmul(input=x, other=x.mT),
    lambda x: torch.einsum("bij,bkj->bik", [x, x]), lambda x: torch.tensordot(x, x, dims=([2], [2])),
    lambda x: torch.outer(input=x[0, 0], vec2=x[0, 0]), lambda x: torch.cross(input=x.mT, other=x.mT, dim=2),
    lambda x: torch.sum(input=x, dim=(0, 1), keepdim=True), lambda x: x.mean(axis=-1, keepdims=True),
    lambda x: x.std(dim=0, correction=0), lambda x: torch.var_mean(x, dim=(1,), unbiased=False),
    lambda x: x.amax(dim=(0, 1)), lambda x: torch.aminmax(x, dim=0), lambda x: x.norm(p=2, dim=-1, keepdim=True),
    lambda x: torch.linalg.vector_norm(x, ord=2, dim=-1), lambda x: torch.linalg.matrix_norm(x),
    lambda x: x.logsumexp(dim=1), lambda x: x.cumsum(dim=0), lambda x: x.cummax(dim=0),
    lambda x: torch.max(input=x, dim=0), lambda x: torch.max(x, other=x), lambda x: x.argmax(dim=0, keepdim=True),
    lambda x: (x > 0).any(dim=0), lambda x: x.median(dim=0), lambda x: x.quantile(q=0.5, dim=0),
    lambda x: x.quantile(torch.tensor([0.1, 0.5]), dim=0), lambda x: F.softmax(input=x, dim=-1, dtype=torch.float32),
    lambda x: x.log_softmax(dim=-1), lambda x: F.gelu(input=x, approximate="tanh"),
    lambda x: F.layer_norm(input=x, normalized_shape=[4]), lambda x: F.rms_norm(input=x, normalized_shape=(4,)),
    lambda x: F.group_norm(input=x, num_groups=3),
    lambda x: F.batch_norm(input=x, running_mean=None, running_var=None, training=True), lambda x: F.instance_norm(x),
    lambda x: F.normalize(x, p=2.0, dim=1), lambda x: F.pad(input=x, pad=(1, 1), mode="reflect"),
    lambda x: F.interpolate(input=x, size=8, mode="linear"), lambda x: F.interpolate(x, scale_factor=1.5),
    lambda x: F.conv1d(input=x, weight=torch.rand(5, 3, 3), bias=None, stride=1, padding="same"),
    lambda x: F.conv_transpose1d(x, weight=torch.rand(3, 5, 3), stride=2, output_padding=1),
    lambda x: F.max_pool1d(x, kernel_size=2, ceil_mode=True, return_indices=True),
    lambda x: F.avg_pool1d(x, kernel_size=(2,)), lambda x: F.adaptive_avg_pool1d(x, output_size=2),
    lambda x: x.unfold(dimension=2, size=2, step=1), lambda x: F.unfold(x[None], kernel_size=2, padding=1),
    lambda x: F.fold(torch.rand(1, 12, 4), output_size=(3, 3), kernel_size=(2, 2)),
    lambda x: F.one_hot(i[0], num_classes=5), lambda x: F.one_hot(i[0]),
    lambda x: F.embedding(input=i, weight=torch.rand(5, 6)),
    lambda x: F.embedding_bag(i[0], torch.rand(5, 6), mode="mean"),
    lambda x: F.scaled_dot_product_attention(query=x, key=x, value=x, is_causal=True),
    lambda x: F.linear(input=x, weight=torch.rand(7, 4)), lambda x: F.bilinear(x, x, torch.rand(5, 4, 4)),
    lambda x: F.dropout(input=x, p=0.1, training=True), lambda x: F.glu(x, dim=-1),
    lambda x: F.cosine_similarity(x1=x, x2=x, dim=1), lambda x: F.pairwise_distance(x1=x, x2=x),
    lambda x: torch.cdist(x1=x, x2=x),
    lambda x: F.cross_entropy(input=x, target=i[:, 0], label_smoothing=0.1, reduction="none"),
    lambda x: F.mse_loss(input=x, target=x),
    lambda x: F.binary_cross_entropy_with_logits(x, target=x, pos_weight=torch.ones(4)),
    lambda x: F.grid_sample(x[None], grid=torch.zeros(1, 5, 6, 2), align_corners=False),
    lambda x: F.affine_grid(theta=torch.rand(1, 2, 3), size=(1, 3, 4, 5)),
    lambda x: F.pixel_shuffle(torch.rand(1, 4, 2, 2), upscale_factor=2),
    lambda x: x.repeat_interleave(repeats=2, dim=1),
    lambda x: torch.repeat_interleave(x, torch.tensor([1, 2]), dim=0),
    lambda x: torch.repeat_interleave(x, torch.tensor([1, 2]), dim=0, output_size=3), lambda x: x.tril(diagonal=1),
    lambda x: torch.triu_indices(row=3, col=3, offset=1), lambda x: torch.diag(input=x[0, 0]),
    lambda x: torch.diag_embed(x, offset=1, dim1=-2, dim2=-1), lambda x: x.diagonal(offset=0, dim1=-2, dim2=-1),
    lambda x: torch.meshgrid(x[0, 0], x[0, 0], indexing="xy"),
    lambda x: torch.meshgrid([x[0, 0], x[0, 0]], indexing="ij"), lambda x: torch.cartesian_prod(x[0, 0], x[0, 0]),
    lambda x: torch.bincount(i.flatten(), minlength=4), lambda x: torch.bucketize(input=x, boundaries=torch.rand(3)),
    lambda x: torch.searchsorted(sorted_sequence=torch.rand(5), input=x),
    lambda x: torch.unique(i, return_inverse=True, return_counts=True), lambda x: torch.unique_consecutive(i[0, 0]),
    lambda x: torch.nonzero(input=x, as_tuple=True), lambda x: torch.take(x, i),
    lambda x: torch.take_along_dim(x, i, dim=0), lambda x: x.index_put(indices=(torch.tensor([0]),), values=x[:1]),
    lambda x: x.index_add(dim=0, index=torch.tensor([0]), source=x[:1], alpha=2),
    lambda x: x.index_fill(0, torch.tensor([0]), value=1.0), lambda x: x.masked_scatter(mask=x > 0, source=x),
    lambda x: torch.stft(input=torch.rand(2, 64), n_fft=16, hop_length=4, window=torch.ones(16), return_complex=True),
    lambda x: torch.fft.rfft(input=x, n=4, dim=-1), lambda x: torch.fft.fft2(x, s=(4, 4), dim=(-2, -1)),
    lambda x: torch.fft.irfftn(torch.fft.rfftn(x, dim=(1, 2)), s=(3, 4), dim=(1, 2)),
    lambda x: x.to(dtype=torch.float64), lambda x: x.type(torch.int64), lambda x: x.type_as(other=x),
    lambda x: x.view_as(other=x), lambda x: x.view(torch.int32), lambda x: x.view(dtype=torch.float64),
    lambda x: x.contiguous(memory_format=torch.contiguous_format),
    lambda x: x.clone(memory_format=torch.preserve_format), lambda x: torch.as_tensor(x, dtype=torch.float64),
    lambda x: x.as_strided(size=(2, 2), stride=(1, 2)),
    lambda x: torch.as_strided(input=x, size=(2, 2), stride=(1, 2), storage_offset=1),
    lambda x: x.rot90(k=1, dims=(0, 1)), lambda x: torch.isin(elements=i, test_elements=torch.tensor([0])),
    lambda x: torch.multinomial(input=x[0], num_samples=2), lambda x: torch.bernoulli(input=x, p=0.5),
    lambda x: torch.histc(x, bins=10), lambda x: x.renorm(2, 0, 1.0), lambda x: torch.trapezoid(x, dim=0),
    lambda x: x.diff(n=1, dim=1), lambda x: torch.kron(x, x), lambda x: torch.vander(x[0, 0], N=3),
    lambda x: torch.linalg.inv(torch.eye(3)), lambda x: torch.linalg.svd(x, full_matrices=False),
    lambda x: torch.linalg.qr(x), lambda x: torch.linalg.solve(torch.eye(3), x),
    lambda x: torch.linalg.cholesky(torch.eye(3)), lambda x: torch.linalg.eigh(torch.eye(3)),
    lambda x: torch.linalg.det(torch.eye(3)), lambda x: torch.linalg.pinv(x),
    lambda x: torch.linalg.slogdet(torch.eye(3)), lambda x: x.clone().__setitem__((slice(None), 0), 1.0),
    lambda x: torch.broadcast_tensors(x, x[:, :1]), lambda x: torch.ones(torch.broadcast_shapes((1, 3), (2, 1))),
    lambda x: torch.atleast_2d(x), lambda x: torch.block_diag(x[0], x[1]), lambda x: torch.combinations(x[0, 0], r=2),
    lambda x: torch.frac(x), lambda x: torch.addcmul(x, x, x, value=0.5), lambda x: torch.logit(x, eps=1e-06),
    lambda x: torch.polar(abs=x, angle=x), lambda x: torch.complex(real=x, imag=x),
    lambda x: torch.view_as_complex(x.reshape(2, 3, 2, 2)), lambda x: F.hardtanh(x, min_val=0.0, max_val=6.0),
    lambda x: F.prelu(x, weight=torch.rand(3)), lambda x: F.gumbel_softmax(x, tau=1, hard=True, dim=-1),
    lambda x: F.ctc_loss(
        x.log_softmax(-1), torch.ones(3, 1, dtype=torch.long), input_lengths=[2] * 3, target_lengths=[1] * 3
    ),
    lambda x: F.lp_pool1d(x, 2, kernel_size=2), lambda x: F.local_response_norm(x, size=2),
    lambda x: F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), kernel_size=2),
    lambda x: F.adaptive_max_pool1d(x, output_size=2, return_indices=True),
    lambda x: F.fractional_max_pool2d(x, kernel_size=2, output_size=(2, 2)),
    lambda x: torch.add(x1=x, x2=x), lambda x: torch.swapaxes(x, axis0=0, axis1=-1),
    lambda x: x.view(torch.tensor(2), -1),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_arguments_may_go_by_name(number):
    x = torch.rand(2, 3, 4)
    CALLS[number](x.clone())  # PyTorch takes it
    found = sp.derive(CALLS[number], x)
    assert found.verdict == "proved", found.to_text()


def test_the_same_bytes_as_another_dtype():
    cast = lambda x: (x.view(torch.float64), x.view(dtype=torch.int8), x.view(torch.int32))  # noqa: E731  # a network
    found = sp.derive(cast, (2, 4))
    assert [step.derived for step in found.steps] == [(2, 2), (2, 16), (2, 4)]
    refused = sp.derive(lambda x: x.view(torch.float64), (2, 5))
    assert refused.diagnosis.code == "view-size", refused.to_text()


def test_an_array_may_stand_left_of_the_at_sign():
    found = sp.derive(lambda x: x.__rmatmul__(torch.rand(5, 3)), (3, 4))
    assert (found.verdict, found.steps[-1].derived, found.cost.macs) == ("proved", (5, 4), 60), found.to_text()


def test_numbers_drawn_in_place():
    draw = lambda x: (x.normal_(0, 1), x.normal_(mean=0.0, std=0.02), torch.empty(5).normal_(std=2.0))  # noqa: E731
    found = sp.derive(draw, (3, 4))
    assert [step.derived for step in found.steps if step.op.startswith("normal")] == [(3, 4), (3, 4), (5,)]
    assert found.verdict == "proved", found.to_text()
