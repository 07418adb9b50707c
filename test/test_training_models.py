"""Every network keeps one contract, and the registry knows them all."""

from __future__ import annotations

import copy
import logging

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from ood_perception.errors import OodError
from ood_training.evaluation import network_input
from ood_training.export import network_to_onnx
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.deeplabv3plus import DeepLabV3Plus, load_imagenet_weights
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38

SIZE = (64, 64)


class NetworkTester:
    """What any network must do; a test class inherits it and says how to make its network.

    stride: of the small logits.
    """

    stride: int

    def make(self, num_classes: int) -> SegmentationNetwork:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls) -> SegmentationNetwork:
        """In evaluation mode, with batch statistics that are not those of a new network."""
        torch.manual_seed(0)
        network = cls().make(5).train()
        with torch.no_grad():
            network(torch.randn(4, 3, *SIZE))
        return network.eval()

    def test_forward_is_the_upsampled_small_logits(self, trained: SegmentationNetwork) -> None:
        image = torch.randn(2, 3, 64, 96)
        with torch.inference_mode():
            small, full = trained.small_logits(image), trained(image)
        assert small.shape == (2, 5, 64 // self.stride, 96 // self.stride)
        expected = functional.interpolate(small, size=(64, 96), mode="bilinear", align_corners=True)
        assert torch.equal(full, expected)
        assert full.std() > 1e-4
        assert trained.num_classes == 5
        assert len(trained.mean) == len(trained.std) == 3

    def test_gradients_reach_every_parameter(self) -> None:
        torch.manual_seed(0)
        network = self.make(3).train()
        for parameter in network.parameters():
            if not parameter.any():  # some encoders begin with residual branches of nothing
                torch.nn.init.normal_(parameter, std=0.1)
        network(torch.randn(2, 3, *SIZE)).square().mean().backward()
        without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
        assert without == []

    def test_evaluation_repeats_itself_and_keeps_images_apart(
        self, trained: SegmentationNetwork
    ) -> None:
        images = torch.randn(2, 3, *SIZE)
        with torch.inference_mode():
            both = trained(images)
            assert torch.equal(both, trained(images))
            alone = torch.cat([trained(image[None]) for image in images])
        torch.testing.assert_close(both, alone, rtol=1e-4, atol=1e-4)

    def test_another_network_takes_the_state(self, trained: SegmentationNetwork) -> None:
        torch.manual_seed(1)
        other = self.make(5).eval()
        image = torch.randn(1, 3, *SIZE)
        with torch.inference_mode():
            assert not torch.allclose(other(image), trained(image))
            other.load_state_dict(copy.deepcopy(trained.state_dict()), strict=True)
            assert torch.equal(other(image), trained(image))

    def test_classes_change_the_head_alone(self, trained: SegmentationNetwork) -> None:
        here = {name: value.shape for name, value in trained.state_dict().items()}
        there = {name: value.shape for name, value in self.make(7).state_dict().items()}
        assert list(here) == list(there)
        changed = {name for name in here if here[name] != there[name]}
        assert changed
        assert changed == {name for name in here if trained.is_head_tensor(name)}

    def test_backbone_decoder_and_head_are_apart(self, trained: SegmentationNetwork) -> None:
        backbone = {id(parameter) for parameter in trained.backbone_parameters()}
        head = {id(parameter) for parameter in trained.head_parameters()}
        everything = {id(parameter) for parameter in trained.parameters()}
        assert backbone
        assert head
        assert not backbone & head
        assert backbone | head < everything

    def test_its_graph_computes_what_pytorch_computes(self, trained: SegmentationNetwork) -> None:
        graph = network_to_onnx(trained, SIZE, (32, 32))
        image = np.random.default_rng(1).integers(0, 256, (1, *SIZE, 3)).astype(np.uint8)
        with torch.inference_mode():
            expected = trained.small_logits(network_input(image[0], trained)).numpy()
        (logits,) = onnxruntime.InferenceSession(graph).run(["logits"], {"image": image})
        np.testing.assert_allclose(logits, expected, atol=1e-3 * max(1.0, np.abs(expected).max()))


class TestTinyUNet(NetworkTester):
    stride = 2

    def make(self, num_classes: int) -> SegmentationNetwork:
        return create_model("tiny_unet", num_classes)

    def test_it_is_tiny_and_sees_far(self) -> None:
        network = create_model("tiny_unet", 8).eval()
        assert 100_000 <= sum(parameter.numel() for parameter in network.parameters()) <= 300_000
        torch.manual_seed(0)
        image = torch.randn(1, 3, 256, 256, requires_grad=True)
        network(image)[0, :, 128, 128].sum().backward()
        assert image.grad is not None
        seen = image.grad[0].abs().sum(0).nonzero()
        assert (seen.max(0).values - seen.min(0).values).min() >= 100


class TestSmallUNet(NetworkTester):
    stride = 2

    def make(self, num_classes: int) -> SegmentationNetwork:
        return create_model("small_unet", num_classes)

    def test_it_is_larger_than_the_tiny_one(self) -> None:
        sizes = [
            sum(parameter.numel() for parameter in create_model(name, 8).parameters())
            for name in ("tiny_unet", "small_unet")
        ]
        assert 4 * sizes[0] <= sizes[1] <= 600_000


class EncoderTester(NetworkTester):
    """A network over a timm encoder, with a narrow decoder."""

    stride = 4
    encoder: str
    output_stride = 16

    def make(self, num_classes: int) -> SegmentationNetwork:
        return create_model(
            f"deeplabv3plus_{self.encoder}",
            num_classes,
            decoder_channels=32,
            output_stride=self.output_stride,
        )

    def test_the_deepest_features_have_the_output_stride(
        self, trained: SegmentationNetwork
    ) -> None:
        assert isinstance(trained, DeepLabV3Plus)
        with torch.inference_mode():
            deepest = trained.encoder(torch.zeros(1, 3, *SIZE))[-1]
        assert deepest.shape[-2:] == (64 // self.output_stride,) * 2


class TestEfficientNetLite0(EncoderTester):
    encoder = "tf_efficientnet_lite0"


class TestResNet18AtStride8(EncoderTester):
    encoder, output_stride = "resnet18", 8


class TestConvNeXt(EncoderTester):
    encoder = "convnext_atto"


class TestWideResNet38(NetworkTester):
    """With a sixteenth of the published widths."""

    stride = 2

    def make(self, num_classes: int) -> SegmentationNetwork:
        return DeepLabV3PlusWideResNet38(num_classes, width_divisor=16)


def test_unknown_names_and_settings_are_one_line() -> None:
    with pytest.raises(OodError, match=r"unknown model 'unet': known are .*wide_resnet38.*tiny_"):
        create_model("unet")
    with pytest.raises(OodError, match="no encoder 'nothing_at_all'"):
        create_model("deeplabv3plus_nothing_at_all")
    with pytest.raises(OodError, match="2 to 254"):
        create_model("tiny_unet", 1)
    with pytest.raises(OodError, match="output_stride is 4: DeepLabv3\\+ takes 8 or 16"):
        create_model("deeplabv3plus_resnet18", 3, output_stride=4)
    with pytest.raises(OodError, match="decoder_channels is 32, but 'tiny_unet' has its own"):
        create_model("tiny_unet", 3, decoder_channels=32)
    with pytest.raises(OodError, match="output_stride is 16, but 'deeplabv3plus_wide_resnet38'"):
        create_model("deeplabv3plus_wide_resnet38", 3, output_stride=16)


@pytest.mark.parametrize("stride", [8, 16])
@pytest.mark.parametrize("encoder", ["mobilenetv3_large_100", "regnety_002"])
def test_other_encoders_fit_at_both_strides(encoder: str, stride: int) -> None:
    network = create_model(
        f"deeplabv3plus_{encoder}", 3, decoder_channels=8, output_stride=stride
    ).eval()
    with torch.inference_mode():
        assert network.small_logits(torch.zeros(1, 3, *SIZE)).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("encoder", ["densenet121", "ghostnet_050", "vit_tiny_patch16_224"])
def test_an_encoder_that_cannot_dilate_is_one_line(encoder: str) -> None:
    with pytest.raises(OodError, match=f"'{encoder}' does not fit DeepLabv3") as caught:
        create_model(f"deeplabv3plus_{encoder}", 3, decoder_channels=8, output_stride=8)
    assert "\n" not in str(caught.value)
    assert "resnet18" in str(caught.value)


def test_imagenet_weights_fill_the_whole_encoder(caplog: pytest.LogCaptureFixture) -> None:
    network = create_model("deeplabv3plus_tf_efficientnet_lite0", 4)
    assert isinstance(network, DeepLabV3Plus)
    assert network.mean == network.std == (0.5, 0.5, 0.5)
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    with caplog.at_level(logging.WARNING):
        load_imagenet_weights(network)
    assert caplog.text == ""
    after = network.encoder.state_dict()
    same = [name for name in after if after[name].ndim == 4 and after[name].equal(before[name])]
    assert same == []
    other = create_model("deeplabv3plus_resnet18", 4)
    assert isinstance(other, DeepLabV3Plus)
    with pytest.raises(OodError, match="does not fit the encoder"):
        load_imagenet_weights(other)


def test_imagenet_weights_in_the_sister_encoder_come_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = create_model("deeplabv3plus_efficientnet_lite0", 4)
    assert isinstance(network, DeepLabV3Plus)
    with caplog.at_level(logging.WARNING):
        load_imagenet_weights(network)
    assert "efficientnet_lite0 pads and scales its input differently" in caplog.text
