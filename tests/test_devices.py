"""One fit on one device and on two: the same losses, to rounding."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

FIT = """
import json, keras, numpy as np
names = keras.distribution.list_devices("cpu")
x, found = np.random.default_rng(0).normal(size=(2000, 2)), []
for n in (1, 2):
    share = keras.distribution.DataParallel(devices=names[:n])
    keras.distribution.set_distribution(share)
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(32, "relu")
    net = keras.Sequential([hidden, keras.layers.Dense(2)])
    net.compile("adam", "mse")
    fitted = net.fit(x, abs(x), batch_size=100, epochs=3, verbose=0)
    used = len(hidden.kernel.value.sharding.device_set)
    found.append({"devices": used, "loss": fitted.history["loss"]})
print(json.dumps(found))
"""


@pytest.mark.slow
def test_two_devices_give_the_losses_of_one():
    pytest.importorskip("jax")
    flags = "--xla_force_host_platform_device_count=2"
    env = os.environ | {"XLA_FLAGS": flags, "KERAS_BACKEND": "jax"}
    call = [sys.executable, "-c", FIT]
    told = subprocess.run(
        call, env=env, capture_output=True, text=True, check=True
    )
    one, two = json.loads(told.stdout)
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["loss"][-1] < one["loss"][0]
    np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-4)
