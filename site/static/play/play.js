// What both pages to play with share: random numbers, arrays, pictures.
"use strict";

const play = (() => {
  const TYPES = { float32: Float32Array, int16: Int16Array, uint8: Uint8Array };

  /**
   * Random numbers from 0 to 1, the same for the same seed (mulberry32).
   * @param {number} seed
   * @returns {() => number}
   */
  function makeRandom(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /**
   * The seed in the address (?seed=5), else one by chance.
   * @returns {number}
   */
  function chooseSeed() {
    const asked = new URLSearchParams(location.search).get("seed");
    return asked === null ? Math.random() * 2 ** 32 : Number(asked);
  }

  /**
   * n standard normal numbers (Box and Muller).
   * @param {number} n
   * @param {() => number} random
   * @returns {Float64Array}
   */
  function normals(n, random) {
    return Float64Array.from({ length: n }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - random()));
      return radius * Math.cos(2 * Math.PI * random());
    });
  }

  /**
   * The items in random order (Fisher and Yates); they stay as they are.
   * @template T
   * @param {T[]} items
   * @param {() => number} random
   * @returns {T[]}
   */
  function shuffled(items, random) {
    const out = items.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }

  /**
   * Arrays that tools/play.py has packed.
   * @param {{arrays: {name: string, type: string, shape: number[]}[],
   *          bytes: string}} data
   * @returns {Promise<Object<string, {values: any, shape: number[]}>>}
   */
  async function unpack(data) {
    const text = atob(data.bytes);
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const inflated = new Blob([bytes])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
    const buffer = await new Response(inflated).arrayBuffer();
    const out = {};
    let start = 0;
    for (const { name, type, shape } of data.arrays) {
      const n = shape.reduce((a, b) => a * b, 1);
      out[name] = { values: new TYPES[type](buffer, start, n), shape };
      start += out[name].values.byteLength;
    }
    return out;
  }

  /**
   * Row i of a matrix that is stored row by row.
   * @template {Uint8Array | Int16Array | Float32Array | Float64Array} T
   * @param {T} values
   * @param {number} i
   * @param {number} width
   * @returns {T}
   */
  function row(values, i, width) {
    return values.subarray(i * width, (i + 1) * width);
  }

  /**
   * Show 28 x 28 grey levels, 0 for paper to 255 for ink.
   * @param {HTMLCanvasElement} canvas
   * @param {ArrayLike<number>} levels
   */
  function paint(canvas, levels) {
    canvas.width = canvas.height = 28;
    const image = new ImageData(28, 28);
    for (let i = 0; i < 784; i++) {
      image.data.fill(255 - levels[i], 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /**
   * An element with text in it.
   * @param {string} tag
   * @param {string | number} [text]
   * @param {Object<string, string>} [attributes]
   * @returns {HTMLElement}
   */
  function element(tag, text = "", attributes = {}) {
    const made = document.createElement(tag);
    made.textContent = String(text);
    for (const [name, value] of Object.entries(attributes)) {
      made.setAttribute(name, value);
    }
    return made;
  }

  /**
   * Take the note for who reads the source away, and show the page.
   * @param {HTMLElement} page
   */
  function open(page) {
    document.getElementById("source-note")?.remove();
    page.hidden = false;
  }

  return {
    chooseSeed,
    element,
    makeRandom,
    normals,
    open,
    paint,
    row,
    shuffled,
    unpack,
  };
})();
