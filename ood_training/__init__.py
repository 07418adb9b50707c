"""What makes the models: entropy maximisation, meta classification, evaluation and export.

Importing it gives `ood_perception.backends` one name more: ``pytorch``, for comparison.
"""

from ood_perception.backends import Backend, register_backend
from ood_perception.errors import BackendError


def _load_pytorch(graph: bytes, graph_name: str) -> Backend:
    try:
        from ood_training.pytorch_backend import PyTorchBackend
    except ImportError as error:
        raise BackendError(
            f"the backend pytorch needs the training side ({error}): "
            "pip install 'ood-detection[training]'"
        ) from error
    return PyTorchBackend(graph, graph_name)


register_backend("pytorch", _load_pytorch)
