"""Train, prune and export the demo network: a 64-300-100-10 perceptron on handwritten digits.

The data are scikit-learn's bundled 8 x 8 digits. An image belongs to the train, validation or test split by
a hash of its pixels, so the splits never change and two equal images never stand on both sides. The dense
twin is trained first; the pruned network starts from it and loses its smallest weights in rounds, retrained
under masks after each round, until at most a tenth of all weights is left. Epochs are chosen on the
validation split; the test split is only read to report the final accuracies.

Run ``pip install -e .[onnx,train]`` and ``python examples/digits/train.py``; it takes half a minute.
"""

import copy
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from host.tasks import handwritten_digits, split_places

SIZES = (64, 300, 100, 10)
KEEP = (0.10, 0.09, 0.30)
"""Share of weights that is left in each layer at the end; 9.8 % of all weights."""
ROUNDS = 8
CALIBRATION_IMAGES = 128
SEED = 1
DENSE_EPOCHS = 150
ROUND_EPOCHS = 60
LAST_EPOCHS = 300
WEIGHT_NOISE = 0.2
"""Noise on the weights while training, relative to their root mean square; makes sharing them harmless."""
JITTER = torch.tensor([0.1, 0.08, 0.08, 0.1, 0.1])
"""Spread of an image's angle, width, height (relative) and place (half images) while training."""
FOLDER = Path(__file__).resolve().parent


def load_splits() -> dict[str, tuple[Tensor, Tensor]]:
    """Inputs in [0, 1] of shape (images, 64) and labels of shape (images,) for every split."""
    pixels, labels = handwritten_digits()
    return {
        name: (torch.tensor(pixels[places] / 16, dtype=torch.float32), torch.tensor(labels[places]))
        for name, places in split_places(pixels).items()
    }


def jitter(images: Tensor, generator: torch.Generator) -> Tensor:
    """Turn, stretch and move each image a little, and add noise."""
    count = len(images)
    angle, width, height, right, down = JITTER[:, None] * torch.randn((5, count), generator=generator)
    turn = torch.stack([angle.cos() + width, -angle.sin(), right, angle.sin(), angle.cos() + height, down], 1)
    grid = functional.affine_grid(turn.reshape(count, 2, 3), [count, 1, 8, 8], align_corners=False)
    moved = functional.grid_sample(images.reshape(count, 1, 8, 8), grid, align_corners=False)
    noise = 0.05 * torch.randn(moved.shape, generator=generator)
    return (moved + noise).clamp(0, 1).reshape(count, 64)


def layers_of(network: nn.Sequential) -> list[nn.Linear]:
    """The layers with weights, in order."""
    return [module for module in network if isinstance(module, nn.Linear)]


def accuracy(network: nn.Sequential, split: tuple[Tensor, Tensor]) -> float:
    """Share of images whose largest output is their label."""
    inputs, labels = split
    with torch.no_grad():
        return float((network(inputs).argmax(1) == labels).float().mean())


def disturbed(network: nn.Sequential, generator: torch.Generator) -> dict[str, Tensor]:
    """Parameters with fresh noise on every weight that is not zero; gradients pass to the parameters."""
    parameters = dict(network.named_parameters())
    for name, weight in parameters.items():
        if name.endswith("weight"):
            kept = (weight != 0).to(weight.dtype)
            size = weight.detach().square().sum().div(kept.sum()).sqrt()
            noise = torch.randn(weight.shape, generator=generator)
            parameters[name] = weight + WEIGHT_NOISE * size * kept * noise
    return parameters


def disturbed_loss(network: nn.Sequential, split: tuple[Tensor, Tensor]) -> float:
    """Loss averaged over disturbed copies of the network."""
    generator = torch.Generator().manual_seed(SEED)
    inputs, labels = split
    with torch.no_grad():
        copies = [functional_call(network, disturbed(network, generator), inputs) for _ in range(8)]
        return float(torch.stack([functional.cross_entropy(outputs, labels) for outputs in copies]).mean())


