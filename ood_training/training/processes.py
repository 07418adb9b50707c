"""The processes of one training run: alone, or several that torchrun started."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as distributed
from torch import Tensor

from ood_perception.errors import OodError

# while the first process validates, the others wait for it
_LONGEST_WAIT = timedelta(hours=12)


@dataclass(frozen=True)
class Processes:
    """Which process this is (rank 0 to count - 1) and the device that it computes on."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes, logs and validates."""
        return self.rank == 0

    def share(self, samples: int) -> slice:
        """Which of the samples of a global batch are this process's."""
        return even_parts(samples, self.count)[self.rank]

    def sum(self, *values: float) -> list[float]:
        """Each value summed over the processes, the same in all of them."""
        if self.count == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return [float(value) for value in total.tolist()]

    def wait(self) -> None:
        """Until every process is here."""
        self.sum(0.0)

    def values_of_first(self, values: Any) -> Any:
        """The first process's plain values (JSON) in every process."""
        if self.count == 1:
            return values
        text = json.dumps(values).encode() if self.is_first else b""
        length = int(self.sum(len(text))[0])
        buffer = torch.zeros(length, dtype=torch.uint8, device=self.device)
        if self.is_first:
            buffer.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        distributed.broadcast(buffer, 0)
        return json.loads(bytes(buffer.cpu().numpy()))

    def tensors_of_first(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The first process's tensors, by name, on the CPU of every process."""
        if self.count == 1:
            return tensors
        shapes = self.values_of_first(
            {k: [list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in tensors.items()}
        )
        result = {}
        for name, (shape, dtype) in shapes.items():
            value = torch.zeros(shape, dtype=getattr(torch, dtype), device=self.device)
            if self.is_first:
                value.copy_(tensors[name])
            distributed.broadcast(value, 0)
            result[name] = value.cpu()
        return result


@contextmanager
def open_processes(device: str) -> Iterator[Processes]:
    """This process's place among those of the run; joins them where torchrun started several.

    device: auto, cpu or cuda. Raises OodError for cuda without a GPU.
    """
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes(0, 1, chosen)
        return
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=_LONGEST_WAIT)
    try:
        yield Processes(distributed.get_rank(), count, chosen)
    finally:
        distributed.destroy_process_group()


def choose_device(setting: str, local_rank: int = 0) -> torch.device:
    """auto, cpu or cuda to a device; on a GPU host each local process gets a GPU of its own."""
    gpus = torch.cuda.device_count() if setting != "cpu" and torch.cuda.is_available() else 0
    if setting == "cuda" and gpus == 0:
        raise OodError("device is cuda, but PyTorch finds no GPU: use auto or cpu")
    if gpus == 0:
        return torch.device("cpu")
    if local_rank >= gpus:
        raise OodError(
            f"this host has {gpus} GPU(s), but torchrun started process {local_rank + 1} here: "
            "lower --nproc_per_node"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def even_parts(length: int, parts: int) -> list[slice]:
    """``parts`` neighbouring slices that cover 0 .. length and differ by at most one."""
    edges = [length * part // parts for part in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
