"""Train a small classifier of table rows: scikit-learn's breast cancer data, 569 rows of 30 columns.

The rows are split by a hash of their values, columns are scaled with the means and deviations of the train
split, and a torch module is trained, pruned, shared and fine-tuned into cancer.tamis. For another table,
change `load_rows` and the sizes of the module.

Run ``pip install -e .[onnx,train]`` and ``python examples/tabular/train.py``; it takes under a minute.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from torch import nn

from host.files import write_file
from host.train_data import Samples, TrainData, check_samples, split_samples
from host.train_settings import TrainSettings
from host.training import TrainResult, train

FOLDER = Path(__file__).resolve().parent
SETTINGS = TrainSettings(
    fresh=True, keep=0.05, weight_bits=3, bias_bits=6, epochs=60, input_noise=0.3, weight_noise=0.2
)


def load_rows() -> Samples:
    """Rows of the table, shape (rows, columns), and their classes from 0."""
    table = load_breast_cancer()
    return check_samples(table.data, table.target)


def scaled(data: TrainData) -> TrainData:
    """Columns with mean 0 and deviation 1 on the train split."""
    mean, deviation = data.train.inputs.mean(axis=0), data.train.inputs.std(axis=0)
    return TrainData(
        *(
            replace(split, inputs=(split.inputs - mean) / deviation)
            for split in (data.train, data.validation, data.test)
        )
    )


def run(settings: TrainSettings = SETTINGS) -> tuple[TrainResult, TrainData]:
    """Train on the scaled rows."""
    data = scaled(split_samples(load_rows()))
    module = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))
    return train(module, data, settings), data


def main(folder: Path = FOLDER) -> None:
    """Train, write the model and its test split, and print the stages."""
    result, data = run()
    write_file(folder / "cancer.tamis", result.data)
    np.save(folder / "test_inputs.npy", data.test.inputs)
    np.save(folder / "test_labels.npy", data.test.labels)
    for stage in result.stages:
        print(f"{stage.name:12}{stage.weights:6} weights   test {100 * stage.test:.1f} %")
    print(f"{len(result.data)} bytes instead of {result.model.dense_bytes}")


if __name__ == "__main__":
    main()
