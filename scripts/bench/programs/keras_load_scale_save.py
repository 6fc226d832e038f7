"""Halve every weight by loading a model and saving it."""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

model = keras.Sequential([keras.Input((4096,))] + [keras.layers.Dense(4096) for _ in range(int(sys.argv[3]))])
model.load_weights(sys.argv[1])
for layer in model.layers:
    layer.set_weights([weight * np.float32(0.5) for weight in layer.get_weights()])
model.save_weights(sys.argv[2])
os.sync()
