"""Halve every weight with Keras' file editor."""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import contextlib
import io

import numpy as np
from keras.saving import KerasFileEditor

with contextlib.redirect_stdout(io.StringIO()):
    editor = KerasFileEditor(sys.argv[1])
    for variables in editor.weights_dict["layers"].values():
        for key in variables:
            variables[key] = np.asarray(variables[key]) * np.float32(0.5)
    editor.save(sys.argv[2])
os.sync()