def train(
    network: nn.Sequential,
    splits: dict[str, tuple[Tensor, Tensor]],
    epochs: int,
    rate: float,
    masks: list[Tensor] | None = None,
    teacher: nn.Sequential | None = None,
) -> None:
    """Train in place, weights outside `masks` held at zero, and keep the best epoch on validation.

    With a teacher, the loss also asks for the teacher's outputs.
    """
    generator = torch.Generator().manual_seed(SEED)
    optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    inputs, labels = splits["train"]
    best, best_state = float("inf"), copy.deepcopy(network.state_dict())
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs), generator=generator).split(64):
            batch = jitter(inputs[chosen], generator)
            outputs = functional_call(network, disturbed(network, generator), batch)
            loss = functional.cross_entropy(outputs, labels[chosen], label_smoothing=0.05)
            if teacher is not None:
                with torch.no_grad():
                    wanted = functional.softmax(teacher(batch), 1)
                loss = loss + functional.cross_entropy(outputs, wanted)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if masks is not None:
                with torch.no_grad():
                    for layer, mask in zip(layers_of(network), masks, strict=True):
                        layer.weight *= mask
        schedule.step()
        score = disturbed_loss(network, splits["validation"])
        if score < best:
            best, best_state = score, copy.deepcopy(network.state_dict())
    network.load_state_dict(best_state)


def masks_for(network: nn.Sequential, shares: list[float]) -> list[Tensor]:
    """Masks that keep the given share of each layer's weights, the largest magnitudes."""
    masks = []
    for layer, share in zip(layers_of(network), shares, strict=True):
        magnitude = layer.weight.detach().abs().flatten()
        mask = torch.zeros_like(magnitude)
        mask[magnitude.topk(int(share * len(magnitude))).indices] = 1
        masks.append(mask.reshape(layer.weight.shape))
    return masks


def export(network: nn.Sequential, name: str, path: Path) -> None:
    """Write Gemm and Relu nodes with input `image` (batch, 64) and output `scores` (batch, 10)."""
    nodes, constants, value = [], [], "image"
    layers = layers_of(network)
    for number, layer in enumerate(layers, 1):
        last = number == len(layers)
        weight, bias, total = f"layer{number}.weight", f"layer{number}.bias", f"layer{number}.sum"
        constants.append(numpy_helper.from_array(layer.weight.detach().numpy(), weight))
        constants.append(numpy_helper.from_array(layer.bias.detach().numpy(), bias))
        output = "scores" if last else total
        nodes.append(helper.make_node("Gemm", [value, weight, bias], [output], f"layer{number}", transB=1))
        value = output
        if not last:
            value = f"layer{number}.activation"
            nodes.append(helper.make_node("Relu", [total], [value], f"relu{number}"))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", SIZES[0]])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", SIZES[-1]])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def main() -> None:
    """Train, prune, export, and print the accuracies."""
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    splits = load_splits()
    stack: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        stack += [nn.Linear(inputs, outputs), nn.ReLU()]
    dense = nn.Sequential(*stack[:-1])
    train(dense, splits, DENSE_EPOCHS, 2e-3)

    pruned = copy.deepcopy(dense)
    for number in range(1, ROUNDS + 1):
        masks = masks_for(pruned, [keep ** (number / ROUNDS) for keep in KEEP])
        with torch.no_grad():
            for layer, mask in zip(layers_of(pruned), masks, strict=True):
                layer.weight *= mask
        train(pruned, splits, LAST_EPOCHS if number == ROUNDS else ROUND_EPOCHS, 2e-3, masks, dense)

    export(dense, "digits_dense", FOLDER / "dense.onnx")
    export(pruned, "digits_pruned", FOLDER / "pruned.onnx")
    np.save(FOLDER / "test_inputs.npy", splits["test"][0].numpy())
    np.save(FOLDER / "test_labels.npy", splits["test"][1].numpy())
    np.save(FOLDER / "calibration.npy", splits["train"][0][:CALIBRATION_IMAGES].numpy())

    weights = [layer.weight.detach() for layer in layers_of(pruned)]
    kept, total = [int(w.count_nonzero()) for w in weights], [w.numel() for w in weights]
    shares = " ".join(f"{100 * k / n:.1f} %" for k, n in zip(kept, total, strict=True))
    print(f"kept {sum(kept)} of {sum(total)} weights ({100 * sum(kept) / sum(total):.1f} %): {shares}")
    for name, split in splits.items():
        scores = f"dense {accuracy(dense, split):.4f}   pruned {accuracy(pruned, split):.4f}"
        print(f"{name:10} {len(split[1]):5} images   {scores}")


if __name__ == "__main__":
    main()
