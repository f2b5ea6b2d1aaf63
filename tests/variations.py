"""A random call made in another way: laid out otherwise in memory, of another dtype, or with a size of 0."""

import torch

DTYPES = (torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool, torch.complex64)


def laid_out(rng, tensors):
    """The same tensors, their elements in another order in memory, or with gaps between them."""
    return [_turned(t) if rng.random() < 0.5 else _spread(t) for t in tensors]


def _turned(t):
    return t.mT.contiguous().mT if t.dim() > 1 and not t.is_sparse else t


def _spread(t):
    return torch.stack([t, t], -1)[..., 0] if not t.is_sparse else t


def of_another_dtype(rng, tensors):
    """Floating-point tensors in another dtype, all of them or one."""
    places = [i for i, t in enumerate(tensors) if t.is_floating_point()]
    chosen = set(places) if rng.random() < 0.6 else {rng.choice(places)} if places else set()
    dtype = rng.choice(DTYPES)
    return [t.to(dtype) if i in chosen else t for i, t in enumerate(tensors)]


def with_nothing(rng, tensors):
    """One of the sizes, wherever it occurs, becomes 0."""
    sizes = [size for t in tensors for size in t.shape]
    if not sizes or any(not t.is_floating_point() or t.is_sparse for t in tensors):
        return tensors
    gone = rng.choice(sizes)
    return [t.new_zeros([0 if size == gone else size for size in t.shape]) for t in tensors]


WAYS = {"laid out": laid_out, "another dtype": of_another_dtype, "nothing": with_nothing}

# where PyTorch's own code is out of step with what it documents, or where the values decide
EXCEPT = {
    # they view their input inside, and refuse what they could copy
    "laid out": {"kron", "native_group_norm", "take_along_dim", "isin"},
    "another dtype": set(),
    "nothing": {
        # an index, a weight or a distribution over nothing is refused for its values
        "getitem", "setitem", "multinomial", "weighted_cov", "linalg_solve", "tensorsolve", "linalg_ldl_solve",
        # arguments are not looked at where there are no elements, or are by some kernels only
        "cummax", "cummin", "repeat", "tile", "trapezoid_at", "attention", "grouped_heads", "addmv", "pixel_unshuffle",
        "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "batch_norm", "instance_norm", "native_batch_norm",
        "fractional_max_pool2d", "fractional_max_pool3d", "interpolate", "pad", "bilinear", "norm_except_dim",
        "fractional_max_pool2d_indices", "fractional_max_pool3d_indices", "as_strided", "as_strided_copy", "cholesky",
        "weight_norm",  # ends the process
        # oneMKL refuses a batch of nothing
        "fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fftn", "ifftn", "rfftn", "irfftn", "fft2", "ifft2", "rfft2",
        "irfft2", "stft", "istft", "hfft2", "ihfft2", "hfftn", "ihfftn",
    },
}  # fmt: skip


def varied(way, name, maker):
    """A maker of the same calls in another way; ``None`` where the two are not compared."""
    if name in EXCEPT[way]:
        return None

    def make(rng):
        fn, tensors = maker(rng)
        return fn, WAYS[way](rng, list(tensors))

    return make
