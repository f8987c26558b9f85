// The mathematics of "Draw a digit", as `utils` has it; no part of the page.
"use strict";

const models = (() => {
  const D = 784;
  const UPPER = 392; // pixels of the upper half come first
  const SIDE = 28;
  const BOX = 20; // side of the box that a digit of MNIST fills

  /**
   * @typedef {{mean: Float64Array, loadings: Float64Array, rank: number,
   *            noise: number, logPrior: number, inner: Float64Array}} Ppca
   *   `inner` is the Cholesky factor of I + W^T W / noise.
   * @typedef {{mean: Float64Array, factor: Float64Array,
   *            logTerm: number}} Component
   *   `factor` is a lower triangle, row by row; `logTerm` all that does not
   *   depend on x.
   */

  /**
   * Lower Cholesky factor, row by row, each of n numbers.
   * @param {Float64Array} a
   * @param {number} n
   * @returns {Float64Array}
   */
  function cholesky(a, n) {
    const l = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = a[i * n + j];
        for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
        l[i * n + j] = i === j ? Math.sqrt(sum) : sum / l[j * n + j];
      }
    }
    return l;
  }

  /**
   * Solve L y = b.
   * @param {Float64Array} l
   * @param {Float64Array} b
   * @returns {Float64Array}
   */
  function forward(l, b) {
    const n = b.length;
    const y = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      let sum = b[i];
      for (let j = 0; j < i; j++) sum -= l[i * n + j] * y[j];
      y[i] = sum / l[i * n + i];
    }
    return y;
  }

  /**
   * Solve L^T y = b.
   * @param {Float64Array} l
   * @param {Float64Array} b
   * @returns {Float64Array}
   */
  function backward(l, b) {
    const n = b.length;
    const y = new Float64Array(n);
    for (let i = n - 1; i >= 0; i--) {
      let sum = b[i];
      for (let j = i + 1; j < n; j++) sum -= l[j * n + i] * y[j];
      y[i] = sum / l[i * n + i];
    }
    return y;
  }

  /**
   * Cholesky factor of I + W^T W / noise, W being the first rows.
   * @param {Float64Array} loadings
   * @param {number} rows
   * @param {number} rank
   * @param {number} noise
   * @returns {Float64Array}
   */
  function innerFactor(loadings, rows, rank, noise) {
    const a = new Float64Array(rank * rank);
    for (let i = 0; i < rank; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let p = 0; p < rows; p++) {
          sum += loadings[p * rank + i] * loadings[p * rank + j];
        }
        a[i * rank + j] = a[j * rank + i] = sum / noise + (i === j ? 1 : 0);
      }
    }
    return cholesky(a, rank);
  }

  /**
   * W^T (x - mean) / noise, over the first rows.
   * @param {Ppca} model
   * @param {Float64Array} x
   * @param {number} rows
   * @returns {Float64Array}
   */
  function along({ mean, loadings, rank, noise }, x, rows) {
    const out = new Float64Array(rank);
    for (let p = 0; p < rows; p++) {
      const deviation = (x[p] - mean[p]) / noise;
      for (let j = 0; j < rank; j++) {
        out[j] += deviation * loadings[p * rank + j];
      }
    }
    return out;
  }

  /** @param {Float64Array} y */
  function squaredLength(y) {
    return y.reduce((sum, value) => sum + value * value, 0);
  }

  /**
   * Whole numbers times their scales, which the last axes share.
   * @param {Object<string, {values: any, shape: number[]}>} arrays
   * @param {string} name
   * @returns {Float64Array}
   */
  function scaled(arrays, name) {
    const { values, shape } = arrays[name];
    const scale = arrays[`${name}_scale`];
    const axis = scale.shape.findIndex((n, i) => n !== shape[i]);
    const after = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const block = shape[axis] * after;
    return Float64Array.from(values, (value, i) => {
      const which = Math.floor(i / block) * after + (i % after);
      return value * scale.values[which];
    });
  }

  /**
   * Both lessons' models, from the arrays that tools/play.py has packed.
   * @param {Object<string, {values: any, shape: number[]}>} arrays
   */
  function makeModels(arrays) {
    const total = arrays.counts.values.reduce((a, b) => a + b, 0);
    const logPrior = Array.from(arrays.counts.values, (n) =>
      Math.log(n / total),
    );
    const rank = arrays.loadings.shape[2];
    const mean = scaled(arrays, "mean");
    const loadings = scaled(arrays, "loadings");
    /** @type {Ppca[]} */
    const ppca = logPrior.map((log, c) => {
      const w = play.row(loadings, c, D * rank);
      const noise = arrays.noise.values[c];
      const inner = innerFactor(w, D, rank, noise);
      const m = play.row(mean, c, D);
      return { mean: m, loadings: w, rank, noise, logPrior: log, inner };
    });
    const [, size, nAxes] = arrays.means.shape;
    const means = scaled(arrays, "means");
    const factors = scaled(arrays, "factors");
    /** @type {Component[][]} */
    const mixtures = logPrior.map((log, c) => {
      const weights = play.row(arrays.weights.values, c, size);
      const sum = weights.reduce((a, b) => a + b, 0);
      return Array.from(weights, (weight, k) => {
        const i = c * size + k;
        const factor = play.row(factors, i, (nAxes * (nAxes + 1)) / 2);
        let logTerm = log + Math.log(weight / sum);
        logTerm -= (nAxes / 2) * Math.log(2 * Math.PI);
        for (let j = 0; j < nAxes; j++) {
          logTerm -= Math.log(factor[(j * (j + 3)) / 2]);
        }
        return { mean: play.row(means, i, nAxes), factor, logTerm };
      });
    });
    const centre = scaled(arrays, "centre");
    return { ppca, mixtures, centre, axes: scaled(arrays, "axes"), nAxes };
  }

  /**
   * Levels 0 to 255 as (x + 1/2) / 256, the middle of their bins.
   * @param {ArrayLike<number>} levels
   * @returns {Float64Array}
   */
  function toRow(levels) {
    return Float64Array.from(levels, (level) => (level + 0.5) / 256);
  }

  /**
   * Undo toRow; what is no level is clipped and rounded.
   * @param {ArrayLike<number>} x
   * @returns {Uint8ClampedArray}
   */
  function toLevels(x) {
    return Uint8ClampedArray.from(x, (value) => 256 * value - 0.5);
  }

  /**
   * log p(x, class) of lesson 07's model, in nats.
   * @param {Ppca} model
   * @param {Float64Array} x
   * @returns {number}
   */
  function ppcaLogJoint(model, x) {
    const { mean, rank, noise, inner, logPrior } = model;
    const deviation = x.map((value, p) => value - mean[p]);
    let distance2 = squaredLength(deviation) / noise;
    distance2 -= squaredLength(forward(inner, along(model, x, D)));
    let logDet = D * Math.log(2 * Math.PI * noise);
    for (let j = 0; j < rank; j++) logDet += 2 * Math.log(inner[j * rank + j]);
    return logPrior - (distance2 + logDet) / 2;
  }

  /**
   * log p(t, class, component) of lesson 08's model, in nats.
   * @param {Component} component
   * @param {Float64Array} t
   * @returns {number}
   */
  function componentLogJoint({ mean, factor, logTerm }, t) {
    const y = new Float64Array(t.length);
    let distance2 = 0;
    for (let i = 0, at = 0; i < t.length; i++) {
      let sum = t[i] - mean[i];
      for (let j = 0; j < i; j++) sum -= factor[at++] * y[j];
      y[i] = sum / factor[at++];
      distance2 += y[i] * y[i];
    }
    return logTerm - distance2 / 2;
  }

  /**
   * log p(x, class) for the ten classes: lesson 07's, then lesson 08's.
   * @param {ReturnType<typeof makeModels>} both
   * @param {Float64Array} x
   * @returns {[number[], number[]]}
   */
  function logJoint({ ppca, mixtures, centre, axes, nAxes }, x) {
    const t = new Float64Array(nAxes);
    for (let p = 0; p < D; p++) {
      const deviation = x[p] - centre[p];
      for (let j = 0; j < nAxes; j++) t[j] += deviation * axes[p * nAxes + j];
    }
    return [
      ppca.map((model) => ppcaLogJoint(model, x)),
      mixtures.map((parts) =>
        logSumExp(parts.map((part) => componentLogJoint(part, t))),
      ),
    ];
  }

  /**
   * log(exp(a_1) + exp(a_2) + ...), without overflow.
   * @param {number[]} a
   * @returns {number}
   */
  function logSumExp(a) {
    const most = Math.max(...a);
    const sum = a.reduce((s, value) => s + Math.exp(value - most), 0);
    return most + Math.log(sum);
  }

  /**
   * Bayes' rule: shares of exp(a_1), exp(a_2), ...
   * @param {number[]} a
   * @returns {number[]}
   */
  function posterior(a) {
    const total = logSumExp(a);
    return a.map((value) => Math.exp(value - total));
  }

  /**
   * The lower half given the upper one: the normal distribution of this mean
   * and the covariance spread spread^T + noise I.
   * @param {Ppca} model
   * @param {Float64Array} x
   * @returns {{mean: Float64Array, spread: Float64Array, rank: number,
   *            noise: number}}
   */
  function complete(model, x) {
    const { loadings, rank, noise } = model;
    const l = innerFactor(loadings, UPPER, rank, noise);
    const z = backward(l, forward(l, along(model, x, UPPER)));
    const mean = model.mean.slice(UPPER);
    const spread = new Float64Array((D - UPPER) * rank);
    for (let p = UPPER; p < D; p++) {
      const w = play.row(loadings, p, rank);
      for (let j = 0; j < rank; j++) mean[p - UPPER] += w[j] * z[j];
      spread.set(forward(l, w), (p - UPPER) * rank); // rows of W L^-T
    }
    return { mean, spread, rank, noise };
  }

  /**
   * A draw of the lower half.
   * @param {ReturnType<typeof complete>} half
   * @param {ArrayLike<number>} z
   *   Normal numbers: one a latent, then one a pixel.
   * @param {number} temperature
   * @param {boolean} addNoise
   * @returns {Float64Array}
   */
  function drawHalf(half, z, temperature, addNoise) {
    const { mean, spread, rank, noise } = half;
    return mean.map((value, p) => {
      let deviation = addNoise ? Math.sqrt(noise) * z[rank + p] : 0;
      for (let j = 0; j < rank; j++) deviation += spread[p * rank + j] * z[j];
      return value + temperature * deviation;
    });
  }

  /**
   * The rows nearest to some levels, by the squared difference of pixels.
   * @param {Uint8Array} rows
   * @param {ArrayLike<number>} levels
   * @param {number} k
   * @returns {number[]}
   */
  function nearest(rows, levels, k) {
    const distances = new Float64Array(rows.length / D);
    for (let i = 0; i < distances.length; i++) {
      for (let p = 0; p < D; p++) {
        distances[i] += (rows[i * D + p] - levels[p]) ** 2;
      }
    }
    const order = Array.from(distances.keys());
    return order.sort((a, b) => distances[a] - distances[b]).slice(0, k);
  }

  /**
   * Share of the numbers of which these are quantiles that lie below a value.
   * @param {ArrayLike<number>} quantiles
   * @param {number} value
   * @returns {number}
   */
  function shareBelow(quantiles, value) {
    const below = Array.from(quantiles).filter((q) => q < value).length;
    return below / quantiles.length;
  }

  /**
   * Which part of which pixel lies under each of n equal parts of an interval.
   * @param {number} first
   * @param {number} length
   * @param {number} n
   * @returns {[number, number][][]}
   *   For each part, pairs of a pixel and its weight, which add up to 1.
   */
  function shares(first, length, n) {
    const step = length / n;
    return Array.from({ length: n }, (_, t) => {
      const [start, end] = [first + t * step, first + (t + 1) * step];
      const found = [];
      for (let i = Math.floor(start); i < end; i++) {
        const covered = Math.min(end, i + 1) - Math.max(start, i);
        if (covered > 0) found.push([i, covered / step]);
      }
      return found;
    });
  }

  /**
   * Bring a stroke into MNIST's form: scaled to fit a box of 20 x 20 pixels
   * with its shape kept, each pixel the mean ink under it, and moved by whole
   * pixels so that its centre of mass is in the middle of 28 x 28.
   * @param {ArrayLike<number>} ink
   *   From 0 to 255, row by row.
   * @param {number} width
   * @returns {Uint8ClampedArray | null}
   *   784 levels; null if there is no ink.
   */
  function normalise(ink, width) {
    let [left, right, top, bottom] = [width, -1, Infinity, -1];
    for (let i = 0; i < ink.length; i++) {
      if (!ink[i]) continue;
      const [x, y] = [i % width, Math.floor(i / width)];
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
    if (right < 0) return null;
    const [w, h] = [right - left + 1, bottom - top + 1];
    const scale = BOX / Math.max(w, h);
    const size = (length) => Math.max(1, Math.round(length * scale));
    const columns = shares(left, w, size(w));
    const rows = shares(top, h, size(h));
    const small = rows.map((row) =>
      columns.map((column) => {
        let sum = 0;
        for (const [y, a] of row) {
          for (const [x, b] of column) sum += a * b * ink[y * width + x];
        }
        return sum;
      }),
    );
    let [mass, atX, atY] = [0, 0, 0];
    small.forEach((line, y) =>
      line.forEach((value, x) => {
        mass += value;
        atX += value * x;
        atY += value * y;
      }),
    );
    const moveX = Math.round(SIDE / 2 - atX / mass);
    const moveY = Math.round(SIDE / 2 - atY / mass);
    const out = new Uint8ClampedArray(D);
    small.forEach((line, y) =>
      line.forEach((value, x) => {
        const [toX, toY] = [x + moveX, y + moveY];
        const inside = Math.min(toX, toY) >= 0 && Math.max(toX, toY) < SIDE;
        if (inside) out[toY * SIDE + toX] = value;
      }),
    );
    return out;
  }

  return {
    complete,
    drawHalf,
    logJoint,
    logSumExp,
    makeModels,
    nearest,
    normalise,
    posterior,
    shareBelow,
    toLevels,
    toRow,
  };
})();
