"""What runs in a vehicle: from a camera image to unknown obstacles on the road."""

__version__ = "0.1.0"
