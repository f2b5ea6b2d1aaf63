"""A run with gradients that notes what PyTorch keeps for backward, call by call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from shapeproof.capture.guard import memory
from shapeproof.capture.nesting import mapped, tensors
from shapeproof.capture.recorder import Recorder
from shapeproof.capture.trace import Call, Keeping, Saved
from shapeproof.rules.keeping import Piece, Ran


class Keeper(Recorder):
    """A recorder that also sees what PyTorch's autograd puts by; what each call keeps stands in ``Call.keeping``."""

    def __init__(self, *args: Any) -> None:
        """As for a recorder."""
        super().__init__(*args)
        self._given: tuple[Any, Any] = ((), {})
        self._saved: list[Saved] = []
        self._same: dict[int, int] = {}  # the memory of a stand-in without values -> that of what it stands for
        self._alive: dict[int, StorageWeakRef] = {}
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)

    def __enter__(self) -> Any:
        """Watch, and see what is kept."""
        self._hooks.__enter__()
        return super().__enter__()  # type: ignore[no-untyped-call]  # PyTorch's

    def __exit__(self, *failure: Any) -> None:
        """Watch no more."""
        super().__exit__(*failure)  # type: ignore[no-untyped-call]  # PyTorch's
        self._hooks.__exit__(*failure)

    def _pack(self, tensor: Tensor) -> Tensor:
        if tensor.dim() and tensor.layout == torch.strided:  # single numbers are left out
            self._saved.append(Saved(self._place(tensor), tensor.untyped_storage().nbytes()))
        return tensor

    def _place(self, tensor: Tensor) -> int:
        """Which memory a tensor lies in, of which no other is called the same while this run lasts."""
        place = memory(tensor)
        if tensor.layout == torch.strided and place not in self._alive:
            self._alive[place] = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]  # PyTorch's
        return self._same.get(place, place)

    def _call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Call, Any]:
        self._between()
        self._given = args, kwargs
        return super()._call(name, args, kwargs)

    def _between(self) -> None:
        """What was kept since the last call, as a function of the user's own does, is put to that call."""
        last = self.trace.calls[-1].keeping if self.trace.calls else None
        if self._saved and last:
            last.loose = True
            last.saved.extend(self._saved)
        self._saved = []

    def _note_result(self, call: Call, result: Any, args: Any = (), kwargs: Any = None) -> None:
        given = list(tensors(self._given))
        for original, used in zip(given, tensors((args, kwargs)), strict=False):
            if used is not original:
                self._same[self._place(used)] = self._place(original)
        super()._note_result(call, result, args, kwargs)
        positional, named = mapped(self._piece, self._given)
        written = self._given[0][:1] if call.op == "setitem" else result
        results = tuple(map(self._piece, tensors(written)))
        node = next((t.grad_fn.name() for t in tensors(result) if t.grad_fn is not None), "")
        call.keeping = Keeping(Ran(call.op, positional, named, results, node), self._saved)
        self._given, self._saved = ((), {}), []

    def _piece(self, leaf: Tensor) -> Piece:
        seen = self._operand(leaf)
        return Piece(
            **vars(seen), place=self._place(leaf), itemsize=leaf.element_size(), needs_gradient=leaf.requires_grad,
            device=leaf.device.type,
        )  # fmt: skip

    def finish(self) -> None:
        """The run is over."""
        self._between()
        super().finish()
